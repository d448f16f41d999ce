"""Makes hostile requests from an OpenAPI document: each begins as its examples and is changed in a few places."""

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from tests.fuzz.hostile_values import ALL

MEDIA_TYPES = (
    "application/json",
    "application/json; charset=utf-16",
    "application/x-ndjson",
    "text/csv",
    "text/plain",
    "multipart/form-data; boundary=x",
    "application/x-www-form-urlencoded",
    "*/*",
    ";;;",
)

HEADERS: Mapping[str, tuple[str, ...]] = {
    "Accept": (*MEDIA_TYPES, "text/html", "*/*;q=0", "application/json;q=2", ",", "image/png"),
    "Accept-Encoding": ("gzip", "zstd", "br", "identity;q=0, *;q=0", "gzip;q=x", ","),
    "Authorization": ("", "Bearer", "Bearer x", "Bearer  x y", "Basic eDp5", "bearer " + "9" * 3000, "Bearer é"),
    "Bearer": ("", "x", "00000000-0000-4000-8000-000000000000"),
    "Content-Encoding": ("gzip", "br", "identity", "gzip, gzip", "x"),
    "Cookie": ("session=x", "a=b; session=" + "9" * 3000, ";;;", "session=\x7f"),
    "Forwarded": ("for=1.2.3.4;proto=https;host=evil", "for=_hidden", 'for="[::1]:99999"', "=;=,"),
    "If-Modified-Since": ("Thu, 01 Jan 1970 00:00:00 GMT", "yesterday"),
    "If-None-Match": ("*", '"x"', "W/", ",,,", '"' + "9" * 3000),
    "Idempotency-Key": ("", "k", "k" * 255, "k" * 256, "\x7f"),
    "Origin": ("null", "http://evil.example", "::"),
    "Range": ("bytes=0-0", "bytes=-1", "bytes=5-1", "bytes=0-99999999999999999999", "lines=1-2"),
    "Sec-Fetch-Site": ("cross-site", "same-origin", "none", "x"),
    "X-Forwarded-For": ("1.2.3.4", "1.2.3.4, unknown", ",,,", "9" * 3000),
    "X-Forwarded-Host": ("evil.example", "a b", ""),
    "X-Request-ID": ("x", "x" * 3000, "a\tb"),
    "X-Signature": ("", "t=1,v1=00", "t=99999999999999999999,v1=zz", "v1=,t="),
    "traceparent": ("00-" + "0" * 32 + "-" + "0" * 16 + "-01", "zz", "ff-x"),
}


@dataclass(frozen=True)
class Operation:
    """A method of a path, with examples of its path and query parameters and of its body, by media type."""

    method: str
    path: str
    path_parameters: Mapping[str, str]
    query_parameters: Mapping[str, str]
    bodies: Mapping[str, Any]


def changed_count(choice: random.Random) -> int:
    """In how many places a request is changed."""
    return choice.choice((0, 0, *[1] * 9, *[2] * 6, 3, 3, 4, 4))


@dataclass
class HostileRequest:
    """A request as it is sent. path: with its query string, percent-encoded."""

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


def read_operations(document: Mapping[str, Any]) -> list[Operation]:
    """The operations of an OpenAPI document."""
    operations = []
    for path, methods in document["paths"].items():
        for method, description in methods.items():
            parameters = description.get("parameters", [])
            content = description.get("requestBody", {}).get("content", {})
            operations.append(
                Operation(
                    method.upper(),
                    path,
                    {each["name"]: example_of(each) for each in parameters if each["in"] == "path"},
                    {each["name"]: example_of(each) for each in parameters if each["in"] == "query"},
                    {media_type: body_example(document, media) for media_type, media in content.items()},
                )
            )
    return operations


def example_of(parameter: Mapping[str, Any]) -> str:
    """An example of a parameter, or a value that its schema may allow."""
    schema = parameter.get("schema", {})
    for found in (
        parameter.get("example"),
        *schema.get("examples", []),
        schema.get("default"),
        *schema.get("enum", []),
    ):
        if found is not None:
            return str(found)
    return "2024-06-01" if schema.get("format") in ("date", "date-time") else "1"


def body_example(document: Mapping[str, Any], media: Mapping[str, Any]) -> Any:
    """An example of a body: the described one, or an object with a value for each property."""
    if "example" in media:
        return media["example"]
    schema = resolve(document, media.get("schema", {}))
    if examples := schema.get("examples"):
        return examples[0]
    if schema.get("type") == "array":
        return [body_example(document, {"schema": schema.get("items", {})})]
    if properties := schema.get("properties"):
        return {name: body_example(document, {"schema": each}) for name, each in properties.items()}
    return {"integer": 1, "number": 1.5, "boolean": True, "string": "text"}.get(str(schema.get("type")))


def resolve(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow a reference, and the first alternative of `anyOf` and its like."""
    while True:
        if "$ref" in schema:
            found: Any = document
            for part in schema["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            schema = found
        elif alternatives := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
            schema = alternatives[0]
        else:
            return schema


def make_request(choice: random.Random, operation: Operation) -> HostileRequest:
    """A request of an operation with up to four changes; one in ten requests has none."""
    path_values = dict(operation.path_parameters)
    query = [(name, value) for name, value in operation.query_parameters.items() if choice.random() < 0.5]
    media_type, body = choice.choice([*operation.bodies.items()] or [("", None)])
    method, headers, data = operation.method, {}, b""
    if media_type:
        headers["Content-Type"] = media_type
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    for _ in range(changed_count(choice)):
        kind = choice.randrange(8)
        if kind == 0 and path_values:
            path_values[choice.choice(list(path_values))] = choice.choice(ALL)
        elif kind <= 2 and operation.query_parameters:
            name = choice.choice([*operation.query_parameters, "format", "x"])
            query = [*[pair for pair in query if pair[0] != name or choice.random() < 0.1], (name, choice.choice(ALL))]
        elif kind <= 4 and media_type:
            data = mutate_json(choice, body) if choice.random() < 0.7 else mutate_bytes(choice, data)
        elif kind == 5:
            name = choice.choice(list(HEADERS))
            headers[name] = choice.choice(HEADERS[name])
        elif kind == 6 and media_type:
            headers["Content-Type"] = choice.choice(MEDIA_TYPES)
        elif kind == 7 and choice.random() < 0.3:
            method = choice.choice(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FOO"))
    path = operation.path
    for name, value in path_values.items():
        path = path.replace("{" + name + "}", quote(value, safe=""))
    if choice.random() < 0.02:
        path = choice.choice((path + "/", path.rstrip("/"), "/" + path, path.upper(), path + "/.."))
    if query:
        path += "?" + (urlencode(query) if choice.random() < 0.95 else "&".join(f"{k}={v}" for k, v in query))
    path = quote(path, safe="%/?&=+;,:@!$'()*-._~[]")
    return HostileRequest(method, path, headers, data)


def mutate_json(choice: random.Random, value: Any) -> bytes:
    """Change one place of a JSON value: another value, another type, one key more or less."""
    changed = json.loads(json.dumps(value))
    parents = [(changed, key) for key in keys_of(changed)]
    while parents and choice.random() < 0.5:
        container, key = choice.choice(parents)
        if not (inner := keys_of(container[key])):
            break
        parents = [(container[key], name) for name in inner]
    replacement: Any = choice.choice(
        (*ALL, None, True, 0, -1, 1.5, 2**63, 10**40, [], {}, [[]], {"": {}}, [None] * 50, "9" * 2000)
    )
    if not parents:
        changed = replacement
    else:
        container, key = choice.choice(parents)
        action = choice.randrange(4)
        if action == 0 and isinstance(container, dict):
            del container[key]
        elif action == 1 and isinstance(container, dict):
            container[choice.choice(("x", "id", "", "__proto__", "\x00"))] = replacement
        else:
            container[key] = replacement
    return json.dumps(changed, ensure_ascii=choice.random() < 0.5).encode("utf-8", "surrogatepass")


def keys_of(value: Any) -> list[Any]:
    return list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []


def mutate_bytes(choice: random.Random, data: bytes) -> bytes:
    """Cut, repeat, overwrite or insert bytes."""
    start = choice.randrange(len(data) + 1)
    end = min(len(data), start + choice.choice((1, 2, 8, 64)))
    action = choice.randrange(6)
    if action == 0:
        return data[:start]
    if action == 1:
        return data[:start] + data[end:]
    if action == 2:
        return data[:end] + data[start:]
    if action == 3:
        return data[:start] + bytes(choice.randrange(256) for _ in range(end - start)) + data[end:]
    if action == 4:
        return (
            data[:start]
            + choice.choice((b"\xff", b"\x00", b"\xed\xa0\x80", b"\\ud800", b"[" * 200, b"\r"))
            + data[start:]
        )
    return data.decode("utf-8", "replace").encode(choice.choice(("utf-16", "utf-32", "latin-1", "cp500")), "replace")
