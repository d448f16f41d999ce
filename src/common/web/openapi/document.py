"""What quart-schema 0.25 leaves wrong or unsaid in the OpenAPI document, put right once for both applications.

Problem responses on every operation, required query parameters, response headers, path ids with their bounds, unique
operation ids, several media types of one answer, and Swagger UI from an installed package instead of a CDN.
"""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec
from quart import Quart, Response, request
from quart_schema import Info, OpenAPIProvider, QuartSchema, hide
from quart_schema.validation import QUART_SCHEMA_QUERYSTRING_ATTRIBUTE
from werkzeug.routing.converters import BaseConverter, IntegerConverter
from werkzeug.routing.rules import Rule

from common.web.errors import PROBLEM_TYPE, FieldError, Invalid, Problem
from common.web.openapi import swagger
from common.web.openapi.schemas import example_of, media_content, tidy, with_renamed_components, without_null
from common.web.request_body import EMPTY_BODY_ATTRIBUTE

V = TypeVar("V", bound=Callable[..., Any])
_ATTRIBUTE = "_operation"

PROBLEM_DESCRIPTIONS = {
    400: "The request is not valid; `errors` names every wrong field.",
    401: "No valid credentials.",
    403: "The credentials lack the right.",
    404: "There is no such thing.",
    405: "The method is not allowed here.",
    409: "The present state refuses the request.",
    413: "The body is too large.",
    415: "The media type is not taken here.",
    422: "The Idempotency-Key was used with another request.",
    429: "Too many requests.",
    500: "Something went wrong on our side.",
    502: "An external service failed.",
    503: "Not available at the moment; try again after Retry-After seconds.",
}

HEADER_DESCRIPTIONS = {
    "Link": "The next page, rel=next (RFC 8288)",
    "ETag": "Strong validator of the body",
    "Location": "Where the created thing is",
    "Retry-After": "Seconds to wait",
    "WWW-Authenticate": "The scheme of the credentials",
}

PROBLEM_HEADERS = {401: "WWW-Authenticate", 429: "Retry-After", 503: "Retry-After"}

LINK_HEADER = {"Link": HEADER_DESCRIPTIONS["Link"]}


@dataclass(frozen=True)
class Operation:
    """What the document says of an operation beyond what quart-schema reads off the view."""

    problems: tuple[int, ...] = ()
    headers: Mapping[int, Mapping[str, str]] = field(default_factory=dict)
    media: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    request_media: Mapping[str, Any] = field(default_factory=dict)
    request_headers: Mapping[str, str] = field(default_factory=dict)
    example: Any = None
    request_example: Any = None
    words: Mapping[int, str] = field(default_factory=dict)
    idempotent: bool = False
    native_errors: bool = False


def operation(
    *problems: int,
    headers: Mapping[int, Mapping[str, str]] | None = None,
    media: Mapping[int, Mapping[str, Any]] | None = None,
    request_media: Mapping[str, Any] | None = None,
    request_headers: Mapping[str, str] | None = None,
    example: Any = None,
    request_example: Any = None,
    words: Mapping[int, str] | None = None,
    idempotent: bool = False,
    native_errors: bool = False,
) -> Callable[[V], V]:
    """Describe a view; goes on top of the other decorators, below the route.

    problems: error statuses that the operation answers with a problem document, besides 500 and 503 that all can.
    headers: response headers by status, name to description. media: further media types by status, name to a schema, or
    to a model. request_media: the same for the body. example: of the first success response; request_example: of the
    body. words: descriptions by status. idempotent: takes Idempotency-Key. native_errors: errors are not problem
    documents (the offers stand-in), so none are added.
    """
    described = Operation(
        problems, headers or {}, media or {}, request_media or {}, request_headers or {}, example, request_example,
        words or {}, idempotent, native_errors,
    )  # fmt: skip

    def decorate(view: V) -> V:
        setattr(view, _ATTRIBUTE, described)
        return view

    return decorate


def _header(description: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}}


def _add_example(places: list[dict[str, Any]], given: Any, components: dict[str, Any]) -> None:
    """An example for the content of each place: `given` where the schema is the first one's, else one of the schema.

    Only JSON can be made so; what cannot goes without.
    """
    first: Any = None
    for place in places:
        for name, content in place.get("content", {}).items():
            is_json = name == "application/json"
            first = first or content["schema"]
            if given is not None and content["schema"] == first and (is_json or len(place["content"]) == 1):
                content["example"] = given
            elif is_json:
                with suppress(LookupError):
                    content["example"] = example_of(content["schema"], components)


class Document(OpenAPIProvider):
    """quart-schema's document, completed."""

    def __init__(self, app: Quart, extension: QuartSchema) -> None:
        super().__init__(app, extension)
        self._components: dict[str, Any] = {}

    def build_path_parameter(self, name: str, converter: BaseConverter) -> dict[str, Any]:
        parameter = super().build_path_parameter(name, converter)
        if isinstance(converter, IntegerConverter):
            schema = {"type": "integer", "minimum": converter.min or 0}
            if converter.max is not None:
                schema["maximum"] = converter.max
            parameter["schema"] = schema
        parameter["description"] = f"The {name.replace('_', ' ')}"
        return parameter

    def build_querystring_parameters(self, model: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        parameters, components = super().build_querystring_parameters(model)
        required = {info.alias or name for name, info in model.model_fields.items() if info.is_required()}
        for parameter in parameters:
            parameter["required"] = parameter["name"] in required
            parameter.setdefault("description", parameter["name"].replace("_", " "))
            parameter["schema"] = without_null(tidy(parameter["schema"]))
        return parameters, components

    def build_response_object(self, model: Any, headers_model: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """A response by msgspec's schema of the model: structs, lists of structs, unions."""
        (schema,), components = msgspec.json.schema_components([model], ref_template="#/components/schemas/{name}")
        words = (getattr(model, "__doc__", None) or "") if isinstance(model, type) else ""
        description = words.strip().split("\n")[0] or "The answer"
        return {"description": description, "content": {"application/json": {"schema": schema}}}, components

    def build_paths(self, rule: Rule) -> tuple[dict[str, Any], dict[str, Any]]:
        paths, components = super().build_paths(rule)
        view = self._app.view_functions[rule.endpoint]
        described: Operation = getattr(view, _ATTRIBUTE, Operation())
        for path, methods in paths.items():
            for method, described_as in methods.items():
                if hasattr(view, EMPTY_BODY_ATTRIBUTE):
                    described_as["requestBody"]["required"] = False
                methods[method] = self._complete(path, method, described_as, described, components)
        return self._settle_names(rule, paths, {name: tidy(schema) for name, schema in components.items()})

    def _settle_names(
        self, rule: Rule, paths: dict[str, Any], components: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Two slices may name different things alike: the second one's are told apart by the name of its blueprint."""
        if any(self._components.get(name, schema) != schema for name, schema in components.items()):
            prefix = "".join(word.capitalize() for word in rule.endpoint.split(".")[0].split("_"))
            names = {name: prefix + name for name in components if name not in ("Problem", "FieldError")}
            paths = with_renamed_components(paths, names)
            components = {
                names.get(name, name): with_renamed_components(schema, names) for name, schema in components.items()
            }
        self._components.update(components)
        return paths, components

    def _complete(
        self, path: str, method: str, op: dict[str, Any], described: Operation, components: dict[str, Any]
    ) -> dict[str, Any]:
        op = msgspec.json.decode(msgspec.json.encode(op))
        words = re.sub(r"[^a-z0-9]+", "_", path.lower().replace("{", "by_")).strip("_")
        op["operationId"] = f"{method}_{words or 'root'}"
        op["description"] = op.get("description", "").strip()
        responses = {str(status): response for status, response in op["responses"].items()}
        for status, schemas in described.media.items():
            response = responses.setdefault(str(status), {"description": "The answer"})
            response.setdefault("content", {}).update(media_content(schemas, components))
        for status, words in described.words.items():
            responses.setdefault(str(status), {})["description"] = words
        first = min(responses, default="200")
        responses.setdefault(first, {"description": "The answer"})
        _add_example([responses[code] for code in responses if code < "300"], described.example, components)
        self._complete_request(op, described, components)
        if described.native_errors:
            op["x-native-errors"] = True
        else:
            self._add_problems(op, described, responses, components)
        for code, response in responses.items():
            headers = {"X-Request-ID": "The id of this request, as in the log"}
            headers |= described.headers.get(int(code), {})
            if described.idempotent and code < "300":
                headers["Idempotent-Replayed"] = "`true` where the answer is that of an earlier request with the key"
            response["headers"] = {
                **response.get("headers", {}),
                **{k: _header(v) for k, v in headers.items()},
            }
        op["responses"] = dict(sorted(responses.items()))
        return op

    def _complete_request(self, op: dict[str, Any], described: Operation, components: dict[str, Any]) -> None:
        if described.request_media:
            body = op.setdefault("requestBody", {"content": {}})
            body["content"].update(media_content(described.request_media, components))
        if "requestBody" in op:
            op["requestBody"].setdefault("required", True)
            for content in op["requestBody"]["content"].values():
                content["schema"] = tidy(content["schema"])
            _add_example([op["requestBody"]], described.request_example, components)
        headers = dict(described.request_headers)
        if described.idempotent:
            headers["Idempotency-Key"] = "The same key and body return the first answer again (kept for 48 hours)"
        for name, words in headers.items():
            schema: dict[str, Any] = {"type": "string"}
            if name == "Idempotency-Key":
                schema |= {"minLength": 1, "maxLength": 255}
            op["parameters"].append(
                {"name": name, "in": "header", "required": False, "description": words, "schema": schema}
            )

    def _add_problems(
        self, op: dict[str, Any], described: Operation, responses: dict[str, Any], components: dict[str, Any]
    ) -> None:
        _, found = msgspec.json.schema_components([Problem, FieldError], ref_template="#/components/schemas/{name}")
        components.update(found)
        statuses = {400, 500, 503, *described.problems}
        if described.idempotent:
            statuses.add(422)
        if "requestBody" in op:
            statuses |= {413, 415}
        if any(parameter["in"] == "path" for parameter in op["parameters"]):
            statuses.add(404)
        for status in statuses:
            response = responses.setdefault(str(status), {"description": PROBLEM_DESCRIPTIONS[status]})
            content = response.setdefault("content", {})
            content.setdefault(PROBLEM_TYPE, {"schema": {"$ref": "#/components/schemas/Problem"}})
            if name := PROBLEM_HEADERS.get(status):
                response["headers"] = {name: _header(HEADER_DESCRIPTIONS[name])}


def install(
    app: Quart,
    *,
    title: str,
    description: str,
    version: str,
    tags: Mapping[str, str],
    security_schemes: dict[str, Any] | None = None,
) -> None:
    """`/openapi.json` and `/docs`, and the refusal of query parameters that a route does not know."""
    schema = QuartSchema(
        app,
        info=Info(title=title, version=version, description=description),
        tags=[{"name": name, "description": words} for name, words in tags.items()],
        security_schemes=security_schemes,
        openapi_path=None,
        redoc_ui_path=None,
        scalar_ui_path=None,
        swagger_ui_path=None,
        openapi_provider_class=Document,
    )
    # Every view answers a Response; quart-schema would ask of each, at some cost, which kind of model it is.
    del app.make_response
    swagger.install(app, title)
    document: list[bytes] = []

    @app.get("/openapi.json")
    @hide
    async def openapi() -> Response:
        if not document:
            document.append(msgspec.json.encode(schema.openapi_provider.schema()))
        return Response(document[0], content_type="application/json")

    @app.before_request
    async def refuse_unknown_parameters() -> None:
        """A route without parameters of its own refuses all; quart-schema validates those of the others."""
        if request.query_string and request.url_rule is not None and request.endpoint not in ("docs", "docs_assets"):
            view = app.view_functions[request.endpoint]  # type: ignore[index]  # a matched rule has an endpoint
            if not hasattr(view, QUART_SCHEMA_QUERYSTRING_ATTRIBUTE):
                faults = [FieldError(name, "is not known here") for name in request.args]
                raise Invalid("The request is not valid.", errors=faults)
