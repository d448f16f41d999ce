"""The OpenAPI documents of both applications are valid and complete."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from quart import Blueprint, Response
from quart_schema import document_response, tag_blueprint

from common.config import Secret, read_config
from common.web import application
from common.web.health import blueprint as operations_blueprint
from common.web.html import asset_url
from common.web.openapi.document import operation
from common.web.resources import Application
from common.web.responses import json_response
from dashboard.app import create_app as create_dashboard
from dashboard.config import Config as DashboardConfig
from provider.app import MIGRATIONS
from provider.app import create_app as create_provider
from provider.config import Config as ProviderConfig
from tests.conftest import TEST_ENVIRONMENT

NOWHERE = Secret("postgresql://nobody@127.0.0.1:1/nowhere")
METHODS = {"get", "put", "post", "delete", "patch"}
Operation = dict[str, Any]

PAGES = {
    "provider": {"/book", "/book/order", "/book/sent/{sent_token}", "/inbox"},
    "dashboard": {
        "/board",
        "/board/alerts",
        "/board/hotels",
        "/board/hotels/{hotel_id}",
        "/board/hotels/{hotel_id}/months/{month}",
        "/board/hotels/{hotel_id}/nights/{night}",
        "/board/system",
        "/board/system/hotels/hide",
        "/board/system/jobs/run",
        "/board/system/login",
        "/board/system/logout",
        "/board/system/messages/retry",
        "/board/system/quarantine/{feed}/{fingerprint}",
        "/board/stores/{store_id}",
        "/board/stores/{store_id}/badge.svg",
        "/board/prices",
        "/board/prices/{product_id}",
        "/board/prices/{product_id}/mark",
        "/board/prices/login",
        "/board/prices/logout",
        "/board/stores",
        "/front-desk",
        "/front-desk/login",
        "/front-desk/logout",
        "/front-desk/decide",
        "/front-desk/decline",
        "/wall",
    },
}
"""Pages and the targets of their forms, which are not part of the API."""

PROBLEM = {"$ref": "#/components/schemas/Problem"}

CREDENTIALS_IN_THE_BODY = {"POST /api/token/", "POST /api/token/refresh/", "POST /api/token/revoke/"}


@pytest.fixture(params=["provider", "dashboard"])
def app(request: pytest.FixtureRequest) -> Application:
    """An application that is not started, since the document needs no database."""
    if request.param == "provider":
        return create_provider(read_config(ProviderConfig, TEST_ENVIRONMENT), NOWHERE)
    return create_dashboard(read_config(DashboardConfig, TEST_ENVIRONMENT), NOWHERE)


async def document_of(app: Application) -> dict[str, Any]:
    json_response = await app.test_client().get("/openapi.json")
    assert json_response.status_code == 200
    assert json_response.content_type == "application/json"
    document: dict[str, Any] = await json_response.get_json()
    return document


@pytest.fixture
async def document(app: Application) -> dict[str, Any]:
    return await document_of(app)


def operations(document: dict[str, Any]) -> Iterator[tuple[str, Operation]]:
    for path, methods in document["paths"].items():
        for method, described in methods.items():
            assert method in METHODS
            yield f"{method.upper()} {path}", described


def schemas(value: Any, where: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object of the document with its path."""
    if isinstance(value, dict):
        yield where, value
        for name, each in value.items():
            yield from schemas(each, f"{where}/{name}")
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from schemas(each, f"{where}/{index}")


def contents(described: Operation) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every content of an operation: its status (or `body`), media type and object."""
    for media, content in described.get("requestBody", {}).get("content", {}).items():
        yield "body", media, content
    for status, response in described["responses"].items():
        for media, content in response.get("content", {}).items():
            yield status, media, content


def test_the_document_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_every_schema_is_a_json_schema_without_keywords_of_pydantic(document: dict[str, Any]) -> None:
    for name, schema in document["components"]["schemas"].items():
        Draft202012Validator.check_schema(schema)
        assert schema["type"] in ("object", "string", "integer", "array"), name
    foreign = {"ge", "le", "gt", "lt", "min_length", "max_length", "multiple_of"}
    assert [where for where, schema in schemas(document) if foreign & set(schema) and "properties" not in where] == []


def test_every_operation_has_a_documented_tag_a_summary_and_a_unique_id(document: dict[str, Any]) -> None:
    tags = {tag["name"] for tag in document["tags"]}
    ids = []
    for name, described in operations(document):
        assert described["tags"], name
        assert set(described["tags"]) <= tags, name
        assert described["summary"].strip(), name
        ids.append(described["operationId"])
    assert len(ids) == len(set(ids))
    assert tags == {tag for _, described in operations(document) for tag in described["tags"]}


def test_every_parameter_is_described_and_no_query_parameter_is_null(document: dict[str, Any]) -> None:
    for name, described in operations(document):
        names = [(parameter["in"], parameter["name"]) for parameter in described["parameters"]]
        assert len(names) == len(set(names)), name
        for parameter in described["parameters"]:
            assert parameter["description"].strip(), (name, parameter)
            assert isinstance(parameter["required"], bool), (name, parameter)
            assert parameter["schema"], (name, parameter)
            nulls = [schema for _, schema in schemas(parameter["schema"]) if schema.get("type") == "null"]
            assert nulls == [], (name, parameter)


def test_every_parameter_has_an_example_that_fits_its_schema(document: dict[str, Any]) -> None:
    missing = []
    for name, described in operations(document):
        for parameter in described["parameters"]:
            schema = parameter["schema"]
            examples = [parameter["example"]] if "example" in parameter else schema.get("examples", [])
            if not examples:
                missing.append(f"{name} {parameter['name']}")
            for example in examples:
                errors = Draft202012Validator(schema).iter_errors(example)
                assert [error.message for error in errors] == [], (name, parameter["name"])
            # Swagger UI fills in the example of a parameter, but not that of its schema.
            assert ("example" in parameter) == parameter["required"] or not examples, (name, parameter["name"])
    assert missing == []


def test_every_property_has_a_description(document: dict[str, Any]) -> None:
    """The string below the field of a model is the description of the property."""
    missing = [
        f"{name}.{property_name}"
        for name, schema in document["components"]["schemas"].items()
        for property_name, described in schema.get("properties", {}).items()
        if not described.get("description", "").strip()
    ]
    assert missing == []


def test_generators_of_clients_find_a_type_for_every_value(document: dict[str, Any]) -> None:
    for where, schema in schemas(document):
        if where.rpartition("/")[2] in ("properties", "example") or "/example/" in where:
            continue
        if schema.get("type") == "integer":
            assert schema["format"] == "int64", where
        if "enum" in schema:
            assert schema["type"] in ("string", "integer"), where
        assert "default" not in schema or schema["default"] is not None, where
        if "anyOf" in schema:
            # A value may fit both, so it is not `oneOf`.
            assert {option.get("format") for option in schema["anyOf"]} == {"date-time", "date"}, where
        for option in schema.get("oneOf", []):
            assert option, where


INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z")


def instants_without_format(schema: dict[str, Any], value: Any, components: dict[str, Any]) -> Iterator[Any]:
    """The instants in an example whose schema does not say that they are instants."""
    if "$ref" in schema:
        yield from instants_without_format(components[schema["$ref"].rpartition("/")[2]], value, components)
    elif "oneOf" in schema:
        found = [list(instants_without_format(option, value, components)) for option in schema["oneOf"]]
        fitting = [
            each
            for option, each in zip(schema["oneOf"], found, strict=True)
            if Draft202012Validator({"components": {"schemas": components}, **option}).is_valid(value)
        ]
        yield from fitting[0]
    elif isinstance(value, dict):
        for name, each in value.items():
            if name in schema.get("properties", {}):
                yield from instants_without_format(schema["properties"][name], each, components)
    elif isinstance(value, list):
        for each in value:
            yield from instants_without_format(schema.get("items", {}), each, components)
    elif isinstance(value, str) and INSTANT.fullmatch(value) and schema.get("format") != "date-time":
        yield value


def test_every_instant_of_a_response_is_a_date_time(document: dict[str, Any]) -> None:
    components = document["components"]["schemas"]
    found = 0
    for name, described in operations(document):
        for status, media, content in contents(described):
            if media == "application/json" and "example" in content:
                assert list(instants_without_format(content["schema"], content["example"], components)) == [], name
                found += status < "300"
    assert found > 10


VERBS = {
    *("accept", "add", "apply", "book", "cancel", "change", "confirm", "create", "decline", "delete", "erase", "find"),
    "get",
    *(
        "list",
        "log",
        "receive",
        "refresh",
        "register",
        "replace",
        "retry",
        "revoke",
        "set",
        "show",
        "trigger",
        "update",
        "upload",
    ),
}


def test_every_operation_id_is_a_verb_and_its_object(document: dict[str, Any]) -> None:
    for name, described in operations(document):
        words = re.findall(r"^[a-z]+|[A-Z][a-z0-9]*", described["operationId"])
        assert "".join(words) == described["operationId"], name
        assert words[0] in VERBS, name
        assert len(words) > 1, name


def test_the_document_names_its_licence_its_server_and_where_each_credential_comes_from(
    document: dict[str, Any],
) -> None:
    assert document["info"]["license"] == {"name": "Apache License 2.0", "identifier": "Apache-2.0"}
    assert [server["url"] for server in document["servers"]] == ["/"]
    used = {scheme for _, described in operations(document) for choice in described["security"] for scheme in choice}
    assert set(document["components"]["securitySchemes"]) == used
    for name, scheme in document["components"]["securitySchemes"].items():
        assert len(scheme["description"]) > 20, name


def test_every_path_parameter_is_required_and_every_integer_of_a_path_has_its_bounds(document: dict[str, Any]) -> None:
    for name, described in operations(document):
        for parameter in described["parameters"]:
            if parameter["in"] == "path":
                assert parameter["required"], (name, parameter)
                assert f"{{{parameter['name']}}}" in name
            if parameter["in"] == "path" and parameter["schema"].get("type") == "integer":
                assert {"minimum", "maximum"} <= set(parameter["schema"]), (name, parameter)


def test_every_success_has_a_schema_and_json_has_an_example_that_fits_it(document: dict[str, Any]) -> None:
    registry = {"components": document["components"]}
    for name, described in operations(document):
        successes = [status for status in described["responses"] if status < "300"]
        assert successes, name
        for status, media, content in contents(described):
            assert content["schema"], (name, status, media)
            if media == "application/json" and (status == "body" or status < "300"):
                assert "example" in content, (name, status)
                errors = Draft202012Validator({**registry, **content["schema"]}).iter_errors(content["example"])
                assert [error.message for error in errors] == [], (name, status)


PROBLEM_MEMBERS = {"type", "title", "status", "detail", "code", "request_id", "errors"}
"""An operation may add members, such as alternatives."""


def test_swagger_fills_in_every_body_and_two_instants_that_are_not_the_same(document: dict[str, Any]) -> None:
    """Without an example it fills in the word `string`, which no reader of CSV or NDJSON takes."""
    for name, op in operations(document):
        for media, content in op.get("requestBody", {}).get("content", {}).items():
            assert media.startswith(("image/", "multipart/")) or "example" in content, (name, media)
        ends = [each["example"] for each in op["parameters"] if each["name"] in ("from", "to") and each["required"]]
        assert len(ends) == len(set(ends)), name


def test_every_error_is_a_problem_document(document: dict[str, Any]) -> None:
    for name, described in operations(document):
        if described.get("x-native-errors"):
            continue
        responses = described["responses"]
        assert {"400", "500", "503"} <= set(responses), name
        if "requestBody" in described:
            assert {"413", "415"} <= set(responses), name
        if "Idempotency-Key" in {parameter["name"] for parameter in described["parameters"]}:
            assert "422" in responses, name
        for status, response in responses.items():
            if status >= "400":
                assert set(response["content"]) == {"application/problem+json"}, (name, status)
                schema = response["content"]["application/problem+json"]["schema"]["$ref"]
                members = document["components"]["schemas"][schema.rpartition("/")[2]]["properties"]
                assert set(members) >= PROBLEM_MEMBERS, (name, status)


def test_every_response_is_described_and_its_headers_are_header_objects(document: dict[str, Any]) -> None:
    for name, described in operations(document):
        for status, response in described["responses"].items():
            assert response["description"].strip(), (name, status)
            assert "X-Request-ID" in response["headers"], (name, status)
            for header, meaning in response["headers"].items():
                assert meaning["description"].strip(), (name, status, header)
                assert meaning["schema"]["type"] == "string", (name, status, header)
            if status in ("429", "503") and not described.get("x-native-errors"):
                assert "Retry-After" in response["headers"], (name, status)


def test_every_operation_that_may_answer_401_names_its_credentials(document: dict[str, Any]) -> None:
    schemes = set(document["components"].get("securitySchemes", {}))
    for name, described in operations(document):
        named = {scheme for choice in described["security"] for scheme in choice}
        assert named <= schemes, name
        if "401" in described["responses"] and name not in CREDENTIALS_IN_THE_BODY:
            assert named or described.get("x-native-errors"), name


async def test_every_described_path_is_served_and_every_route_is_described_or_hidden(app: Application) -> None:
    document = await document_of(app)
    hidden = {"/", "/assets/{version}/{name}", "/docs", "/docs/assets/{name}", "/openapi.json"} | PAGES[app.name]
    served = set()
    for rule in app.url_map.iter_rules():
        parts = ["{" + part.rsplit(":", 1)[-1] + "}" if part.startswith("<") else part for part in split(rule.rule)]
        served.add("".join(parts))
    assert set(document["paths"]) | hidden == served | hidden
    assert hidden <= served


def split(rule: str) -> list[str]:
    """A route's rule as plain parts and parameters, those without their brackets."""
    parts = []
    while rule:
        plain, _, rest = rule.partition("<")
        inside, _, rule = rest.partition(">")
        parts += [plain, *([f"<{inside}"] if inside else [])]
    return [part.replace("<", "<:", 1) if part.startswith("<") else part for part in parts]


async def test_the_swagger_page_loads_nothing_from_other_hosts(app: Application) -> None:
    client = app.test_client()
    page = await (await client.get("/docs")).get_data(as_text=True)
    assert "://" not in page
    own = (asset_url("docs.js"), asset_url("docs.css"))
    for asset in ("/docs/assets/swagger-ui.css", "/docs/assets/swagger-ui-bundle.js", *own):
        assert asset in page
        json_response = await client.get(asset)
        assert json_response.status_code == 200, asset
        await json_response.get_data()
    assert (await client.get("/docs/assets/../openapi.py")).status_code == 404


async def test_the_swagger_page_keeps_no_token_runs_only_our_scripts_and_stands_in_no_frame(app: Application) -> None:
    client = app.test_client()
    response = await client.get("/docs")
    policy = dict(each.split(" ", 1) for each in response.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == policy["style-src"] == "'self'"
    assert "<script>" not in await response.get_data(as_text=True)
    script = await (await client.get(asset_url("docs.js"))).get_data(as_text=True)
    assert "persistAuthorization:false" in script
    assert "Storage" not in script


async def test_two_slices_may_have_different_models_of_the_same_name() -> None:
    app = application.create("test", title="Test", description="Test", tags={"test": "Test"})
    things = [msgspec.defstruct("Thing", [("name", str)]), msgspec.defstruct("Thing", [("size", int)])]
    for name, thing in zip(("first", "second"), things, strict=True):
        slice_ = Blueprint(name, __name__)
        tag_blueprint(slice_, ["test"])

        async def show() -> Response:
            """Show a thing."""
            return json_response({})

        show.__name__ = f"show_{name}"
        slice_.get(f"/{name}")(operation()(document_response(thing)(show)))
        app.register_blueprint(slice_)
    app.register_blueprint(operations_blueprint(MIGRATIONS, []))
    document = await document_of(app)

    found = []
    for path in ("/first", "/second"):
        schema = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        found.append(document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]["properties"])
    assert found == [{"name": {"type": "string"}}, {"size": {"type": "integer", "format": "int64"}}]
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


@pytest.mark.parametrize(("smtp_url", "has_inbox"), [("", True), ("smtp+tls://mail.example.com", False)])
async def test_a_provider_that_sends_real_emails_has_no_inbox(smtp_url: str, has_inbox: bool) -> None:
    environment = {**TEST_ENVIRONMENT, "PROVIDER_SMTP_URL": smtp_url}
    app = create_provider(read_config(ProviderConfig, environment), NOWHERE)

    tags = {tag["name"] for tag in (await document_of(app))["tags"]}

    assert ("dining: inbox of the demo" in tags) == has_inbox
    assert ("/inbox" in {rule.rule for rule in app.url_map.iter_rules()}) == has_inbox


WHOLE_SENTENCE = re.compile(
    "(A|All|An|Another|At|Internal|Not found|Only|Temporarily|The|Too many|Unsupported)\\b.*\\.$"
)
"""How the details of problems begin and end. A part of a sentence of a description would begin in another way."""


async def test_each_problem_has_an_example_with_its_status_and_the_codes_that_its_description_names(
    app: Application,
) -> None:
    document = await document_of(app)
    shared = document["components"]["examples"]
    schema = {**document["components"]["schemas"]["Problem"], "components": document["components"]}
    seen = 0
    for path, methods in document["paths"].items():
        for operation_of_path in methods.values():
            if operation_of_path.get("x-native-errors"):
                continue
            for status, response in operation_of_path["responses"].items():
                content = response.get("content", {}).get("application/problem+json")
                if content is None or content["schema"] != PROBLEM:
                    continue  # not a problem, or one with further members
                examples = content["examples"]
                values = [
                    (shared[each["$ref"].rsplit("/", 1)[1]] if "$ref" in each else each)["value"]
                    for each in examples.values()
                ]
                assert [value["status"] for value in values] == [int(status)] * len(values), path
                assert [value["code"] for value in values] == list(examples), path
                named = set(re.findall(r"`([a-z]+_[a-z_]+)`", response["description"]))
                assert named <= set(examples), (path, named)
                for value in values:
                    Draft202012Validator(schema).validate(value)
                    assert WHOLE_SENTENCE.match(value["detail"]), (path, value["detail"])
                seen += 1
    assert seen > 100
