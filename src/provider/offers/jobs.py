"""Jobs of the offers stand-in."""

from datetime import datetime, timedelta

import asyncpg

from common.jobs.lease import JobResult
from provider.offers import queries

TOKEN_RETENTION = timedelta(days=1)


async def delete_old_tokens(db: asyncpg.Pool, now: datetime) -> JobResult:
    """Delete the tokens that expired longer than `TOKEN_RETENTION` ago, with their products."""
    return {"deleted": await queries.delete_expired_tokens(db, now - TOKEN_RETENTION)}
