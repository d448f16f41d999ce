"""SQL of the calendars of other sites, and of the nights that they hold."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID, uuid4

from common.db.pool import Connection, Executor
from provider.stays.models.calendars import CalendarSource, DueSource, HeldNights, Validators


async def select_calendar_tag(db: Executor, property_id: str) -> UUID | None:
    """The tag in the UIDs of a property; None without such a property."""
    return await db.fetchval("SELECT calendar_tag FROM property WHERE property_id = $1", property_id)


async def select_sources(
    db: Executor, property_id: str, *, after: str = "", limit: int, name: str | None = None
) -> list[CalendarSource]:
    """Up to `limit` sources of a property by name, after a name. name: only this one."""
    rows = await db.fetch(
        """
        SELECT property_id, name, url, total - in_conflict AS nights_off_sale, in_conflict AS nights_in_conflict,
               last_read, last_success, last_error
          FROM (
              SELECT source.*,
                     (
                         SELECT coalesce(sum(end_date - first_night), 0)::integer
                           FROM held_nights
                          WHERE held_nights.property_id = $1
                            AND source_name = source.name
                     ) AS total,
                     (
                         SELECT coalesce(sum(
                                    least(end_date, departure) - greatest(first_night, arrival)
                                ), 0)::integer
                           FROM held_nights
                           JOIN reservation
                             ON reservation.property_id = $1
                            AND cancelled_at IS NULL
                            AND arrival > first_night - 366
                            AND arrival < end_date
                            AND departure > first_night
                          WHERE held_nights.property_id = $1
                            AND source_name = source.name
                     ) AS in_conflict
                FROM calendar_source AS source
               WHERE source.property_id = $1
                 AND source.name > $2
                 AND ($3::text IS NULL OR source.name = $3)
               ORDER BY source.name
               LIMIT $4
          ) AS page
         ORDER BY name
        """,
        property_id, after, name, limit,
    )  # fmt: skip
    return [CalendarSource(**row) for row in rows]


async def count_sources(connection: Connection, property_id: str) -> int:
    return await connection.fetchval("SELECT count(*) FROM calendar_source WHERE property_id = $1", property_id)


async def update_source(connection: Connection, property_id: str, name: str, url: str) -> bool:
    """Give a source an address, and let it be read soon; False without such a source.

    Of another address nothing is known yet. The nights that are held remain until it has been read. It gets a new id,
    which is made here: on a cluster no UPDATE may call a function for it.
    """
    updated = await connection.fetchval(
        """
        UPDATE calendar_source
           SET url = $3,
               next_read = '-infinity',
               source_id = CASE WHEN url = $3 THEN source_id ELSE $4 END,
               last_read = CASE WHEN url = $3 THEN last_read END,
               last_success = CASE WHEN url = $3 THEN last_success END,
               last_error = CASE WHEN url = $3 THEN last_error END,
               etag = CASE WHEN url = $3 THEN etag END,
               last_modified = CASE WHEN url = $3 THEN last_modified END,
               content_digest = CASE WHEN url = $3 THEN content_digest END,
               content_since = CASE WHEN url = $3 THEN content_since END
         WHERE property_id = $1
           AND name = $2
        RETURNING true
        """,
        property_id, name, url, uuid4(),
    )  # fmt: skip
    return updated is not None


async def insert_source(connection: Connection, property_id: str, name: str, url: str) -> None:
    """Store a new source. The caller has locked the property."""
    await connection.execute(
        "INSERT INTO calendar_source (property_id, name, url) VALUES ($1, $2, $3)", property_id, name, url
    )


async def delete_source(db: Executor, property_id: str, name: str) -> bool:
    """Delete a source and free the nights that it holds; returns whether it existed."""
    deleted = await db.fetchval(
        "DELETE FROM calendar_source WHERE property_id = $1 AND name = $2 RETURNING true", property_id, name
    )
    return deleted is not None


async def select_due_sources(db: Executor, now: datetime, limit: int) -> list[DueSource]:
    """Up to `limit` sources that are due at a time; first those that have been due for longest.

    Those that could not be read last time come last: the sites that hang do not hold up the others.
    """
    rows = await db.fetch(
        """
        SELECT property_id, name, source_id, url, etag, last_modified, content_digest, content_since
          FROM calendar_source
         WHERE next_read <= $1
         ORDER BY last_read IS NOT NULL AND last_success IS DISTINCT FROM last_read, next_read, property_id, name
         LIMIT $2
        """,
        now, limit,
    )  # fmt: skip
    return [DueSource(*row) for row in rows]


async def select_held_by_events(connection: Connection, source: DueSource, uids: Sequence[str]) -> list[HeldNights]:
    """The nights that a source holds for these events."""
    rows = await connection.fetch(
        """
        SELECT first_night, end_date, uid
          FROM held_nights
         WHERE property_id = $1
           AND source_name = $2
           AND uid = ANY($3::text[])
        """,
        source.property_id, source.name, uids,
    )  # fmt: skip
    return [HeldNights(*row) for row in rows]


async def replace_held_nights(connection: Connection, source: DueSource, held: Sequence[HeldNights]) -> int:
    """Let a source hold these nights and no others; returns how many rows changed.

    The caller has locked the property.
    """
    return await connection.fetchval(
        "SELECT replace_held_nights($1, $2, $3, $4, $5)",
        source.property_id, source.name,
        [each.first_night for each in held], [each.end_date for each in held], [each.uid for each in held],
    )  # fmt: skip


async def update_read(
    db: Executor, source: DueSource, now: datetime, next_read: datetime, error: str | None, *, success: bool
) -> bool:
    """Note that a source was asked; False if it has been deleted or has another address by now."""
    updated = await db.fetchval(
        """
        UPDATE calendar_source
           SET last_read = $4,
               next_read = $5,
               last_error = $6,
               last_success = CASE WHEN $7 THEN $4 ELSE last_success END
         WHERE property_id = $1
           AND name = $2
           AND source_id = $3
        RETURNING true
        """,
        source.property_id, source.name, source.source_id, now, next_read, error, success,
    )  # fmt: skip
    return updated is not None


async def update_content(
    connection: Connection, source: DueSource, validators: Validators, digest: bytes | None, since: date | None
) -> None:
    """Note the validators and the digest of the content whose nights are held, and the first night that was read."""
    await connection.execute(
        """
        UPDATE calendar_source
           SET etag = $3, last_modified = $4, content_digest = $5, content_since = $6
         WHERE property_id = $1
           AND name = $2
        """,
        source.property_id, source.name, *validators, digest, since,
    )  # fmt: skip


async def update_sources_to_read_anew(connection: Connection, property_id: str) -> None:
    """Let the sources of a property be read as a whole next time, also if their documents have not changed."""
    await connection.execute("UPDATE calendar_source SET content_since = NULL WHERE property_id = $1", property_id)


async def select_source_states(db: Executor) -> dict[str, int]:
    """How many sources are `ok`, `failing` or `unread`."""
    rows = await db.fetch(
        """
        SELECT CASE
                   WHEN last_read IS NULL THEN 'unread'
                   WHEN last_error IS NULL THEN 'ok'
                   ELSE 'failing'
               END AS state,
               count(*) AS sources
          FROM calendar_source
         GROUP BY state
        """
    )
    return {row["state"]: row["sources"] for row in rows}


async def select_number_of_held_nights(db: Executor) -> int:
    """How many nights all sources hold, a night that two of them hold counted twice."""
    return await db.fetchval("SELECT coalesce(sum(end_date - first_night), 0) FROM held_nights")
