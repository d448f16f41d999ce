"""The one write of the ingestion: events into the ledger, what they change into the counters, in one transaction."""

from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import date, datetime
from hashlib import sha256
from io import BytesIO

import asyncpg
import msgspec

from common.db.pool import Connection, Executor, transaction
from common.jobs.lease import Lease
from dashboard.bookings.decoding import FeedEvent, Refused

Rows = Mapping[int, str]
"""Events in the text format of COPY by their ids, the columns in the order of FeedEvent's fields."""


class Progress(msgspec.Struct, frozen=True):
    """How far the feed has been read; see the table `feed_progress`."""

    watermark: datetime | None
    recorded_through: datetime | None
    data_through: datetime | None
    window_seconds: float
    audited_through: datetime | None


async def store_page(
    db: asyncpg.Pool,
    lease: Lease,
    rows: Rows,
    refused: Sequence[Refused],
    watermark: datetime | None,
) -> int:
    """Count the events that the ledger does not hold yet; returns how many.

    Ledger, counters, quarantine and watermark change together or not at all, and only while the lease is ours: a page
    sent twice, by two replicas, or again after a crash counts once.
    """
    async with transaction(db) as connection:
        await lease.guard(connection)
        new = await insert_rows(connection, rows) if rows else 0
        if refused:
            await upsert_quarantine(connection, refused)
        if watermark is not None:
            await update_watermark(connection, watermark)
    return new


async def insert_page(connection: Connection, events: Iterable[FeedEvent]) -> int:
    """Count the events that the ledger does not hold yet, inside the caller's transaction; returns how many."""
    return await insert_rows(connection, rows_of(events))


async def insert_rows(connection: Connection, rows: Rows) -> int:
    """Those of the rows that the ledger does not hold yet into it, and what they add up to into the counters.

    Returns how many. Writers take turns, so nothing comes in between: what is not there can be copied, which costs half
    of what an insertion with ON CONFLICT does. The primary keys stand behind it.
    """
    await lock_ledger(connection)
    held = await select_held(connection, list(rows))
    new = {event_id: row for event_id, row in rows.items() if event_id not in held} if held else rows
    if new:
        await copy_rows(connection, new)
        await count_events(connection, list(new))
    return len(new)


def rows_of(events: Iterable[FeedEvent], held: Container[int] = ()) -> Rows:
    """The rows of the events whose ids are not in `held`; of several events with one id the first counts."""
    new: dict[int, FeedEvent] = {}
    for event in events:
        if event.id not in held:
            new.setdefault(event.id, event)
    instants = _as_texts([event.event_timestamp for event in new.values()])
    nights = _as_texts([event.night_of_stay for event in new.values()])
    return {
        event.id: f"{event.id}\t{event.hotel_id}\t{instant}\t{event.status}\t{_as_text(event.room_id)}\t{night}\n"
        for event, instant, night in zip(new.values(), instants, nights, strict=True)
    }


def _as_texts(values: Sequence[date]) -> list[str]:
    """Instants or dates as ISO 8601 has them; msgspec writes a list of them ten times as fast as str() each."""
    return msgspec.json.encode(values)[2:-2].decode().split('","') if values else []


def _as_text(room_id: int | str) -> int | str:
    return room_id if isinstance(room_id, int) else room_id.translate(_ESCAPES)


_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


async def lock_ledger(db: Executor) -> None:
    """Wait until no other transaction adds to the ledger, and keep others waiting until the end of this one.

    In the turn a page meets large tables by their keys, while their statistics lag behind: only an index serves.
    """
    await db.execute(
        """
        SELECT set_config(name, 'off', true)
          FROM feed_progress, unnest(ARRAY['enable_seqscan', 'enable_hashjoin', 'enable_mergejoin']) AS name
           FOR UPDATE OF feed_progress
        """
    )


async def select_held(db: Executor, ids: Sequence[int]) -> set[int]:
    """Which of the ids the ledger holds."""
    rows = await db.fetch("SELECT id FROM ledger_event WHERE id = ANY($1::bigint[])", ids)
    return {row["id"] for row in rows}


async def copy_rows(connection: Connection, rows: Rows) -> None:
    """Rows whose ids the ledger does not hold."""
    text = BytesIO("".join(rows.values()).encode())
    await connection.copy_to_table("ledger_event", source=text, columns=FeedEvent.__struct_fields__)


async def count_events(db: Executor, ids: Sequence[int]) -> None:
    """Add to the counters what these events of the ledger add up to."""
    await db.execute(
        """
        WITH night AS MATERIALIZED (
            SELECT hotel_id, night_of_stay, (event_timestamp AT TIME ZONE 'UTC')::date AS event_date,
                   count(*) FILTER (WHERE status = 1) AS bookings,
                   count(*) FILTER (WHERE status = 2) AS cancellations,
                   max(event_timestamp) AS last_event_timestamp
              FROM ledger_event
             WHERE id = ANY($1::bigint[])
             GROUP BY 1, 2, 3
             ORDER BY 1, 2, 3
        ), into_hotel AS (
            INSERT INTO hotel_summary (hotel_id, events, first_night, last_night, last_event_timestamp)
            SELECT hotel_id, sum(bookings + cancellations), min(night_of_stay), max(night_of_stay),
                   max(last_event_timestamp)
              FROM night
             GROUP BY hotel_id
            ON CONFLICT (hotel_id) DO UPDATE
               SET events = hotel_summary.events + excluded.events,
                   first_night = least(hotel_summary.first_night, excluded.first_night),
                   last_night = greatest(hotel_summary.last_night, excluded.last_night),
                   last_event_timestamp = greatest(hotel_summary.last_event_timestamp, excluded.last_event_timestamp)
        ), into_night AS (
            MERGE INTO night_counter AS kept
            USING night ON kept.hotel_id = night.hotel_id
                       AND kept.night_of_stay = night.night_of_stay
                       AND kept.event_date = night.event_date
             WHEN MATCHED THEN
                  UPDATE SET bookings = kept.bookings + night.bookings,
                             cancellations = kept.cancellations + night.cancellations
             WHEN NOT MATCHED THEN
                  INSERT (hotel_id, night_of_stay, event_date, bookings, cancellations)
                  VALUES (night.hotel_id, night_of_stay, event_date, night.bookings, night.cancellations)
        )
        MERGE INTO day_counter AS kept
        USING (SELECT hotel_id, false AS by_event_date, night_of_stay AS day,
                      sum(bookings) AS bookings, sum(cancellations) AS cancellations
                 FROM night
                GROUP BY hotel_id, night_of_stay
                UNION ALL
               SELECT hotel_id, true, event_date, sum(bookings), sum(cancellations)
                 FROM night
                GROUP BY hotel_id, event_date) AS day
           ON kept.hotel_id = day.hotel_id AND kept.by_event_date = day.by_event_date AND kept.day = day.day
         WHEN MATCHED THEN
              UPDATE SET bookings = kept.bookings + day.bookings,
                         cancellations = kept.cancellations + day.cancellations
         WHEN NOT MATCHED THEN
              INSERT (hotel_id, by_event_date, day, bookings, cancellations)
              VALUES (day.hotel_id, day.by_event_date, day.day, day.bookings, day.cancellations)
        """,
        ids,
    )


async def upsert_quarantine(db: Executor, refused: Sequence[Refused]) -> None:
    """Set aside what is no event; the same thing again is counted, not kept twice."""
    by_mark = {sha256(f"{each.reason}\n{each.raw}".encode()).digest(): each for each in refused}
    await db.execute(
        """
        INSERT INTO quarantined_event AS kept (fingerprint, reason, raw)
        SELECT * FROM unnest($1::bytea[], $2::text[], $3::text[]) AS refused (fingerprint, reason, raw)
         ORDER BY fingerprint
        ON CONFLICT (fingerprint) DO UPDATE
           SET last_seen = now(), times = kept.times + 1
        """,
        list(by_mark),
        [each.reason for each in by_mark.values()],
        [each.raw for each in by_mark.values()],
    )


async def update_watermark(db: Executor, watermark: datetime) -> None:
    """Move the watermark forward; until all has been read once, it is also how far the counters show the feed."""
    await db.execute(
        """
        UPDATE feed_progress
           SET watermark = greatest(watermark, least($1, now())),
               data_through = CASE
                   WHEN data_through IS NULL OR data_through = watermark THEN greatest(watermark, least($1, now()))
                   ELSE data_through
               END
        """,
        watermark,
    )


async def select_progress(db: Executor) -> Progress:
    row = await db.fetchrow(
        "SELECT watermark, recorded_through, data_through, window_seconds, audited_through FROM feed_progress"
    )
    assert row is not None
    return Progress(**row)


async def update_recorded_through(db: Executor, recorded_through: datetime) -> None:
    """Everything that the provider had stored before has been read; its clock may be put right, back too."""
    await db.execute("UPDATE feed_progress SET recorded_through = $1", recorded_through)


async def update_data_through(db: Executor, data_through: datetime) -> None:
    """The counters show the feed as it was at this moment, or now where the provider's clock is ahead of ours."""
    await db.execute("UPDATE feed_progress SET data_through = greatest(data_through, least($1, now()))", data_through)


async def update_window(db: Executor, seconds: float) -> None:
    await db.execute("UPDATE feed_progress SET window_seconds = $1", seconds)


async def update_audited_through(db: Executor, audited_through: datetime | None) -> None:
    await db.execute("UPDATE feed_progress SET audited_through = $1", audited_through)


async def select_changed(db: Executor, events: Sequence[FeedEvent]) -> list[int]:
    """Ids that the ledger holds with another content than these events have."""
    rows = await db.fetch(
        """
        SELECT id
          FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::smallint[], $5::text[], $6::date[])
            AS page (id, hotel_id, event_timestamp, status, room_id, night_of_stay)
          JOIN ledger_event AS kept USING (id)
         WHERE (page.hotel_id, page.event_timestamp, page.status, page.room_id, page.night_of_stay)
            <> (kept.hotel_id, kept.event_timestamp, kept.status, kept.room_id, kept.night_of_stay)
        """,
        [event.id for event in events],
        [event.hotel_id for event in events],
        [event.event_timestamp for event in events],
        [event.status for event in events],
        [str(event.room_id) for event in events],
        [event.night_of_stay for event in events],
    )
    return [row["id"] for row in rows]
