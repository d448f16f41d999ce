"""Jobs of the offers stand-in."""

from datetime import datetime, timedelta

from common.db.pool import Executor
from provider.offers import queries

TOKEN_RETENTION = timedelta(days=1)


async def delete_old_tokens(db: Executor, now: datetime) -> int:
    """Delete the tokens that expired longer than `TOKEN_RETENTION` ago, with their products; returns how many."""
    return await queries.delete_expired_tokens(db, now - TOKEN_RETENTION)
