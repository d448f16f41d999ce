"""Creates and queries databases of tests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

import asyncpg

from common.config import Secret
from common.devstack.embedded import Server
from tests.support.citus import CitusCluster, cluster_of_environment
from tests.support.cloning import copy_settings

DatabaseServer = Server | CitusCluster

_numbers = count(1)


async def waits_for_lock(db: asyncpg.Connection | asyncpg.Pool) -> bool:
    """Return whether a session in this database waits for a lock."""
    if (cluster := cluster_of_environment()) is not None:
        return await cluster.waits_for_lock(await db.fetchval("SELECT current_database()"))
    await db.execute("SELECT pg_stat_clear_snapshot()")  # else a transaction sees its first snapshot again
    found: bool = await db.fetchval(
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')"
    )
    return found


@asynccontextmanager
async def cloned(postgres: DatabaseServer, template: str) -> AsyncIterator[Secret]:
    """Clone a template database, with the settings of its roles; it is dropped at the end of the block."""
    if isinstance(postgres, CitusCluster):
        async with postgres.cloned(template) as url:
            yield url
        return
    name = f"{template}_{next(_numbers)}"
    admin = await asyncpg.connect(postgres.url("postgres"))
    try:
        await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy')
        await copy_settings(admin, template, name)
        yield Secret(postgres.url(name))
    finally:
        await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await admin.close()


async def fetch_value(url: str, statement: str) -> object:
    """Return the first value of the first row of a query, run on a new connection."""
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()
