"""SQL of the feed. `body` is the JSON of an event, rendered when it was stored."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any, Literal

import msgspec

from common.db.copy import await_copy
from common.db.pool import Connection, Executor
from provider.booking_events.inputs import EventsQuery
from provider.booking_events.models import COLUMNS, FeedTotals, FoundLines, NewEvent, Position, StagedRow

FeedFormat = Literal["json", "csv"]

LINE_EXPRESSIONS: dict[FeedFormat, str] = {
    "json": "body",
    "csv": "concat_ws(',', id, hotel_id, rfc3339(event_timestamp), status, room_id, night_of_stay)",
}
MAX_COUNTED_EVENTS = 10_000
"""A feed of fewer events is counted; PostgreSQL has no estimate yet for a new table."""

CSV_HEADER = b"id,hotel_id,event_timestamp,status,room_id,night_of_stay\n"

MAX_READ_EVENTS = 20_000
"""How many events in the order of the feed a page reads at most, so that no filter makes it slow."""

MAX_READ_EVENTS_OF_A_HOTEL = 1_000
"""The same for one hotel, whose events are on as many pages of the table; each may have to come from the disk."""

MAX_FEW_EVENTS = 10_000
"""How many events in any order a page reads and sorts at most; each may be on another page of the table."""

# The feed is read in the order of an index; these filters are ranges of that index.
_RANGE_FILTERS = {
    "hotel_id": "hotel_id = {}::bigint",
    "updated__gte": "event_timestamp >= {}::timestamptz",
    "updated__lte": "event_timestamp <= {}::timestamptz",
}
_RECORDED_FILTERS = {
    "recorded__gte": "recorded_at >= {}::timestamptz",
    "recorded__lte": "recorded_at <= {}::timestamptz",
}
_OTHER_FILTERS = {
    "rpg_status": "status = {}::smallint",
    "room_id": "lower(room_id) = lower({}::text)",
    "night_of_stay__gte": "night_of_stay >= {}::date",
    "night_of_stay__lte": "night_of_stay <= {}::date",
    **_RECORDED_FILTERS,
}
_FILTERS = {**_RANGE_FILTERS, **_OTHER_FILTERS}


class _Conditions:
    """The conditions of a query, and the arguments of the statement in which they stand."""

    def __init__(self, query: EventsQuery, after: Position | None = None) -> None:
        """after: the position of the last event already read."""
        self.query = query
        self.after = after
        self.arguments: list[Any] = []

    def add(self, argument: Any) -> str:
        """The placeholder of an argument."""
        self.arguments.append(argument)
        return f"${len(self.arguments)}"

    def where(self, filters: Mapping[str, str]) -> str:
        """The WHERE clause of the given filters and, with filters of a range, of the position."""
        found = [(condition, getattr(self.query, name)) for name, condition in filters.items()]
        conditions = [condition.format(self.add(value)) for condition, value in found if value is not None]
        if self.after is not None and "updated__gte" in filters:
            at, event_id = map(self.add, self.after)
            conditions.append(f"(event_timestamp, id) > ({at}::timestamptz, {event_id}::bigint)")
        return f"WHERE {' AND '.join(conditions)}" if conditions else ""


def is_filtered(query: EventsQuery) -> bool:
    """Whether the query has filters that are not ranges of the order of the feed."""
    return any(getattr(query, name) is not None for name in _OTHER_FILTERS)


def feed_statement(query: EventsQuery, form: FeedFormat, after: Position | None) -> tuple[str, list[Any]]:
    """The statement that selects from the feed in its order, and its arguments: line, event_timestamp, id.

    Built from the pieces above, because with `$1 IS NULL OR …` the planner would not use the index on the hotel.
    """
    conditions = _Conditions(query, after)
    return (
        f"SELECT {LINE_EXPRESSIONS[form]} AS line, event_timestamp, id"  # noqa: S608 - built from the literals above
        f" FROM booking_event {conditions.where(_FILTERS)} ORDER BY event_timestamp, id",
        conditions.arguments,
    )


@dataclass(frozen=True)
class LineReader:
    """Reads lines of the feed. is_distributed: whether it is spread over the nodes of a cluster."""

    db: Executor
    is_distributed: bool

    async def fetch(self, statement: str, arguments: Sequence[Any], limit: int) -> FoundLines:
        """Up to `limit` lines of a statement that selects line, event_timestamp and id of one event more.

        PostgreSQL joins them: a record of each would take the driver more time than everything else that a page takes.
        A cluster joins them slower than the driver reads them.
        """
        if self.is_distributed:
            rows = await self.db.fetch(statement, *arguments, limit)
            shown = rows[:limit]
            last = (shown[-1]["event_timestamp"], shown[-1]["id"]) if shown else None
            lines = "".join([f"{row['line']}\n" for row in shown])
            return FoundLines(lines.encode(), last, has_more=len(rows) > limit)
        order = "ORDER BY event_timestamp, id"
        last_of_page = f"[least(count(*), ${len(arguments) + 1}::bigint)]"
        row = await self.db.fetchrow(
            f"SELECT string_agg(line, E'\\n' {order}) AS lines, count(*) AS count,"  # noqa: S608 - built from the literals above
            f" (array_agg(event_timestamp {order})){last_of_page} AS last_timestamp,"
            f" (array_agg(id {order})){last_of_page} AS last_id FROM ({statement}) AS found",
            *arguments,
            limit,
        )
        assert row is not None
        if not row["count"]:
            return FoundLines(b"", None, has_more=False)
        text: str = row["lines"]
        if has_more := row["count"] > limit:
            text = text[: text.rindex("\n")]
        return FoundLines(f"{text}\n".encode(), (row["last_timestamp"], row["last_id"]), has_more)


async def select_page(
    reader: LineReader, query: EventsQuery, form: FeedFormat, after: Position | None, limit: int
) -> FoundLines:
    """Up to `limit` events after a position. The query has filters of ranges only."""
    statement, arguments = feed_statement(query, form, after)
    return await reader.fetch(f"{statement} LIMIT ${len(arguments) + 1}::bigint + 1", arguments, limit)


async def select_few(
    reader: LineReader, query: EventsQuery, form: FeedFormat, after: Position | None, limit: int
) -> FoundLines:
    """Like `select_page`, of a query that few events match: all of them are read, then sorted."""
    statement, arguments = feed_statement(query, form, after)
    statement = statement.removesuffix(" ORDER BY event_timestamp, id")
    return await reader.fetch(
        f"WITH few AS MATERIALIZED ({statement})"  # noqa: S608 - built from the literals above
        " SELECT line, event_timestamp, id FROM few ORDER BY event_timestamp, id"
        f" LIMIT ${len(arguments) + 1}::bigint + 1",
        arguments,
        limit,
    )


def max_read_events(query: EventsQuery) -> int:
    """How many events a page of this query reads at most, to find those that its further filters select."""
    return MAX_READ_EVENTS if query.hotel_id is None else MAX_READ_EVENTS_OF_A_HOTEL


async def select_filtered_page(
    reader: LineReader, query: EventsQuery, form: FeedFormat, after: Position | None, limit: int
) -> FoundLines:
    """Like `select_page`, of any query, but only among the next `max_read_events` events of its ranges."""
    conditions = _Conditions(query, after)
    ranges = conditions.where(_RANGE_FILTERS)
    most = conditions.add(max_read_events(query))
    others = conditions.where(_OTHER_FILTERS)
    statement = (
        f"SELECT {LINE_EXPRESSIONS[form]} AS line, event_timestamp, id"  # noqa: S608 - built from the literals above
        f" FROM (SELECT * FROM booking_event {ranges} ORDER BY event_timestamp, id LIMIT {most}::bigint) AS read"
        f" {others} ORDER BY event_timestamp, id LIMIT ${len(conditions.arguments) + 1}::bigint + 1"
    )
    return await reader.fetch(statement, conditions.arguments, limit)


async def select_end_of_filtered_page(db: Executor, query: EventsQuery, after: Position | None) -> Position | None:
    """The position of the last event that `select_filtered_page` reads; None when it reads all of its ranges."""
    conditions = _Conditions(query, after)
    row = await db.fetchrow(
        f"SELECT event_timestamp, id FROM booking_event {conditions.where(_RANGE_FILTERS)}"  # noqa: S608 - built from literals
        f" ORDER BY event_timestamp, id OFFSET {conditions.add(max_read_events(query) - 1)}::bigint LIMIT 1",
        *conditions.arguments,
    )
    return None if row is None else (row["event_timestamp"], row["id"])


async def are_few(db: Executor, query: EventsQuery) -> bool:
    """Whether the query has bounds of the recorded time, within which are at most MAX_FEW_EVENTS events."""
    conditions = _Conditions(query)
    where = conditions.where(_RECORDED_FILTERS)
    if not where:
        return False
    counted: int = await db.fetchval(
        f"SELECT count(*) FROM (SELECT 1 FROM booking_event {where}"  # noqa: S608 - built from the literals above
        f" LIMIT {conditions.add(MAX_FEW_EVENTS + 1)}::bigint) AS recorded",
        *conditions.arguments,
    )
    return counted <= MAX_FEW_EVENTS


async def copy_feed(
    connection: Connection,
    query: EventsQuery,
    form: FeedFormat,
    after: Position | None,
    output: Callable[[bytes], Coroutine[Any, Any, None]],
) -> int:
    """Write all events after a position to `output`, one per line, as fast as it accepts them; returns how many."""
    conditions = _Conditions(query, after)
    # Not from a subquery in this order: a cluster would not keep it.
    statement = (
        f"SELECT {LINE_EXPRESSIONS[form]} FROM booking_event {conditions.where(_FILTERS)}"  # noqa: S608 - built from the literals above
        " ORDER BY event_timestamp, id"
    )
    status = await connection.copy_from_query(statement, *conditions.arguments, output=output)
    return int(status.split()[-1])


async def select_span(db: Executor, query: EventsQuery, after: Position | None) -> tuple[datetime, datetime] | None:
    """The first and the last time of the events in the ranges of a query after a position; None without any."""
    conditions = _Conditions(query, after)
    row = await db.fetchrow(
        f"SELECT min(event_timestamp), max(event_timestamp) FROM booking_event {conditions.where(_RANGE_FILTERS)}",  # noqa: S608 - built from literals
        *conditions.arguments,
    )
    return None if row is None or row[0] is None else tuple(row)


async def select_event(db: Executor, event_id: int) -> str | None:
    """The JSON of the event; None when it does not exist."""
    return await db.fetchval("SELECT body FROM booking_event WHERE id = $1", event_id)


async def select_stored_events(db: Executor, ids: Sequence[int]) -> dict[int, tuple[NewEvent, str]]:
    """The stored events of the given ids, each with its JSON."""
    rows = await db.fetch(
        """
        SELECT id, hotel_id, event_timestamp, status, room_id, night_of_stay, body
          FROM booking_event
         WHERE id = ANY($1::bigint[])
        """,
        ids,
    )
    return {row["id"]: (NewEvent(*tuple(row)[:6]), row["body"]) for row in rows}


async def insert_events(db: Executor, events: Sequence[NewEvent]) -> dict[int, str]:
    """Store the events whose ids are new; returns the JSON of each that was stored, by id.

    The first of several events with the same id is stored. All writers insert in id order to avoid deadlocks.
    """
    ordered = sorted(events, key=attrgetter("id"))
    columns = zip(*map(msgspec.structs.astuple, ordered), strict=True)
    rows = await db.fetch(
        """
        SELECT stored_id, stored_body
          FROM store_events(
              $1::bigint[], $2::bigint[], $3::timestamptz[], $4::smallint[], $5::text[], $6::date[], $7::boolean[]
          )
        """,
        *columns,
    )
    return dict(map(tuple, rows))


async def insert_events_of_node(db: Executor, events: Sequence[NewEvent]) -> dict[int, str]:
    """Like `insert_events`, in a transaction of its own, on a cluster: goes to the node alone that has all of the ids.

    Raises SerializationError, and stores nothing, when a hotel has rooms whose events must be noted.
    """
    ordered = sorted(events, key=attrgetter("id"))
    columns = [(e.id, e.hotel_id, e.event_timestamp, e.status, e.room_id, e.night_of_stay) for e in ordered]
    rows = [
        f"(${n}::bigint, ${n + 1}::bigint, ${n + 2}::timestamptz, ${n + 3}::smallint, ${n + 4}, ${n + 5}::date,"
        f" {'share_unwatched_hotels($1)' if n == 2 else 'false'})"
        for n in range(2, 2 + 6 * len(ordered), 6)
    ]
    stored = await db.fetch(
        "INSERT INTO booking_event (id, hotel_id, event_timestamp, status, room_id, night_of_stay, by_storefront)"  # noqa: S608 - built from the literals above
        f" VALUES {', '.join(rows)} ON CONFLICT (id) DO NOTHING RETURNING id, body",
        list({event.hotel_id for event in ordered}),
        *(value for row in columns for value in row),
    )
    return dict(map(tuple, stored))


async def select_new_ids(db: Executor, count: int, *, by_node: bool = False) -> list[int]:
    """Draw up to `count` ids that no event has; fewer if clients have stored events under some of them.

    by_node: on a cluster, those that one node stores follow one another.
    """
    return await db.fetchval("SELECT draw_event_ids($1, $2)", count, by_node)


async def select_totals(db: Executor) -> FeedTotals:
    """The size of the feed, estimated by the planner once it is large: counting would read the whole table."""
    row = await db.fetchrow(
        """
        SELECT greatest(
                   estimated_events(),
                   (SELECT count(*) FROM (SELECT 1 FROM booking_event LIMIT $1) AS first_events)
               ) AS events,
               (SELECT max(event_timestamp) FROM booking_event) AS newest,
               (SELECT count(*) FROM booking_event WHERE recorded_at > now() - interval '1 minute') AS last_minute
        """,
        MAX_COUNTED_EVENTS,
    )
    assert row is not None
    return FeedTotals(**row)


async def select_about_events(db: Executor) -> int | None:
    """About how many events the feed has; few are counted. None while PostgreSQL has no estimate of many."""
    return await db.fetchval(
        """
        SELECT CASE
                   WHEN counted < $1 THEN counted
                   WHEN estimated_events() >= $1 THEN estimated_events()
               END
          FROM (SELECT count(*) AS counted FROM (SELECT 1 FROM booking_event LIMIT $1) AS first_events) AS few
        """,
        MAX_COUNTED_EVENTS,
    )


async def select_latest(db: Executor, count: int) -> list[NewEvent]:
    """The latest events by their own time, latest first."""
    rows = await db.fetch(
        """
        SELECT id, hotel_id, event_timestamp, status, room_id, night_of_stay
          FROM booking_event
         ORDER BY event_timestamp DESC, id DESC
         LIMIT $1
        """,
        count,
    )
    return [NewEvent(**row) for row in rows]


async def select_last_hotel(db: Executor) -> int | None:
    """The largest hotel id of the feed; None when it is empty."""
    return await db.fetchval("SELECT max(hotel_id) FROM booking_event")


async def lock_feed(connection: Connection) -> None:
    """Let nobody else store events until the transaction ends; the feed can be read meanwhile."""
    await connection.execute("LOCK TABLE booking_event IN SHARE ROW EXCLUSIVE MODE")


async def analyze_feed(connection: Connection) -> None:
    """Renew the planner's statistics, by which the number of events is estimated."""
    await connection.execute("ANALYZE booking_event")


async def copy_events(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Store rows of COLUMNS. Raises UniqueViolationError, and stores none, when one of the ids is taken."""
    await await_copy(connection, connection.copy_records_to_table("booking_event", records=rows, columns=COLUMNS))


async def copy_recorded_events(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Store rows of COLUMNS, each with the time at which the feed recorded it."""
    columns = [*COLUMNS, "recorded_at"]
    await await_copy(connection, connection.copy_records_to_table("booking_event", records=rows, columns=columns))


async def create_staging(connection: Connection) -> None:
    """Create a temporary table for this transaction."""
    await connection.execute(
        """
        CREATE TEMPORARY TABLE staged_event (
            line bigint, id bigint, hotel_id bigint, event_timestamp timestamptz, status smallint, room_id text,
            night_of_stay date
        ) ON COMMIT DROP
        """
    )


async def select_count_of_new(connection: Connection) -> int:
    """How many of the staged ids are not stored."""
    return await connection.fetchval(
        """
        SELECT (SELECT count(DISTINCT id) FROM staged_event)
               - (SELECT count(*) FROM booking_event WHERE id IN (SELECT id FROM staged_event))
        """
    )


async def select_checked_clashes(connection: Connection) -> list[int]:
    """The lines whose id is stored, or stands in an earlier line, with different content."""
    rows = await connection.fetch(
        """
        WITH kept AS (
            SELECT DISTINCT ON (id) id, hotel_id, event_timestamp, status, room_id, night_of_stay
              FROM (
                SELECT 0 AS line, id, hotel_id, event_timestamp, status, room_id, night_of_stay
                  FROM booking_event
                 WHERE id IN (SELECT id FROM staged_event)
                UNION ALL
                SELECT line, id, hotel_id, event_timestamp, status, room_id, night_of_stay
                  FROM staged_event
              ) AS given
             ORDER BY id, line
        )
        SELECT line
          FROM staged_event AS staged
          JOIN kept USING (id)
         WHERE (staged.hotel_id, staged.event_timestamp, staged.status, lower(staged.room_id), staged.night_of_stay)
            <> (kept.hotel_id, kept.event_timestamp, kept.status, lower(kept.room_id), kept.night_of_stay)
         ORDER BY line
        """
    )
    return [row["line"] for row in rows]


async def copy_to_staging(connection: Connection, rows: Sequence[StagedRow]) -> None:
    await await_copy(connection, connection.copy_records_to_table("staged_event", records=rows))


async def insert_staged(connection: Connection) -> int:
    """Store the staged events whose ids are new; returns how many."""
    return await connection.fetchval("SELECT store_staged_events()")


async def select_staged_clashes(connection: Connection) -> list[int]:
    """The lines whose id is stored with different content."""
    rows = await connection.fetch(
        """
        SELECT line
          FROM staged_event AS staged
          JOIN booking_event AS stored USING (id)
         WHERE (staged.hotel_id, staged.event_timestamp, staged.status, lower(staged.room_id), staged.night_of_stay)
            <> (stored.hotel_id, stored.event_timestamp, stored.status, lower(stored.room_id), stored.night_of_stay)
         ORDER BY line
        """
    )
    return [row["line"] for row in rows]
