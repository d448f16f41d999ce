"""Every error is a problem document, the framework's own included, and tells nothing that is not the caller's."""

from typing import Any

import asyncpg
import pytest
from quart import Quart
from quart.typing import ResponseReturnValue

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
    NotFound,
    TooLarge,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    UnsupportedMedia,
)

MEMBERS = {"type", "title", "status", "detail", "code", "request_id"}
HIDDEN = ("SELECT", "SELEKT", "password", "secrets", "Traceback", "<html", "<!doctype", 'File "', "asyncpg")


async def problem_of(response: Any, status: int) -> dict[str, Any]:
    """The problem document of a response, which has to be one and to say nothing of our insides."""
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


async def test_an_unknown_path_is_a_problem(bare: Quart) -> None:
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


async def test_a_wrong_method_is_a_problem_that_names_the_right_ones(bare: Quart) -> None:
    client = bare.test_client()
    for call, path, allowed in (
        (client.delete, "/things", {"GET", "HEAD", "OPTIONS", "POST"}),
        (client.post, "/things/1", {"GET", "HEAD", "OPTIONS"}),
        (client.get, "/whole", {"POST", "OPTIONS"}),
    ):
        response = await call(path)
        assert (await problem_of(response, 405))["code"] == "method_not_allowed"
        assert set(response.headers["Allow"].split(", ")) == allowed


async def test_a_method_that_nobody_knows_is_a_problem_too(bare: Quart) -> None:
    await problem_of(await bare.test_client().open("/things", method="BREW"), 405)


async def test_options_names_the_methods_and_head_has_no_body(ground: Quart) -> None:
    client = ground.test_client()
    options = await client.options("/things")
    assert options.status_code == 200
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
async def test_a_malformed_body_is_the_callers_fault(bare: Quart, body: bytes) -> None:
    response = await bare.test_client().post("/things", data=body, headers={"Content-Type": "application/json"})
    problem = await problem_of(response, 400)
    assert problem["code"] == "invalid"
    assert problem["errors"]


async def test_every_wrong_field_of_a_body_is_named_at_once(bare: Quart) -> None:
    response = await bare.test_client().post("/things", json={"size": 11, "colour": "red"})
    problem = await problem_of(response, 400)
    assert {fault["field"] for fault in problem["errors"]} == {"name", "size", "colour"}
    assert all(fault["message"] for fault in problem["errors"])


async def test_every_wrong_parameter_of_a_query_is_named_at_once(bare: Quart) -> None:
    problem = await problem_of(await bare.test_client().get("/things?limit=11&nmae=x&name=a&name=b"), 400)
    messages = {fault["field"]: fault["message"] for fault in problem["errors"]}
    assert set(messages) == {"limit", "nmae", "name"}
    assert messages["name"] == "is given more than once"


@pytest.mark.parametrize("path", ["/boom?x=1", "/things/1?limit=1", "/livez?verbose", "/jobs?x", "/metrics?x=1"])
async def test_a_route_without_parameters_refuses_all(bare: Quart, path: str) -> None:
    problem = await problem_of(await bare.test_client().get(path), 400)
    assert problem["errors"]


@pytest.mark.parametrize("media_type", ["text/plain", "application/xml", "application/x-www-form-urlencoded", "what"])
async def test_another_media_type_is_415(bare: Quart, media_type: str) -> None:
    headers = {"Content-Type": media_type}
    response = await bare.test_client().post("/things", data=b'{"name": "a"}', headers=headers)
    assert (await problem_of(response, 415))["code"] == "unsupported_media_type"


async def test_parameters_of_the_media_type_do_not_matter(ground: Quart) -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    response = await ground.test_client().post("/things", data=b'{"name": "a"}', headers=headers)
    assert response.status_code == 201


async def test_a_body_may_be_left_out_only_where_that_is_said(bare: Quart) -> None:
    client = bare.test_client()
    assert await (await client.post("/maybe")).get_json() == 5
    assert await (await client.post("/maybe", json={"limit": 2})).get_json() == 2
    await problem_of(await client.post("/things"), 400)


async def test_a_failure_of_ours_tells_nothing_but_its_id(bare: Quart) -> None:
    problem = await problem_of(await bare.test_client().get("/boom", headers={"X-Request-ID": "mine"}), 500)
    assert problem["code"] == "internal_error"
    assert problem["request_id"] == "mine"


@pytest.mark.parametrize("what", ["syntax", "argument"])
async def test_a_statement_that_is_wrong_is_a_failure_of_ours(ground: Quart, what: str) -> None:
    await problem_of(await ground.test_client().get(f"/database/{what}"), 500)


async def test_a_statement_that_takes_too_long_is_503(ground: Quart) -> None:
    response = await ground.test_client().get("/database/slow")
    await problem_of(response, 503)
    assert int(response.headers["Retry-After"]) >= 1


async def test_a_nul_in_a_text_is_the_callers_fault(ground: Quart) -> None:
    client = ground.test_client()
    await problem_of(await client.post("/things", json={"name": "a\0b"}), 400)
    await problem_of(await client.get("/things?name=a%00b"), 400)
    await problem_of(await client.get("/database/a%00b"), 400)


async def test_an_exhausted_pool_is_503_within_its_time_out(ground: Quart, ground_pool: asyncpg.Pool) -> None:
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


async def test_a_database_that_is_gone_is_503_and_what_needs_none_still_answers(bare: Quart) -> None:
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


async def test_connections_that_were_cut_are_503_once_and_replaced(ground: Quart, ground_pool: asyncpg.Pool) -> None:
    client = ground.test_client()
    assert (await client.get("/things")).status_code == 200
    connection = await asyncpg.connect(ground_pool._connect_args[0])
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
    ("failure", "status"),
    [
        (Invalid("x"), 400),
        (Unauthorized("x"), 401),
        (Forbidden("x"), 403),
        (NotFound("x"), 404),
        (Conflict("x", code="taken"), 409),
        (TooLarge("x"), 413),
        (UnsupportedMedia("x"), 415),
        (IdempotencyKeyReused("x"), 422),
        (TooManyRequests("x", retry_after=7), 429),
        (FailedPermanently("x"), 500),
        (Unavailable("x", retry_after=7), 503),
    ],
)
async def test_every_meaning_has_its_status_and_its_headers(failure: HttpProblem, status: int) -> None:
    app = Quart(__name__)
    errors.install(app)

    @app.get("/")
    async def fail() -> ResponseReturnValue:
        raise failure

    response = await app.test_client().get("/")
    problem = await response.get_json()
    assert response.status_code == problem["status"] == status
    assert problem["code"] == failure.problem_code
    assert ("WWW-Authenticate" in response.headers) == (status == 401)
    assert response.headers.get("Retry-After") == ("7" if status in (429, 503) else None)


def test_every_meaning_is_in_the_table() -> None:
    def below(kind: type[HttpProblem]) -> set[type[HttpProblem]]:
        return {kind}.union(*(below(each) for each in kind.__subclasses__()))

    ours = {kind for kind in below(HttpProblem) if kind.__module__ == "common.web.errors"} - {HttpProblem}
    assert ours == set(STATUS)


async def test_what_a_failure_adds_joins_the_document() -> None:
    app = Quart(__name__)
    errors.install(app)

    @app.get("/")
    async def fail() -> ResponseReturnValue:
        raise Conflict("x", errors=[FieldError("lines.2.id", "is taken")], extra={"until": "2020-01-01"})

    problem = await (await app.test_client().get("/")).get_json()
    assert problem["errors"] == [{"field": "lines.2.id", "message": "is taken"}]
    assert problem["until"] == "2020-01-01"
