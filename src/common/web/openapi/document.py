"""The OpenAPI document of an application: completes and corrects the one that quart-schema 0.25 generates.

The additions are: problem responses, required query parameters, response headers, bounds of path ids, operation ids in
words, descriptions and examples, and several media types of one response.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, TypedDict, TypeVar, Unpack

import msgspec
from quart import Quart, Response, request
from quart_schema import Info, OpenAPIProvider, QuartSchema, hide
from quart_schema.validation import QUART_SCHEMA_QUERYSTRING_ATTRIBUTE, QUART_SCHEMA_RESPONSE_ATTRIBUTE
from werkzeug.routing.converters import BaseConverter, IntegerConverter, UUIDConverter
from werkzeug.routing.rules import Rule

from common.tables import CSV, XLSX
from common.web.error_wording import UNKNOWN_FIELD
from common.web.errors import PROBLEM_TYPE, PROBLEMS_ATTRIBUTE, FieldError, Invalid, Problem
from common.web.html import is_page
from common.web.openapi import swagger
from common.web.openapi.examples import FORMAT_EXAMPLES, example_of
from common.web.openapi.models import component, media_content, struct_schemas
from common.web.openapi.problems import PROBLEM_DESCRIPTIONS, PROBLEM_HEADERS, examples_of, shared_examples
from common.web.openapi.schemas import Schema, tidy, tidy_schemas, with_renamed_components, without_null
from common.web.rate_limit import POLICY_HEADER, RATE_LIMIT_HEADER, RATE_LIMITED_ATTRIBUTE
from common.web.request_body import EMPTY_BODY_ATTRIBUTE

View = TypeVar("View", bound=Callable[..., Any])
_ATTRIBUTE = "_operation"
TABLE_ATTRIBUTE = "_table"
"""Marks a view that answers a table as CSV and XLSX too."""
TABLE_MEDIA = {CSV: {"type": "string"}, XLSX: {"type": "string", "contentMediaType": XLSX}}

HEADER_DESCRIPTIONS = {
    "ETag": "Strong validator of the body",
    "Idempotent-Replayed": "`true` if this is the stored response of an earlier request with the same key",
    "Link": "The next page, rel=next (RFC 8288)",
    RATE_LIMIT_HEADER: "What is left of each rate limit: r requests, and t seconds until it is whole again or retried",
    POLICY_HEADER: "The rate limits: q requests in w seconds",
    "Retry-After": "Seconds to wait",
    "WWW-Authenticate": "The authentication scheme",
    "X-Request-ID": "The id of this request, as in the log",
}

HEADER_EXAMPLES = {
    "Bearer": "0b7f5b1c-2d0c-4a55-8f6e-6a3c1f0e9d21",
    "Content-Encoding": "gzip",
    "Idempotency-Key": "5c1e8a52-6a8f-4f0e-9d0e-0d6a3c6f0e4a",
    "If-None-Match": '"1f0c5d8c72a5"',
    "If-Modified-Since": "Sun, 01 Nov 2026 06:00:00 GMT",
    "Cache-Control": "no-cache",
    "If-Range": '"1f0c5d8c72a5"',
    "Range": "bytes=0-1023",
}
"""Examples of request headers."""

LICENSE = {"name": "Apache License 2.0", "identifier": "Apache-2.0"}
SERVERS = [{"url": "/", "description": "The server that this document comes from"}]

LINK_HEADER = {"Link": HEADER_DESCRIPTIONS["Link"]}
PAGE_LINK_HEADER = {"Link": "The page for people that shows the same, rel=alternate (RFC 8288)"}
NEXT_AND_PAGE_LINK_HEADER = {
    "Link": "The next page, rel=next, and the page for people that shows the same, rel=alternate (RFC 8288)"
}


class Operation(TypedDict, total=False):
    """The parts of an operation that quart-schema cannot read from the view."""

    headers: Mapping[int, Mapping[str, str]]
    """Response headers by status, name to description."""
    media: Mapping[int, Mapping[str, Any]]
    """Further media types of responses by status, name to a schema or to a model."""
    request_media: Mapping[str, Any]
    """Further media types of the request body, name to a schema or to a model."""
    request_headers: Mapping[str, str]
    """Request headers, name to description."""
    example: Any
    """An example of the first success response."""
    request_example: Any
    """An example of the request body; or a function that returns it, called when the document is rendered."""
    request_text_examples: Mapping[str, str]
    """Examples of the further media types of the request body that are texts."""
    descriptions: Mapping[int, str]
    """Descriptions of responses by status."""
    path_examples: Mapping[str, Any]
    """Examples of the parameters of the path that are neither integers nor UUIDs."""
    components: Sequence[Any]
    """Further models to which schemas of the operation refer by name."""
    idempotent: bool
    """The operation takes Idempotency-Key."""
    any_query: bool
    """The operation ignores all query parameters, as its docstring says."""
    native_errors: bool
    """Errors are not problem documents (the offers stand-in), so none are added."""


def operation(*problems: int, **described: Unpack[Operation]) -> Callable[[View], View]:
    """Describe a view; goes on top of the other decorators, below the route.

    problems: statuses of problem documents, besides 400, 500, 503, 406 of GET and 403 of others, which all operations
    have, those of the rights and limits that the view requires, and those that follow from a body or a path with names.
    """

    def decorate(view: View) -> View:
        if hasattr(view, TABLE_ATTRIBUTE):
            media = dict(described.get("media", {}))
            described["media"] = {**media, 200: {**media.get(200, {}), **TABLE_MEDIA}}
        setattr(view, _ATTRIBUTE, (problems, described))
        return view

    return decorate


@lru_cache(1024)
def offered_media_types(view: Callable[..., Any]) -> tuple[str, ...]:
    """The media types of the successful responses of a view; empty for a view that is not described."""
    _, described = getattr(view, _ATTRIBUTE, ((), Operation(native_errors=True)))
    if described.get("native_errors"):
        return ()
    statuses = getattr(view, QUART_SCHEMA_RESPONSE_ATTRIBUTE, {})
    as_json = ["application/json"] if any(status < 300 for status in statuses) else []
    others = [name for status, schemas in described.get("media", {}).items() if status < 300 for name in schemas]
    return (*as_json, *others)


def _header(description: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}}


def _add_example(owners: list[dict[str, Any]], given: Any, components: dict[str, Any]) -> None:
    """Add an example to each content: `given` if its schema is that of the first content, else one from the schema.

    Examples of schemas are made for JSON only, and not for every schema.
    """
    first: Any = None
    for owner in owners:
        for name, content in owner.get("content", {}).items():
            is_json = name == "application/json"
            first = first or content["schema"]
            if given is not None and content["schema"] == first and (is_json or len(owner["content"]) == 1):
                content["example"] = given
            elif is_json:
                with suppress(LookupError):
                    content["example"] = example_of(content["schema"], components)


def _add_rate_limit_headers(op: dict[str, Any]) -> None:
    """Add the rate limit headers to the responses of an operation with a rate limit."""
    for status, response in op["responses"].items():
        if status < "300" or status == "429":
            names = (RATE_LIMIT_HEADER, POLICY_HEADER)
            response["headers"].update({name: _header(HEADER_DESCRIPTIONS[name]) for name in names})


class Document(OpenAPIProvider):
    """The document of quart-schema, completed."""

    def __init__(self, app: Quart, extension: QuartSchema) -> None:
        super().__init__(app, extension)
        self._components: dict[str, Any] = {}
        self.security_schemes: Mapping[str, Any] = {}

    def schema(self) -> dict[str, Any]:
        document = super().schema()
        document["info"]["license"] = LICENSE
        document["servers"] = SERVERS
        document["components"]["securitySchemes"] = self.security_schemes
        document["components"]["examples"] = shared_examples()
        return document

    def build_path_parameter(self, name: str, converter: BaseConverter) -> dict[str, Any]:
        parameter = super().build_path_parameter(name, converter)
        if isinstance(converter, IntegerConverter):
            schema = {"type": "integer", "minimum": converter.min or 0}
            if converter.max is not None:
                schema["maximum"] = converter.max
            parameter |= {"schema": schema, "example": max(1, converter.min or 0)}
        elif isinstance(converter, UUIDConverter):
            parameter |= {"schema": {"type": "string", "format": "uuid"}, "example": FORMAT_EXAMPLES["uuid"]}
        parameter["description"] = f"The {name.replace('_', ' ')}"
        return parameter

    def build_querystring_parameters(self, model: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """The parameters with descriptions and examples.

        The example of an optional parameter is in its schema: Swagger UI fills in those that are in the parameter.
        """
        parameters, components = super().build_querystring_parameters(model)
        required = {info.alias or name for name, info in model.model_fields.items() if info.is_required()}
        for parameter in parameters:
            parameter["required"] = parameter["name"] in required
            parameter.setdefault("description", parameter["name"].replace("_", " "))
            schema = parameter["schema"] = without_null(tidy(parameter["schema"]))
            if schema.get("type") != "string" or {"examples", "enum", "const", "format"} & set(schema):
                example = example_of(schema, components)
                if parameter["required"]:
                    parameter["example"] = example
                else:
                    schema.setdefault("examples", [example])
        return parameters, components

    def build_request_body(self, model: Any, source: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """A JSON body with the schema of the model as a component."""
        components: Schema = {}
        return {"content": {"application/json": {"schema": component(model, components)}}}, components

    def build_response_object(self, model: Any, headers_model: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """A response with the schema that msgspec makes for the model: structs, lists of structs, unions."""
        (schema,), components = struct_schemas(model)
        docstring = (getattr(model, "__doc__", None) or "") if isinstance(model, type) else ""
        description = docstring.strip().split("\n")[0] or "The response"
        return {"description": description, "content": {"application/json": {"schema": schema}}}, components

    def build_paths(self, rule: Rule) -> tuple[dict[str, Any], dict[str, Any]]:
        paths, components = super().build_paths(rule)
        view = self._app.view_functions[rule.endpoint]
        problems, described = getattr(view, _ATTRIBUTE, ((), Operation()))
        for methods in paths.values():
            for method, op in methods.items():
                if hasattr(view, EMPTY_BODY_ATTRIBUTE):
                    op["requestBody"]["required"] = False
                completed = self._complete(operation_id(view, method, len(methods)), op, described, components)
                if not described.get("native_errors"):
                    general = {400, 500, 503} | ({406} if method == "get" else {403})
                    statuses = {*general, *problems, *getattr(view, PROBLEMS_ATTRIBUTE, ())}
                    self._add_problems(completed, statuses, components)
                self._add_headers(completed, described)
                if hasattr(view, RATE_LIMITED_ATTRIBUTE):
                    _add_rate_limit_headers(completed)
                methods[method] = tidy_schemas(completed)
        return self._disambiguate(rule, paths, {name: tidy(schema) for name, schema in components.items()})

    def _disambiguate(
        self, rule: Rule, paths: dict[str, Any], components: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Prefix components with the blueprint's name if another slice has different ones with the same name."""
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
        self, name: str, op: dict[str, Any], described: Operation, components: dict[str, Any]
    ) -> dict[str, Any]:
        """The operation with its id, success responses, request and examples."""
        op = msgspec.json.decode(msgspec.json.encode(op))
        op["operationId"] = name
        op["description"] = op.get("description", "").strip()
        op.setdefault("security", [])
        for parameter in op["parameters"]:
            if parameter["name"] in described.get("path_examples", {}):
                parameter["example"] = described["path_examples"][parameter["name"]]
        for model in described.get("components", ()):
            component(model, components)
        responses = op["responses"]
        for status, schemas in described.get("media", {}).items():
            response = responses.setdefault(str(status), {"description": "The response"})
            response.setdefault("content", {}).update(media_content(schemas, components))
        for status, description in described.get("descriptions", {}).items():
            responses.setdefault(str(status), {})["description"] = description
        responses.setdefault(min(responses, default="200"), {"description": "The response"})
        successes = [responses[status] for status in responses if status < "300"]
        _add_example(successes, described.get("example"), components)
        self._complete_request(op, described, components)
        if described.get("native_errors"):
            op["x-native-errors"] = True
        return op

    def _complete_request(self, op: dict[str, Any], described: Operation, components: dict[str, Any]) -> None:
        if "request_media" in described:
            body = op.setdefault("requestBody", {"content": {}})
            body["content"].update(media_content(described["request_media"], components))
        if "requestBody" in op:
            op["requestBody"].setdefault("required", True)
            for content in op["requestBody"]["content"].values():
                content["schema"] = tidy(content["schema"])
            given = described.get("request_example")
            _add_example([op["requestBody"]], given() if callable(given) else given, components)
            for name, text in described.get("request_text_examples", {}).items():
                op["requestBody"]["content"][name]["example"] = text
        headers = dict(described.get("request_headers", {}))
        if described.get("idempotent"):
            headers["Idempotency-Key"] = (
                "A repetition of the request with the same key gets the first response (48 hours)"
            )
        for name, description in headers.items():
            schema: dict[str, Any] = {"type": "string"}
            if name in HEADER_EXAMPLES:
                schema["examples"] = [HEADER_EXAMPLES[name]]
            if name == "Idempotency-Key":
                schema |= {"minLength": 1, "maxLength": 255}
            op["parameters"].append(
                {"name": name, "in": "header", "required": False, "description": description, "schema": schema}
            )

    def _add_problems(self, op: dict[str, Any], statuses: set[int], components: dict[str, Any]) -> None:
        """Problem documents for the statuses, and for those that follow from the operation's request."""
        components.update(struct_schemas(Problem, FieldError)[1])
        if any(parameter["name"] == "Idempotency-Key" for parameter in op["parameters"]):
            statuses.add(422)
        if "requestBody" in op:
            statuses |= {413, 415}
        if any(parameter["in"] == "path" for parameter in op["parameters"]):
            statuses.add(404)
        for status in statuses:
            response = op["responses"].setdefault(str(status), {"description": PROBLEM_DESCRIPTIONS[status]})
            content = response.setdefault("content", {})
            schema = {"$ref": "#/components/schemas/Problem"}
            content.setdefault(
                PROBLEM_TYPE, {"schema": schema, "examples": examples_of(status, response["description"])}
            )
            if name := PROBLEM_HEADERS.get(status):
                response["headers"] = {name: _header(HEADER_DESCRIPTIONS[name])}

    def _add_headers(self, op: dict[str, Any], described: Operation) -> None:
        """Response headers; the responses in the order of their statuses."""
        for status, response in op["responses"].items():
            headers = {"X-Request-ID": HEADER_DESCRIPTIONS["X-Request-ID"]}
            headers |= described.get("headers", {}).get(int(status), {})
            if described.get("idempotent") and status < "300":
                headers["Idempotent-Replayed"] = HEADER_DESCRIPTIONS["Idempotent-Replayed"]
            response.setdefault("headers", {}).update({name: _header(text) for name, text in headers.items()})
        op["responses"] = dict(sorted(op["responses"].items()))


def operation_id(view: View, method: str, methods: int) -> str:
    """The name of the view in camel case, which is a verb and its object; with the method where there are several."""
    first, *rest = view.__name__.split("_")
    return first + "".join(word.capitalize() for word in rest) + (f"By{method.capitalize()}" if methods > 1 else "")


def install(
    app: Quart, info: Info, *, tags: Mapping[str, str], security_schemes: Mapping[str, Any] | None = None
) -> None:
    """Serve `/openapi.json` and `/docs`, and refuse query parameters that a route does not have."""
    schema = QuartSchema(
        app,
        info=info,
        tags=[{"name": name, "description": text} for name, text in tags.items()],
        openapi_path=None,
        redoc_ui_path=None,
        scalar_ui_path=None,
        swagger_ui_path=None,
        openapi_provider_class=Document,
    )
    assert isinstance(schema.openapi_provider, Document)
    schema.openapi_provider.security_schemes = security_schemes or {}
    # Every view returns a Response; quart-schema would check, at some cost, whether it is a model.
    del app.make_response
    swagger.install(app, info.title)
    document: list[bytes] = []

    @app.get("/openapi.json")
    @hide
    async def openapi() -> Response:
        if not document:
            document.append(msgspec.json.encode(schema.openapi_provider.schema()))
        return Response(document[0], content_type="application/json")

    @app.before_request
    async def refuse_unknown_parameters() -> None:
        """Refuse all parameters of a route that takes none, except of a page and of an operation that ignores them.

        `validate_querystring` validates those of the other routes.
        """
        if request.query_string and request.url_rule is not None and not is_page(request.endpoint):
            view = app.view_functions[request.endpoint]  # type: ignore[index]  # a matched rule has an endpoint
            _, described = getattr(view, _ATTRIBUTE, ((), Operation()))
            if not hasattr(view, QUART_SCHEMA_QUERYSTRING_ATTRIBUTE) and not described.get("any_query"):
                unknown = [FieldError(name, UNKNOWN_FIELD) for name in request.args]
                raise Invalid("The request is not valid.", errors=unknown)
