"""COPY to a server that goes away, that is slow, and that is given up."""

import asyncio
import re
from collections.abc import AsyncIterator
from io import BytesIO

import asyncpg
import pytest

from common.db.copy import await_copy
from tests.support.applications import SOURCE
from tests.support.databases import waits_for_lock
from tests.support.waiting import eventually

CHUNK = b"1\n" * 50_000


@pytest.fixture
async def db(ground_pool: asyncpg.Pool) -> asyncpg.Pool:
    await ground_pool.execute("DROP TABLE IF EXISTS number; CREATE TABLE number (n integer)")
    return ground_pool


async def chunks(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield CHUNK


async def test_the_status_of_a_copy_is_returned(db: asyncpg.Pool) -> None:
    async with db.acquire() as connection:
        assert await await_copy(connection, connection.copy_to_table("number", source=chunks(3))) == "COPY 150000"
        assert await await_copy(connection, connection.copy_records_to_table("number", records=[(1,)])) == "COPY 1"


async def test_an_error_of_a_copy_is_raised_and_its_connection_can_be_used_again(db: asyncpg.Pool) -> None:
    async with db.acquire() as connection:
        with pytest.raises(asyncpg.InvalidTextRepresentationError):
            await await_copy(connection, connection.copy_to_table("number", source=BytesIO(b"one\n")))
        assert await connection.fetchval("SELECT count(*) FROM number") == 0


async def test_a_copy_ends_when_its_connection_is_lost_before_the_server_has_taken_all(db: asyncpg.Pool) -> None:
    """A lock keeps the server from reading; then more is sent than the buffers of the connection hold."""
    async with db.acquire() as connection, db.acquire() as other:
        pid = connection.get_server_pid()
        async with other.transaction():
            await other.execute("LOCK TABLE number")
            copying = asyncio.create_task(
                await_copy(connection, connection.copy_to_table("number", source=chunks(1_000)))
            )
            await eventually(lambda: waits_for_lock(db))
            assert await other.fetchval("SELECT pg_terminate_backend($1)", pid)
            with pytest.raises((asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError)):
                await copying
    assert await db.fetchval("SELECT count(*) FROM number") == 0


async def test_a_copy_that_is_given_up_frees_its_connection(db: asyncpg.Pool) -> None:
    async with db.acquire() as other, other.transaction():
        await other.execute("LOCK TABLE number")

        async def copy() -> None:
            async with db.acquire() as connection:
                await await_copy(connection, connection.copy_to_table("number", source=chunks(1_000)))

        copying = asyncio.create_task(copy())
        await eventually(lambda: waits_for_lock(db))
        copying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await copying
    assert await db.fetchval("SELECT count(*) FROM number") == 0


def test_every_copy_to_the_server_ends_with_its_connection() -> None:
    for path in SOURCE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        copies = len(re.findall(r"\.copy_(?:records_)?to_table\(", text))
        assert copies == len(re.findall(r"await await_copy\(", text)), path
