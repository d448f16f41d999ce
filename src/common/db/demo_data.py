"""The transaction in which a start of the demo adds its data."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from common.config import Secret
from common.db.locks import DEMO_DATA_LOCK
from common.db.pool import connect_with


@asynccontextmanager
async def adding_demo_data(url: Secret, application: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection in a transaction, in which the block adds data of the demo unless the data is there.

    Of two processes that start at once, the second waits, and finds the data of the first.
    """
    connection = await connect_with(url, application)
    try:
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", DEMO_DATA_LOCK)
            yield connection
    finally:
        await connection.close()
