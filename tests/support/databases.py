"""Databases of their own for tests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

import asyncpg

from common.config import Secret
from common.devstack.embedded import Server

_numbers = count(1)


async def waits_for_lock(db: asyncpg.Connection | asyncpg.Pool) -> bool:
    """Whether somebody in this database, of the many on the server, waits for another's lock."""
    await db.execute("SELECT pg_stat_clear_snapshot()")  # else a transaction sees what it saw first
    found: bool = await db.fetchval(
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')"
    )
    return found


@asynccontextmanager
async def cloned(postgres: Server, template: str) -> AsyncIterator[Secret]:
    """A database of its own, made from a template and dropped at the end."""
    name = f"{template}_{next(_numbers)}"
    admin = await asyncpg.connect(postgres.url("postgres"))
    try:
        await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy')
        yield Secret(postgres.url(name))
    finally:
        await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await admin.close()


async def fetch_value(url: str, statement: str) -> object:
    """What a statement gives, on a connection of its own."""
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()
