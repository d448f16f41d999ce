"""The version of PostgreSQL."""

from common.db.pool import Executor


async def select_server_version(db: Executor) -> str:
    """Such as `18.1`."""
    version: str = await db.fetchval("SHOW server_version")
    return version.partition(" ")[0]
