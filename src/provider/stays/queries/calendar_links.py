"""SQL of the calendars that other sites read, and of the addresses at which they do."""

from datetime import date, datetime
from uuid import UUID

from common.db.pool import Connection, Executor
from provider.stays.inputs.calendars import CalendarLinkInput
from provider.stays.models.calendars import CalendarLink, ReadLink, ShownNights

_COLUMNS = "link_id, property_id, name, without_source, uuid_extract_timestamp(link_id) AS created_at, last_read"


async def insert_link(
    connection: Connection, property_id: str, new: CalendarLinkInput, token_digest: bytes, most: int
) -> CalendarLink | None:
    """Store a new link; None when the property has as many as `most`. The caller has checked that it exists."""
    row = await connection.fetchrow(
        f"""
        INSERT INTO calendar_link (property_id, name, without_source, token_digest)
        SELECT $1, $2, $3, $4
         WHERE (SELECT count(*) FROM calendar_link WHERE property_id = $1) < $5
        RETURNING {_COLUMNS}
        """,  # noqa: S608 - only the literal above
        property_id, new.name, new.without_source, token_digest, most,
    )  # fmt: skip
    return None if row is None else CalendarLink(**row)


async def select_links(db: Executor, property_id: str, after: UUID, limit: int) -> list[CalendarLink]:
    """Up to `limit` links of a property, in the order in which they were made, after a link."""
    rows = await db.fetch(
        f"""
        SELECT {_COLUMNS}
          FROM calendar_link
         WHERE property_id = $1
           AND link_id > $2
         ORDER BY link_id
         LIMIT $3
        """,  # noqa: S608 - only the literal above
        property_id, after, limit,
    )  # fmt: skip
    return [CalendarLink(**row) for row in rows]


async def delete_link(db: Executor, property_id: str, link_id: UUID) -> bool:
    """Revoke a link; returns whether it existed."""
    deleted = await db.fetchval(
        "DELETE FROM calendar_link WHERE property_id = $1 AND link_id = $2 RETURNING true", property_id, link_id
    )
    return deleted is not None


async def select_link(db: Executor, token_digest: bytes) -> ReadLink | None:
    """The link of a token; None when it is unknown or revoked."""
    row = await db.fetchrow(
        "SELECT property_id, link_id, without_source FROM calendar_link WHERE token_digest = $1", token_digest
    )
    return None if row is None else ReadLink(*row)


async def update_link_read(db: Executor, link: ReadLink, content_digest: bytes, now: datetime) -> datetime | None:
    """Note that the link was read with this content; returns the Last-Modified of it, None if the link is revoked.

    The same content that is read several times within a minute is noted once. Each content is later than the one
    before by a whole second at least, since Last-Modified has no fractions.
    """
    await db.execute(
        """
        UPDATE calendar_link
           SET last_read = $4,
               content_digest = $3,
               content_modified = CASE
                   WHEN content_digest = $3 THEN content_modified
                   -- Without time zones, in UTC: a cluster refuses functions here that depend on that of the session.
                   ELSE date_trunc('second', greatest(
                            $4::timestamptz AT TIME ZONE 'UTC',
                            content_modified AT TIME ZONE 'UTC' + interval '1 second'
                        )) AT TIME ZONE 'UTC'
               END
         WHERE property_id = $1
           AND link_id = $2
           AND (content_digest IS DISTINCT FROM $3 OR last_read < $4::timestamptz - interval '1 minute')
        """,
        link.property_id, link.link_id, content_digest, now,
    )  # fmt: skip
    return await db.fetchval(
        "SELECT content_modified FROM calendar_link WHERE property_id = $1 AND link_id = $2",
        link.property_id, link.link_id,
    )  # fmt: skip


async def select_calendar_owner(db: Executor, property_id: str) -> tuple[str, UUID] | None:
    """The description of a property and the tag of its UIDs; None without such a property."""
    row = await db.fetchrow("SELECT description, calendar_tag FROM property WHERE property_id = $1", property_id)
    return None if row is None else (row["description"], row["calendar_tag"])


async def select_shown_nights(
    db: Executor, property_id: str, since: date, without_source: str | None
) -> list[ShownNights]:
    """The nights of a property since a day that cannot be sold, without those that one source holds."""
    rows = await db.fetch(
        "SELECT kind, origin, first_night, end_date, uid FROM shown_nights($1, $2, $3)",
        property_id, since, without_source,
    )  # fmt: skip
    return [ShownNights(*row) for row in rows]
