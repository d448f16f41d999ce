"""Every error is a problem document, the framework's own included, and reveals no internals."""

import errno
import os
from typing import Any

import asyncpg
import pytest
from quart.typing import ResponseReturnValue

from common.config import Secret
from common.db.pool import BoundedPool
from common.web import errors
from common.web.errors import (
    STATUS,
    Conflict,
    FailedPermanently,
    FieldError,
    Forbidden,
    HttpProblem,
    IdempotencyKeyReused,
    Invalid,
    NotAcceptable,
    NotFound,
    TooLarge,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    UnsupportedMedia,
)
from common.web.resources import Application

MEMBERS = {"type", "title", "status", "detail", "code", "request_id"}
HIDDEN = ("SELECT", "SELEKT", "password", "secrets", "Traceback", "<html", "<!doctype", 'File "', "asyncpg")


async def problem_of(response: Any, status: int) -> dict[str, Any]:
    """The problem document of a response. AssertionError unless it is one and reveals no internals."""
    text = (await response.get_data()).decode()
    assert response.status_code == status, text
    assert response.content_type == "application/problem+json"
    problem: dict[str, Any] = await response.get_json()
    assert set(problem) >= MEMBERS
    assert problem["status"] == status
    assert problem["request_id"] == response.headers["X-Request-ID"]
    assert all(isinstance(problem[name], str) and problem[name] for name in MEMBERS - {"status"})
    assert [word for word in HIDDEN if word.lower() in text.lower()] == []
    return problem


async def test_an_unknown_path_is_a_problem(bare: Application) -> None:
    for path in (
        "/nothing",
        "/things/",
        "/things/0",
        "/things/-1",
        "/things/x",
        f"/things/{2**63}",
        "/%00",
    ):
        assert (await problem_of(await bare.test_client().get(path), 404))["code"] == "not_found"


async def test_a_method_that_is_not_allowed_is_a_problem_that_names_the_allowed_ones(bare: Application) -> None:
    client = bare.test_client()
    for call, path, allowed in (
        (client.delete, "/things", {"GET", "HEAD", "OPTIONS", "POST"}),
        (client.post, "/things/1", {"GET", "HEAD", "OPTIONS"}),
        (client.get, "/whole", {"POST", "OPTIONS"}),
    ):
        response = await call(path)
        assert (await problem_of(response, 405))["code"] == "method_not_allowed"
        assert set(response.headers["Allow"].split(", ")) == allowed


async def test_an_unknown_method_is_a_problem(bare: Application) -> None:
    await problem_of(await bare.test_client().open("/things", method="BREW", json=None), 405)


async def test_options_names_the_methods_and_head_has_no_body(ground: Application) -> None:
    client = ground.test_client()
    options = await client.options("/things")
    assert options.status_code == 204
    assert set(options.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}
    head = await client.head("/things")
    assert head.status_code == 200
    assert await head.get_data() == b""
    missing = await client.head("/nothing")
    assert (missing.status_code, missing.content_type) == (404, "application/problem+json")


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"1",
        b"{}{}",
        b"\xff\xfe{\x00",
        b"\xef\xbb\xbf{}",
        b'{"name": "\\ud800"}',
        b'{"name": "a", "name": 1}',
        b"[" * 100_000,
        b'{"name":' * 10_000,
        b'{"name": "a", "size": 1' + b"0" * 5000 + b"}",
        b'{"name": "a", "size": 1e400}',
        b'{"name": "a", "size": NaN}',
    ],
)
async def test_a_malformed_body_is_400(bare: Application, body: bytes) -> None:
    response = await bare.test_client().post("/things", data=body, headers={"Content-Type": "application/json"})
    problem = await problem_of(response, 400)
    assert problem["code"] == "invalid"
    assert problem["errors"]


async def test_every_invalid_field_of_a_body_is_named_at_once(bare: Application) -> None:
    response = await bare.test_client().post("/things", json={"size": 11, "colour": "red"})
    problem = await problem_of(response, 400)
    assert {each["field"] for each in problem["errors"]} == {"name", "size", "colour"}
    assert all(each["message"] for each in problem["errors"])


async def test_every_invalid_parameter_of_a_query_is_named_at_once(bare: Application) -> None:
    problem = await problem_of(await bare.test_client().get("/things?limit=11&nmae=x&name=a&name=b"), 400)
    messages = {each["field"]: each["message"] for each in problem["errors"]}
    assert set(messages) == {"limit", "nmae", "name"}
    assert messages["name"] == "is given more than once"


@pytest.mark.parametrize("path", ["/boom?x=1", "/things/1?limit=1", "/livez?verbose", "/jobs?x", "/metrics?x=1"])
async def test_a_route_without_parameters_refuses_all(bare: Application, path: str) -> None:
    problem = await problem_of(await bare.test_client().get(path), 400)
    assert problem["errors"]


@pytest.mark.parametrize("media_type", ["text/plain", "application/xml", "application/x-www-form-urlencoded", "what"])
async def test_another_media_type_is_415(bare: Application, media_type: str) -> None:
    headers = {"Content-Type": media_type}
    response = await bare.test_client().post("/things", data=b'{"name": "a"}', headers=headers)
    assert (await problem_of(response, 415))["code"] == "unsupported_media_type"


async def test_parameters_of_the_media_type_do_not_matter(ground: Application) -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    response = await ground.test_client().post("/things", data=b'{"name": "a"}', headers=headers)
    assert response.status_code == 201


async def test_a_body_may_be_missing_only_where_the_route_says_so(bare: Application) -> None:
    client = bare.test_client()
    assert await (await client.post("/maybe")).get_json() == 5
    assert await (await client.post("/maybe", json={"limit": 2})).get_json() == 2
    await problem_of(await client.post("/things"), 400)


async def test_an_unexpected_error_reveals_nothing_but_its_request_id(bare: Application) -> None:
    problem = await problem_of(await bare.test_client().get("/boom", headers={"X-Request-ID": "mine"}), 500)
    assert problem["code"] == "internal_error"
    assert problem["request_id"] == "mine"


@pytest.mark.parametrize(
    ("number", "status"), [(errno.ENOSPC, 503), (errno.EDQUOT, 503), (errno.EACCES, 500), (errno.EMFILE, 500)]
)
async def test_a_full_disk_is_503_and_other_failures_of_a_file_are_500(
    bare: Application, number: int, status: int
) -> None:
    @bare.get("/file")
    async def use_file() -> ResponseReturnValue:
        raise OSError(number, os.strerror(number), "/secrets/file")

    response = await bare.test_client().get("/file")
    problem = await problem_of(response, status)
    assert ("no disk space" in problem["detail"]) == ("Retry-After" in response.headers) == (status == 503)


@pytest.mark.parametrize("what", ["syntax", "argument"])
async def test_an_invalid_statement_is_500(ground: Application, what: str) -> None:
    await problem_of(await ground.test_client().get(f"/database/{what}"), 500)


async def test_a_statement_that_takes_too_long_is_503(ground: Application) -> None:
    response = await ground.test_client().get("/database/slow")
    await problem_of(response, 503)
    assert int(response.headers["Retry-After"]) >= 1


async def test_a_nul_in_a_text_is_400(ground: Application) -> None:
    client = ground.test_client()
    await problem_of(await client.post("/things", json={"name": "a\0b"}), 400)
    await problem_of(await client.get("/things?name=a%00b"), 400)
    await problem_of(await client.get("/database/a%00b"), 400)


async def test_an_exhausted_pool_is_503_within_its_time_out(ground: Application, ground_pool: BoundedPool) -> None:
    ground_pool.acquire_seconds = 0.3
    held = [await ground_pool.acquire() for _ in range(ground_pool.get_max_size())]
    try:
        response = await ground.test_client().get("/things")
    finally:
        ground_pool.acquire_seconds = 30
        for connection in held:
            await ground_pool.release(connection)
    problem = await problem_of(response, 503)
    assert problem["code"] == "unavailable"
    assert int(response.headers["Retry-After"]) >= 1
    assert (await ground.test_client().get("/things")).status_code == 200


async def test_an_unreachable_database_is_503_and_routes_without_it_still_answer(bare: Application) -> None:
    client = bare.test_client()
    for call in (client.get("/things"), client.post("/things", json={"name": "a"}), client.get("/jobs")):
        response = await call
        await problem_of(response, 503)
        assert int(response.headers["Retry-After"]) >= 1
    assert (await client.get("/livez")).status_code == 200
    assert (await client.get("/metrics")).status_code == 200
    assert (await client.get("/openapi.json")).status_code == 200
    ready = await client.get("/readyz?verbose")
    problem = await problem_of(ready, 503)
    assert problem["code"] == "not_ready"
    assert problem["checks"][0]["name"] == "database"
    assert problem["checks"][0]["ok"] is False


async def test_closed_connections_are_503_once_and_replaced(ground: Application, module_url: Secret) -> None:
    client = ground.test_client()
    assert (await client.get("/things")).status_code == 200
    connection = await asyncpg.connect(module_url.reveal())
    try:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'test'"
        )
    finally:
        await connection.close()
    statuses = [(await client.get("/things")).status_code for _ in range(10)]
    assert set(statuses) <= {200, 503}
    assert statuses[-1] == 200


@pytest.mark.parametrize(
    ("problem", "status"),
    [
        (Invalid("x"), 400),
        (Unauthorized("x"), 401),
        (Forbidden("x"), 403),
        (NotFound("x"), 404),
        (NotAcceptable("x"), 406),
        (Conflict("x", code="taken"), 409),
        (TooLarge("x"), 413),
        (UnsupportedMedia("x"), 415),
        (IdempotencyKeyReused("x"), 422),
        (TooManyRequests("x", retry_after=7), 429),
        (FailedPermanently("x"), 500),
        (Unavailable("x", retry_after=7), 503),
    ],
)
async def test_every_error_has_its_status_and_its_headers(problem: HttpProblem, status: int) -> None:
    app = Application(__name__)
    errors.install(app)

    @app.get("/")
    async def fail() -> ResponseReturnValue:
        raise problem

    response = await app.test_client().get("/")
    document = await response.get_json()
    assert response.status_code == document["status"] == status
    assert document["code"] == problem.problem_code
    assert ("WWW-Authenticate" in response.headers) == (status == 401)
    assert response.headers.get("Retry-After") == ("7" if status in (429, 503) else None)


def test_every_error_has_a_status() -> None:
    def below(kind: type[HttpProblem]) -> set[type[HttpProblem]]:
        return {kind}.union(*(below(each) for each in kind.__subclasses__()))

    defined = {kind for kind in below(HttpProblem) if kind.__module__ == "common.web.errors"} - {HttpProblem}
    assert defined == set(STATUS)


async def test_extra_members_of_an_error_join_the_document() -> None:
    app = Application(__name__)
    errors.install(app)

    @app.get("/")
    async def fail() -> ResponseReturnValue:
        raise Conflict("x", errors=[FieldError("lines.2.id", "is taken")], extra={"until": "2020-01-01"})

    problem = await (await app.test_client().get("/")).get_json()
    assert problem["errors"] == [{"field": "lines.2.id", "message": "is taken"}]
    assert problem["until"] == "2020-01-01"
