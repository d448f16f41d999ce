"""The settings of sessions and the time limits of statements and transactions, which belong to the role."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from common.config import Secret
from common.db.migrate import migrate
from common.db.pool import BoundedPool, Connection, connect_with, create_pool, transaction
from common.db.role_settings import (
    end_own_session,
    select_differing_settings,
    select_role_settings,
    terminate_idle_sessions,
)
from common.db.time_limits import SESSION_SETTINGS, UNLIMITED, Timeouts
from common.devstack.embedded import Server
from common.web.health import readiness
from common.web.streaming import Sink, stream_copy
from tests.conftest import MIGRATIONS
from tests.support.databases import cloned

OTHER = Timeouts(statement=7, transaction=70)

SELECT_LIMITS = """
    SELECT array_agg(setting::int / 1000 ORDER BY name DESC)
      FROM pg_settings
     WHERE name IN ('transaction_timeout', 'statement_timeout', 'idle_in_transaction_session_timeout')
"""


@pytest.fixture
async def limited(provider_url: Secret) -> AsyncIterator[BoundedPool]:
    """A pool with other limits than those of the role."""
    async with create_pool(provider_url, application="test", size=2, timeouts=OTHER) as pool:
        yield pool


@pytest.fixture
async def unmigrated_url(postgres: Server) -> AsyncIterator[Secret]:
    async with cloned(postgres, "template1") as url:
        yield url


async def alter_role(url: Secret, *settings: str) -> None:
    """Give the role settings in the database, and end the sessions that a pooler may hold, which began before."""
    connection = await asyncpg.connect(url.reveal())
    try:
        name = await connection.fetchval("SELECT quote_ident(current_database())")
        for setting in settings:
            await connection.execute(f"ALTER ROLE SESSION_USER IN DATABASE {name} SET {setting}")
        await terminate_idle_sessions(connection, datetime.now(UTC))
        await end_own_session(connection)
    finally:
        await connection.close()


async def test_a_migrated_database_gives_its_role_the_settings_of_sessions(provider_url: Secret) -> None:
    async with create_pool(provider_url, application="test") as pool:
        assert await pool.fetchval(SELECT_LIMITS) == [60, 30, 60]
        assert await pool.fetchval("SHOW timezone") == "UTC"
        assert await pool.fetchval("SHOW jit") == "off"
        assert await pool.fetchval("SHOW application_name") == "test"
        assert await select_differing_settings(pool) == []


async def test_sessions_of_other_roles_and_databases_have_no_setting_of_ours(
    postgres: Server, provider_url: Secret
) -> None:
    elsewhere = await asyncpg.connect(postgres.url("postgres"))
    try:
        assert await elsewhere.fetchval(SELECT_LIMITS) == [0, 0, 0]
        await elsewhere.execute("CREATE ROLE stranger LOGIN")
        stranger = await asyncpg.connect(provider_url.reveal(), user="stranger")
        try:
            assert await stranger.fetchval(SELECT_LIMITS) == [0, 0, 0]
        finally:
            await stranger.close()
    finally:
        await elsewhere.execute("DROP ROLE IF EXISTS stranger")
        await elsewhere.close()


async def test_migrate_restores_a_setting_that_somebody_changed(provider_url: Secret) -> None:
    await alter_role(provider_url, "statement_timeout = 0")
    async with create_pool(provider_url, application="test") as pool:
        assert await select_differing_settings(pool) == ["statement_timeout"]
        checks = {check.name: check for check in await readiness(pool, MIGRATIONS["provider"])}
        assert not checks["settings"].ok
        assert "statement_timeout; run migrate" in checks["settings"].detail
    assert await migrate(provider_url, MIGRATIONS["provider"]) == []
    async with create_pool(provider_url, application="test") as pool:
        assert await select_differing_settings(pool) == []
        assert all(check.ok for check in await readiness(pool, MIGRATIONS["provider"]))


async def test_migrate_ends_the_idle_sessions_that_began_without_the_settings(unmigrated_url: Secret) -> None:
    """A pooler would go on using them."""
    older = await asyncpg.connect(unmigrated_url.reveal())
    await older.fetchval("SELECT 1")
    await migrate(unmigrated_url, MIGRATIONS["provider"])
    with pytest.raises((asyncpg.PostgresConnectionError, asyncpg.AdminShutdownError, asyncpg.InterfaceError)):
        await older.fetchval("SELECT 1")
    newer = await asyncpg.connect(unmigrated_url.reveal())
    try:
        assert dict(await select_role_settings(newer)) == SESSION_SETTINGS
        assert await migrate(unmigrated_url, MIGRATIONS["provider"]) == []
        assert await newer.fetchval("SELECT 1") == 1, "a second run changes nothing and ends no session"
    finally:
        await newer.close()


async def test_replicas_that_start_together_agree_on_the_settings(unmigrated_url: Secret) -> None:
    await asyncio.gather(*(migrate(unmigrated_url, MIGRATIONS["dashboard"]) for _ in range(4)))
    async with create_pool(unmigrated_url, application="test") as pool:
        assert await select_differing_settings(pool) == []


Read = Callable[[Any], Awaitable[Any]]


async def copied(db: Any) -> list[int]:
    """The limits by way of COPY."""
    parts: list[bytes] = []

    async def collect(part: bytes) -> None:
        parts.append(bytes(part))

    async with db.acquire() as connection:
        await connection.copy_from_query(
            f"SELECT unnest(limits) FROM ({SELECT_LIMITS}) AS found (limits)", output=collect
        )
    return list(map(int, b"".join(parts).split()))


async def executed(db: Any) -> list[int]:
    """The limits by way of a statement that returns no row."""
    await db.execute("CREATE TABLE seen AS SELECT $1::text AS name", "x")
    await db.execute(f"CREATE TABLE limits AS {SELECT_LIMITS}")
    found: list[int] = await db.fetchval("SELECT * FROM limits")
    return found


@pytest.mark.parametrize(
    "read",
    [
        lambda db: db.fetchval(SELECT_LIMITS),
        lambda db: first_of(db.fetch(SELECT_LIMITS)),
        lambda db: first_of(db.fetchrow(SELECT_LIMITS)),
        copied,
        executed,
    ],
)
async def test_every_statement_of_a_pool_has_the_limits_of_the_pool(limited: BoundedPool, read: Read) -> None:
    assert await read(limited) == [70, 7, 70]


async def first_of(rows: Awaitable[Any]) -> Any:
    """The first value of the rows, or of the row."""
    found = await rows
    row = found[0] if isinstance(found, list) else found
    return row[0]


async def test_a_stream_that_fails_raises_what_went_wrong(limited: BoundedPool) -> None:
    async def copy(connection: Connection, output: Sink) -> None:
        await connection.copy_from_query("SELECT 1 / 0", output=output)

    with pytest.raises(asyncpg.DivisionByZeroError):
        await anext(stream_copy(limited, copy))
    assert await limited.fetchval("SELECT 1") == 1


async def test_a_pool_leaves_no_limit_of_its_own_in_the_session(limited: BoundedPool) -> None:
    async with limited.acquire() as connection:
        async with connection.transaction():
            assert await connection.fetchval(SELECT_LIMITS) == [70, 7, 70]
            async with connection.transaction():
                assert await connection.fetchval(SELECT_LIMITS) == [70, 7, 70]
        outside = await connection.prepare(SELECT_LIMITS)
        assert await outside.fetchval() == [60, 30, 60]


async def test_a_transaction_takes_no_statement_more_for_its_limits(limited: BoundedPool) -> None:
    seen: list[str] = []
    async with limited.acquire() as connection:
        with connection.query_logger(lambda query: seen.append(query.query)):
            async with connection.transaction(isolation="repeatable_read"):
                assert await connection.fetchval("SHOW transaction_isolation") == "repeatable read"
        await connection.fetchval("SELECT 1")  # the logger is told of a statement one turn of the loop later
    assert len(seen) == 3, seen
    assert seen[0].startswith("BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL"), seen


async def test_a_pool_with_the_limits_of_the_role_sets_none(provider_url: Secret) -> None:
    seen: list[str] = []
    async with create_pool(provider_url, application="test", size=1) as pool, pool.acquire() as connection:
        with connection.query_logger(lambda query: seen.append(query.query)):
            await connection.fetchval("SELECT 1")
            async with connection.transaction():
                await connection.fetchval("SELECT 2")
    assert seen == ["SELECT 1", "BEGIN;", "SELECT 2", "COMMIT;"]


async def test_a_statement_that_is_too_long_is_ended(provider_url: Secret) -> None:
    async with create_pool(provider_url, application="test", timeouts=Timeouts(statement=0.05)) as pool:
        with pytest.raises(asyncpg.QueryCanceledError):
            await pool.fetchval("SELECT pg_sleep(60)")
        async with transaction(pool) as connection:
            assert await connection.fetchval("SELECT 1") == 1
            with pytest.raises(asyncpg.QueryCanceledError):
                await connection.fetchval("SELECT pg_sleep(60)")
        assert await pool.fetchval("SELECT 1") == 1


async def test_a_transaction_that_is_too_long_is_ended(provider_url: Secret) -> None:
    async with create_pool(provider_url, application="test", timeouts=Timeouts(transaction=1)) as pool:
        with pytest.raises(asyncpg.ConnectionDoesNotExistError):
            await pool.fetchval("SELECT pg_sleep(60)")
        assert await pool.fetchval("SELECT 1") == 1


async def test_longer_limits_than_those_of_the_role_hold(provider_url: Secret) -> None:
    """PostgreSQL does not start the clock of a transaction again when only the limit of it changes."""
    await alter_role(provider_url, "statement_timeout = 300", "transaction_timeout = 300")
    for timeouts in (OTHER, UNLIMITED):
        async with create_pool(provider_url, application="test", timeouts=timeouts) as pool:
            assert await pool.fetchval("SELECT pg_sleep(0.5) IS NULL") is False
            async with transaction(pool) as connection:
                assert await connection.fetchval("SELECT pg_sleep(0.5) IS NULL") is False
    alone = await connect_with(provider_url, "test", UNLIMITED)
    try:
        assert await alone.fetchval("SELECT pg_sleep(0.5) IS NULL") is False
    finally:
        await alone.close()


async def test_a_copy_that_is_interrupted_gives_back_its_connection(provider_url: Secret) -> None:
    async with create_pool(provider_url, application="test", size=1, timeouts=UNLIMITED) as pool:
        started = asyncio.Event()

        async def block(_: bytes) -> None:
            started.set()
            await asyncio.Event().wait()

        async def copy() -> None:
            async with pool.acquire() as connection:
                await connection.copy_from_query(
                    "SELECT repeat('x', 1000) FROM generate_series(1, 100000)", output=block
                )

        copying = asyncio.create_task(copy())
        await started.wait()
        copying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await copying
        assert await pool.fetchval("SELECT 1") == 1
