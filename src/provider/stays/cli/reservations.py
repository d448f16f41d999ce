"""Stores the reservations of a file, with the events of hotels' rooms, and says why others were not stored."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from uuid import UUID

import asyncpg

from common.csv_import import ImportResult, RejectedLine
from common.limits import LATEST_NIGHT
from provider.hotel_rooms import BOOKING
from provider.stays.cli.rows import CHUNK_ROWS, Row
from provider.stays.models.reservations import ImportedStay, Refusal
from provider.stays.queries import imports as queries
from provider.stays.queries.properties import share_room_events
from provider.stays.service.feed_events import AppendEvents, night_events

CHUNK_NIGHTS = 20_000
"""Nights of a transaction, each of which may become an event; then it ends even before CHUNK_ROWS rows."""


async def import_reservations(
    connection: asyncpg.Connection, rows: Iterator[Row], result: ImportResult, append: AppendEvents
) -> None:
    """Store the reservations of rows in chunks, each in a transaction of its own; say why others are not stored."""
    lines: dict[UUID | None, int] = {}  # of the file, by the reservation that each became
    for chunk in chunks_by_nights(rows):
        possible = []
        for row in chunk:
            line, _, arrival, nights = row
            if arrival + timedelta(days=nights - 1) > LATEST_NIGHT:
                result.rejected.append(RejectedLine(line, f"ends after the night of {LATEST_NIGHT}"))
            else:
                possible.append(row)
        stays = await store_reservations(connection, possible, append)
        result.stored += len(stays)
        lines.update((stay.reservation_id, stay.line) for stay in stays)
        stored = {stay.line for stay in stays}
        unstored = [row for row in possible if row[0] not in stored]
        for refusal in await queries.select_refusals(connection, unstored) if unstored else []:
            reason = reason_of(refusal, lines.get(refusal.reservation_id))
            if reason is None:
                result.already_stored += 1
            else:
                result.rejected.append(RejectedLine(refusal.line, reason))


def chunks_by_nights(rows: Iterator[Row]) -> Iterator[list[Row]]:
    """Chunks of at most CHUNK_ROWS rows, each ended by the row with which it exceeds CHUNK_NIGHTS nights."""
    chunk: list[Row] = []
    nights = 0
    for row in rows:
        chunk.append(row)
        nights += row[3]
        if len(chunk) == CHUNK_ROWS or nights > CHUNK_NIGHTS:
            yield chunk
            chunk, nights = [], 0
    if chunk:
        yield chunk


async def store_reservations(
    connection: asyncpg.Connection, rows: Sequence[Row], append: AppendEvents
) -> list[ImportedStay]:
    """Store the rows whose nights are free, with the events of hotels' rooms, and return them."""
    async with connection.transaction():
        await share_room_events(connection)
        stored = await queries.insert_reservations(connection, rows)
        linked = [stay for stay in stored if stay.hotel_id is not None]
        await append(connection, [event for stay in linked for event in night_events(stay, BOOKING)])
    return stored


def reason_of(refusal: Refusal, stored_line: int | None) -> str | None:
    """Why a row was not stored; None when it was imported earlier.

    stored_line: the line of the same file that the stay in its way was; None if it was none.
    """
    if not refusal.is_property_known:
        return "property_id is unknown"
    if refusal.arrival is None:
        if refusal.booked_night is not None:
            return f"the feed of the hotel has the night of {refusal.booked_night} as booked"
        if refusal.blocked_night is not None:
            return f"the night of {refusal.blocked_night} is blocked or held by another site"
        return "its nights were taken for a moment; import the file again"
    if refusal.is_imported:
        return None if stored_line is None else f"is the same as line {stored_line}"
    stay = f"the stay from {refusal.arrival} to {refusal.departure}"
    if refusal.is_online:
        stay += ", which a guest has reserved online"
    if refusal.is_overlapping:
        return f"overlaps {stay}"
    return f"is within the turnover ({refusal.turnover_days} days) of {stay}"
