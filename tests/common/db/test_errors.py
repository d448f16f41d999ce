"""Failures of PostgreSQL: which are temporary, what a person is told, and which are none of PostgreSQL's."""

import asyncio
import errno
import re
from collections.abc import Awaitable, Callable

import asyncpg
import pytest
from quart import Response

from common.config import Secret
from common.db.errors import (
    DATABASE_UNAVAILABLE,
    NODE_FAILURES,
    TRANSIENT_ERRORS,
    NoConnectionError,
    describe_failure,
    explain_unavailability,
    is_node_failure,
)
from common.db.pool import BoundedPool, create_pool, transaction, wait_until_reachable
from common.db.time_limits import Timeouts
from common.web import application
from common.web.resources import Application
from common.web.responses import json_response
from tests.common.conftest import provide
from tests.common.web.test_errors import problem_of


def app_that(work: Callable[[], Awaitable[object]], pool: BoundedPool | None = None) -> Application:
    app = application.create("ground", title="Ground", description="For tests", tags={})
    if pool is not None:
        provide(app, pool)

    @app.get("/work")
    async def view() -> Response:
        return json_response(await work())

    return app


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("40001", "same data"),
        ("40P01", "same data"),
        ("40003", "same data"),
        ("40002", "same data"),
        ("55P03", "same data"),
        ("57014", "too long"),
        ("25P03", "too long"),
        ("25P04", "too long"),
        ("53100", "no resources"),
        ("53200", "no resources"),
        ("53300", "no resources"),
        ("25006", "only be read"),
        ("57P01", "cannot be reached"),
        ("57P03", "cannot be reached"),
        ("08006", "cannot be reached"),
    ],
)
async def test_a_temporary_failure_is_503_with_retry_after_and_says_what_it_is(
    ground_pool: BoundedPool, state: str, words: str
) -> None:
    app = app_that(lambda: ground_pool.execute(f"DO $$ BEGIN RAISE SQLSTATE '{state}'; END $$"), ground_pool)
    response = await app.test_client().get("/work")
    problem = await problem_of(response, 503)
    assert int(response.headers["Retry-After"]) >= 1
    assert words in problem["detail"]


@pytest.mark.parametrize("state", ["23505", "42601", "22012", "54000", "0A000", "P0001"])
async def test_any_other_failure_is_500(ground_pool: BoundedPool, state: str) -> None:
    app = app_that(lambda: ground_pool.execute(f"DO $$ BEGIN RAISE SQLSTATE '{state}'; END $$"), ground_pool)
    await problem_of(await app.test_client().get("/work"), 500)


async def test_the_loser_of_a_deadlock_is_503_and_the_other_is_answered(ground_pool: BoundedPool) -> None:
    await ground_pool.execute("INSERT INTO thing (name) VALUES ('one'), ('other')")
    both = asyncio.Barrier(2)

    async def lock(names: list[str]) -> None:
        async with transaction(ground_pool) as connection:
            await connection.execute("SET LOCAL deadlock_timeout = '10ms'")
            for name in names:
                await connection.execute("UPDATE thing SET name = name WHERE name = $1", name)
                if name == names[0]:
                    await both.wait()

    one = app_that(lambda: lock(["one", "other"]), ground_pool).test_client().get("/work")
    other = app_that(lambda: lock(["other", "one"]), ground_pool).test_client().get("/work")
    responses = await asyncio.gather(one, other)

    assert sorted(response.status_code for response in responses) == [200, 503]
    lost = next(response for response in responses if response.status_code == 503)
    assert int(lost.headers["Retry-After"]) >= 1


async def test_a_serialization_failure_is_503(ground_pool: BoundedPool) -> None:
    await ground_pool.execute("INSERT INTO thing (name) VALUES ('shared')")

    async def change() -> None:
        async with ground_pool.acquire() as connection, connection.transaction(isolation="serializable"):
            await connection.fetchval("SELECT count(*) FROM thing")
            await ground_pool.execute("UPDATE thing SET name = name || '!'")
            await connection.execute("UPDATE thing SET name = name || '?'")

    await problem_of(await app_that(change, ground_pool).test_client().get("/work"), 503)
    assert await ground_pool.fetchval("SELECT name FROM thing") == "shared!"


@pytest.mark.parametrize(
    "failure",
    [
        OSError(errno.EMFILE, "Too many open files"),
        FileNotFoundError("template"),
        PermissionError("a file"),
    ],
)
async def test_a_failure_of_our_own_files_is_not_called_one_of_the_database(failure: OSError) -> None:
    async def work() -> None:
        raise failure

    problem = await problem_of(await app_that(work).test_client().get("/work"), 500)
    assert "database" not in problem["detail"]
    assert not isinstance(failure, DATABASE_UNAVAILABLE)
    assert not isinstance(failure, TRANSIENT_ERRORS)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://nobody@127.0.0.1:1/nowhere",
        "postgresql://nobody@unknown.invalid/nowhere",
        "postgresql://nobody@/nowhere?host=/no/such/folder",
    ],
)
async def test_a_server_that_cannot_be_connected_to_is_unreachable_however_it_fails(url: str) -> None:
    async with create_pool(Secret(url), application="test", timeouts=Timeouts(acquire=60)) as pool:
        with pytest.raises(NoConnectionError):
            await pool.fetchval("SELECT 1")
        response = await app_that(lambda: pool.fetchval("SELECT 1"), pool).test_client().get("/work")
        assert "cannot be reached" in (await problem_of(response, 503))["detail"]
    with pytest.raises(DATABASE_UNAVAILABLE):
        await wait_until_reachable(Secret(url), seconds=0)


def test_every_class_of_asyncpg_in_the_groups_is_meant() -> None:
    """A class that holds another kind of error would hide bugs."""
    programming = (asyncpg.SyntaxOrAccessError, asyncpg.DataError, asyncpg.IntegrityConstraintViolationError)
    assert not any(issubclass(kind, TRANSIENT_ERRORS) for kind in programming)


@pytest.mark.parametrize("length", [0, 400, 480, 481, 600])
def test_a_failure_is_described_in_500_valid_characters(length: int) -> None:
    described = describe_failure(ValueError("x" * length + "\0\ud800"))
    assert len(described) <= 500
    assert "\0" not in described
    described.encode()
    assert re.fullmatch("ValueError(: x*.*)?", described, re.DOTALL)
    assert describe_failure(ValueError()) == "ValueError"


async def test_the_description_of_a_failure_does_not_quote_the_failing_row(dashboard_db: asyncpg.Pool) -> None:
    """It is stored, listed and sent as an alert; the row may be about a guest."""
    await dashboard_db.execute("CREATE TABLE guest (name text CHECK (name = ''))")
    with pytest.raises(asyncpg.CheckViolationError) as failure:
        await dashboard_db.execute("INSERT INTO guest VALUES ('Ann')")
    assert "Ann" in str(failure.value)
    assert describe_failure(failure.value) == (
        'CheckViolationError: new row for relation "guest" violates check constraint "guest_name_check"'
    )


@pytest.mark.parametrize("kind", NODE_FAILURES)
def test_a_node_of_a_cluster_that_is_lost_is_told_from_other_failures(kind: type[Exception]) -> None:
    lost = kind("connection to the remote node postgres@10.0.0.7:5432 failed with the following error: refused")

    assert is_node_failure(lost)
    assert explain_unavailability(lost) == "A node of the database cannot be reached at the moment."
    assert not is_node_failure(kind("unrecognized node type: 12"))
