"""SQL of the last pull of each store file."""

from datetime import datetime
from typing import NamedTuple

from common.db.pool import Executor


class LastPull(NamedTuple):
    """The last pull of a file: the `since` it asked for, the ETag it got, and when."""

    since: datetime | None
    etag: str | None
    pulled_at: datetime


async def select_last_pull(db: Executor, kind: str, url: str) -> LastPull | None:
    """The last pull of a file; None before the first."""
    row = await db.fetchrow(
        "SELECT since, etag, pulled_at FROM store_file_pull WHERE kind = $1 AND url = $2",
        kind,
        url,
    )
    return LastPull(**row) if row else None


async def upsert_last_pull(db: Executor, kind: str, url: str, pull: LastPull) -> None:
    await db.execute(
        """
        INSERT INTO store_file_pull (kind, url, since, etag, pulled_at)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (kind, url) DO UPDATE
           SET since = excluded.since, etag = excluded.etag, pulled_at = excluded.pulled_at
        """,
        kind,
        url,
        pull.since,
        pull.etag,
        pull.pulled_at,
    )
