"""Rules of HTTP for every route: Accept, OPTIONS, slashes, other sites, encodings of bodies, WebSockets."""

import json
from typing import Any
from urllib.parse import unquote

import pytest
from quart import Response
from quart_schema import document_response, tag

from common.web import application
from common.web.openapi.document import operation
from common.web.request_body import body_encodings, raw_body
from common.web.resources import Application
from common.web.responses import json_response
from tests.common.conftest import Thing
from tests.common.web.test_errors import problem_of
from tests.support.asgi import call

JSON = {"Content-Type": "application/json"}
THING = b'{"name": "a"}'


@pytest.mark.parametrize(
    "accept", ["application/xml", "text/plain, image/*", "application/json;q=0", "json", "*/*;q=0"]
)
async def test_an_accept_header_that_nothing_satisfies_is_406(bare: Application, accept: str) -> None:
    problem = await problem_of(await bare.test_client().get("/jobs", headers={"Accept": accept}), 406)
    assert problem["code"] == "not_acceptable"
    assert "application/json" in problem["detail"]


@pytest.mark.parametrize(
    "accept", ["*/*", "application/json; charset=utf-8", "text/html, */*;q=0.1", "application/*;q=0.3", ""]
)
async def test_an_accept_header_that_allows_json_gets_json(ground: Application, accept: str) -> None:
    response = await ground.test_client().get("/things", headers={"Accept": accept})
    assert (response.status_code, response.content_type) == (200, "application/json")


async def test_several_accept_headers_count_as_one(ground: Application) -> None:
    response = await ground.test_client().get(
        "/things", headers=[("Accept", "text/csv"), ("Accept", "application/json")]
    )
    assert response.status_code == 200


async def test_a_write_is_not_refused_for_its_accept_header(ground: Application) -> None:
    response = await ground.test_client().post("/things", data=THING, headers={**JSON, "Accept": "text/html"})
    assert response.status_code == 201


async def test_options_needs_no_credentials_and_runs_no_check_of_the_route() -> None:
    app = application.create("ground", title="Ground", description="For tests", tags={})

    @app.get("/closed")
    async def closed() -> Response:
        raise AssertionError

    app.before_request_funcs[None].append(refuse)
    response = await call(app, "/closed?x=1", "OPTIONS")

    assert (response.status, response.body) == (204, b"")
    assert response.headers["allow"] == "GET, HEAD, OPTIONS"
    assert not {"content-type", "content-length"} & set(response.headers)


async def refuse() -> None:
    raise AssertionError("a later check ran")


@pytest.mark.parametrize(("path", "status"), [("/nothing", 404), ("/things/x", 404)])
async def test_options_of_an_unknown_path_is_a_problem(bare: Application, path: str, status: int) -> None:
    await problem_of(await bare.test_client().options(path), status)


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "HEAD"])
async def test_a_slash_too_many_or_too_few_is_404_and_names_the_path(bare: Application, method: str) -> None:
    @bare.route("/folder/", methods=["GET", "POST"])
    async def folder() -> Response:
        return json_response(None)

    client = bare.test_client()
    for path, right in (("/folder?x=1", "/folder/"), ("/things/", "/things"), ("/things/1/", "/things/1")):
        response = await client.open(path, method=method, json=None)
        assert (response.status_code, response.content_type) == (404, "application/problem+json")
        if method != "HEAD":
            assert (await response.get_json())["detail"].endswith(f"; use {right}.")


@pytest.mark.parametrize("path", ["/nothing/", "/", "/things//", "/things/x/"])
async def test_a_slash_too_many_on_no_route_names_no_path(bare: Application, path: str) -> None:
    assert "use" not in (await problem_of(await bare.test_client().get(path), 404))["detail"]


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "HEAD"])
@pytest.mark.parametrize(
    "target",
    ["//things", "///things", "things", "http://localhost//things", "HTTPS://localhost:1//things", "ftp://x/things"],
)
async def test_a_target_that_only_resembles_a_path_is_404(ground: Application, method: str, target: str) -> None:
    """A proxy that shields /things lets them through."""
    assert (await call(ground, target, method)).status == 404


@pytest.mark.parametrize(
    "target", ["http://localhost/things", "https://other.example:8443/things", "HTTP://[::1]/things"]
)
async def test_a_target_may_name_the_host_too(ground: Application, target: str) -> None:
    assert (await call(ground, target)).status == 200


@pytest.mark.parametrize("raw", [b"/things;x", b"/things%3Fx", b"/things%23x", b"/%2Fthings", b"/things%00"])
async def test_nothing_of_a_target_with_a_host_is_dropped(ground: Application, raw: bytes) -> None:
    for host in (b"http://localhost", b""):
        scope = {"raw_path": host + raw, "path": unquote((host + raw).decode())}
        assert (await call(ground, scope)).status == 404


async def test_a_page_of_another_site_cannot_write(ground: Application) -> None:
    client = ground.test_client()
    headers = {**JSON, "Sec-Fetch-Site": "cross-site", "Origin": "https://other.example"}
    problem = await problem_of(await client.post("/things", data=THING, headers=headers), 403)
    assert problem["code"] == "cross_site"
    assert await (await client.get("/things", headers=headers)).get_json() == []


@pytest.mark.parametrize("site", ["same-origin", "none", "same-site", None])
async def test_our_own_pages_and_programs_can_write(ground: Application, site: str | None) -> None:
    headers = JSON | ({"Sec-Fetch-Site": site} if site else {})
    assert (await ground.test_client().post("/things", data=THING, headers=headers)).status_code == 201


async def test_a_body_without_a_content_type_is_415(ground: Application) -> None:
    client = ground.test_client()
    problem = await problem_of(await client.post("/things", data=THING), 415)
    assert problem["detail"] == "The header Content-Type is missing; send application/json."
    assert (await client.post("/maybe", data=b"{}")).status_code == 415
    assert (await client.post("/maybe")).status_code == 200  # there is no body
    assert await (await client.get("/things")).get_json() == []


@pytest.mark.parametrize("encoding", ["br", "gzip", "deflate", "zstd", "gzip, br", "x" * 100])
async def test_an_encoding_that_the_route_does_not_decode_is_415(bare: Application, encoding: str) -> None:
    response = await bare.test_client().post("/things", data=THING, headers={**JSON, "Content-Encoding": encoding})
    problem = await problem_of(response, 415)
    assert response.headers["Accept-Encoding"] == "identity"
    assert encoding[:40] in problem["detail"]


@pytest.mark.parametrize("encoding", ["identity", "Identity ", ""])
async def test_a_body_may_be_called_unencoded(ground: Application, encoding: str) -> None:
    response = await ground.test_client().post("/things", data=THING, headers={**JSON, "Content-Encoding": encoding})
    assert response.status_code == 201


async def test_a_route_receives_the_encodings_that_it_decodes(bare: Application) -> None:
    @bare.put("/packed")
    @body_encodings("gzip", "zstd")
    async def packed() -> Response:
        return json_response(len(await raw_body()))

    client = bare.test_client()
    for encoding in ("gzip", "X-GZIP", "zstd", "identity"):
        assert (await client.put("/packed", data=b"12", headers={"Content-Encoding": encoding})).status_code == 200
    response = await client.put("/packed", data=b"12", headers={"Content-Encoding": "br"})
    assert (await problem_of(response, 415))["detail"].endswith("send gzip or zstd, or no Content-Encoding.")
    assert response.headers["Accept-Encoding"] == "gzip, zstd"


async def test_head_has_the_headers_of_get(ground: Application) -> None:
    for path in ("/things", "/things/5", "/livez", "/readyz", "/nothing", "/openapi.json", "/docs", "/metrics"):
        got = await call(ground, path, X_Request_ID="mine")
        head = await call(ground, path, "HEAD", X_Request_ID="mine")
        assert (head.status, head.body, head.is_complete) == (got.status, b"", True)
        if path == "/metrics":  # its figures change with each request
            del head.headers["content-length"], got.headers["content-length"]
        assert head.headers == got.headers, path


async def websocket(app: Application, **scope: Any) -> list[dict[str, Any]]:
    """What the application answers to a handshake."""
    sent: list[dict[str, Any]] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    base = {
        "type": "websocket", "path": "/things", "query_string": b"", "scheme": "ws", "http_version": "1.1",
        "headers": [(b"x-request-id", b"mine")], "subprotocols": [], "extensions": {"websocket.http.response": {}},
    }  # fmt: skip
    await app(base | scope, receive, send)  # type: ignore[arg-type]  # plain dictionaries stand for ASGI's
    return sent


@pytest.mark.parametrize("path", ["/things", "/nothing", "/"])
async def test_a_websocket_is_refused_with_a_problem(bare: Application, path: str) -> None:
    start, body = await websocket(bare, path=path)
    problem = json.loads(body["body"])
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 400)
    assert dict(start["headers"])[b"content-type"] == b"application/problem+json"
    assert dict(start["headers"])[b"x-request-id"] == b"mine"
    assert problem["code"] == "websocket_not_supported"
    assert problem["request_id"] == "mine"
    assert body["more_body"] is False


async def test_a_websocket_is_closed_where_the_server_can_send_no_response(bare: Application) -> None:
    (closed,) = await websocket(bare, extensions={})
    assert closed["type"] == "websocket.close"


async def test_a_route_of_several_media_types_accepts_each_of_them() -> None:
    app = application.create("ground", title="Ground", description="For tests", tags={"test": "Test"})

    @app.get("/table")
    @operation(media={200: {"text/csv": {"type": "string"}}})
    @tag(["test"])
    @document_response(Thing)
    async def table() -> Response:
        return json_response(None)

    client = app.test_client()
    for accept, status in (("text/csv", 200), ("application/json", 200), ("text/*", 200), ("text/html", 406)):
        assert (await client.get("/table", headers={"Accept": accept})).status_code == status
