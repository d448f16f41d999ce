"""SQL of where files are pulled from, and which state of each was taken in last."""

from datetime import datetime
from typing import NamedTuple

from common.db.pool import Executor


class Pulled(NamedTuple):
    """What was asked for last time, which state of the file that brought, and when."""

    since: datetime | None
    etag: str | None
    pulled_at: datetime


async def select_source(db: Executor, kind: str, url: str) -> Pulled | None:
    """What is known of a file; None before the first time."""
    row = await db.fetchrow(
        "SELECT since, etag, pulled_at FROM store_file_pull WHERE kind = $1 AND url = $2",
        kind,
        url,
    )
    return Pulled(**row) if row else None


async def upsert_source(db: Executor, kind: str, url: str, pulled: Pulled) -> None:
    await db.execute(
        """
        INSERT INTO store_file_pull (kind, url, since, etag, pulled_at)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (kind, url) DO UPDATE
           SET since = excluded.since, etag = excluded.etag, pulled_at = excluded.pulled_at
        """,
        kind,
        url,
        pulled.since,
        pulled.etag,
        pulled.pulled_at,
    )
