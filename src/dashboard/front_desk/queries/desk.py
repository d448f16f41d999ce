"""SQL of the page: whether it is old, its totals, the day by table, and who has a table when an order asks for it."""

from collections.abc import Sequence
from datetime import date, datetime

import asyncpg

from common.db.pool import Executor
from dashboard.front_desk.models import DayOrder, DeskMark, DeskTable, DeskTotals, Overlap, TakenTable


async def select_desk_mark(db: Executor, since: datetime) -> DeskMark:
    """What changes when any order changes. since: the changes that are counted one by one."""
    row = await db.fetchrow(
        """
        SELECT (SELECT max(id) FROM front_desk_order) AS newest,
               (SELECT max(updated_at) FROM front_desk_order) AS updated_at,
               count(*) AS recent,
               coalesce(sum(extract(epoch FROM updated_at)), 0) AS checksum
          FROM front_desk_order
         WHERE updated_at > $1
        """,
        since,
    )
    assert row is not None
    return DeskMark(*row)


async def select_desk_totals(db: Executor, now: datetime) -> DeskTotals:
    """How many orders wait, since when the last of them, and how many decisions are on their way to the restaurant."""
    row = await db.fetchrow(
        """
        SELECT count(*) AS waiting,
               max(changed_at) AS newest,
               (SELECT count(*) FROM front_desk_order WHERE decision IS NOT NULL AND NOT delivered) AS undelivered
          FROM front_desk_order
         WHERE status = 'waiting' AND (ends_at IS NULL OR ends_at > $1)
        """,
        now,
    )
    assert row is not None
    return DeskTotals(*row)


async def select_newest_zone(db: Executor) -> str | None:
    """The time zone of the restaurant by its newest order; None without one."""
    return await db.fetchval("SELECT timezone FROM front_desk_order ORDER BY id DESC LIMIT 1")


async def select_tables(db: Executor, since: datetime) -> list[DeskTable]:
    """The tables that were ordered since an instant, as the newest order for each describes it."""
    rows = await db.fetch(
        """
        WITH RECURSIVE newest AS (
            (SELECT table_id, table_type, seats, received_at
               FROM front_desk_order
              ORDER BY table_id DESC, id DESC
              LIMIT 1)
            UNION ALL
            SELECT following.*
              FROM newest
             CROSS JOIN LATERAL (
                SELECT table_id, table_type, seats, received_at
                  FROM front_desk_order
                 WHERE table_id < newest.table_id
                 ORDER BY table_id DESC, id DESC
                 LIMIT 1
             ) AS following
        )
        SELECT table_id, table_type, seats FROM newest WHERE received_at > $1 ORDER BY table_id
        """,
        since,
    )
    return [DeskTable(**row) for row in rows]


async def select_day(
    db: Executor,
    day: date,
    begins_at: datetime,
    ends_at: datetime,
    after: tuple[datetime, int] | None,
    limit: int,
    lasts_beyond: datetime | None = None,
) -> list[DayOrder]:
    """The waiting and confirmed orders of a day, and earlier ones that last beyond its beginning, by start.

    begins_at, ends_at: the day by the clocks of the restaurant. after: the start and the id of the last order before.
    lasts_beyond: without the orders whose time has passed then.
    """
    after_start, after_id = after or (None, None)
    rows = await db.fetch(
        """
        WITH found AS MATERIALIZED (
            SELECT id, status, table_id, table_type, seats, name, email, phone, guests, starts_at, ends_at, minutes,
                   timezone, day, notes, CASE WHEN decision IS NOT NULL THEN delivered END AS delivered
              FROM front_desk_order
             WHERE status IN ('waiting', 'confirmed') AND starts_at IS NOT NULL
               AND (day = $1 OR (day < $1 AND tstzrange(starts_at, ends_at) && tstzrange($2, $3)))
               AND ($4::timestamptz IS NULL OR (starts_at, id) > ($4, $5::bigint))
               AND ($7::timestamptz IS NULL OR ends_at > $7)
             ORDER BY starts_at, id
             LIMIT $6
        ), held AS MATERIALIZED (
            SELECT table_id, id, starts_at, ends_at
              FROM front_desk_order
             WHERE status IN ('waiting', 'confirmed') AND starts_at IS NOT NULL AND status = 'confirmed'
               AND tstzrange(starts_at, ends_at) && (SELECT tstzrange(min(starts_at), max(ends_at)) FROM found)
        )
        SELECT found.*, other.id AS other_id, other.starts_at AS other_start, other.ends_at AS other_end
          FROM found
          LEFT JOIN LATERAL (
            SELECT held.id, held.starts_at, held.ends_at
              FROM held
             WHERE held.table_id = found.table_id AND held.id <> found.id
               AND held.starts_at < found.ends_at AND held.ends_at > found.starts_at
             ORDER BY held.starts_at, held.id
             LIMIT 1
          ) AS other ON true
         ORDER BY found.starts_at, found.id
        """,
        day, begins_at, ends_at, after_start, after_id, limit, lasts_beyond,
    )  # fmt: skip
    return [_day_order(row) for row in rows]


def _day_order(row: asyncpg.Record) -> DayOrder:
    fields = dict(row)
    other = fields.pop("other_id"), fields.pop("other_start"), fields.pop("other_end")
    return DayOrder(**fields, overlaps=other[0] is not None, overlap=Overlap(*other) if other[0] is not None else None)


async def select_taken_tables(db: Executor, order_ids: Sequence[int]) -> list[TakenTable]:
    """The tables that are confirmed for others at the times of these orders, each with the first order that has it."""
    rows = await db.fetch(
        """
        SELECT DISTINCT ON (asked.id, held.table_id)
               asked.id AS asked_id, held.table_id, held.id AS order_id, held.starts_at, held.ends_at
          FROM front_desk_order AS asked
          JOIN front_desk_order AS held
            ON tstzrange(held.starts_at, held.ends_at) && tstzrange(asked.starts_at, asked.ends_at)
           AND held.status IN ('waiting', 'confirmed') AND held.starts_at IS NOT NULL
           AND held.status = 'confirmed' AND held.id <> asked.id
         WHERE asked.id = ANY($1::bigint[]) AND asked.starts_at IS NOT NULL
         ORDER BY asked.id, held.table_id, held.starts_at, held.id
        """,
        order_ids,
    )
    return [
        TakenTable(row["asked_id"], row["table_id"], Overlap(row["order_id"], row["starts_at"], row["ends_at"]))
        for row in rows
    ]


async def select_rivals(db: Executor, order_ids: Sequence[int], now: datetime) -> dict[int, int]:
    """By order, how many others wait for its table at its time; without those that have none."""
    rows = await db.fetch(
        """
        SELECT asked.id, count(*) AS rivals
          FROM front_desk_order AS asked
          JOIN front_desk_order AS rival
            ON tstzrange(rival.starts_at, rival.ends_at) && tstzrange(asked.starts_at, asked.ends_at)
           AND rival.status IN ('waiting', 'confirmed') AND rival.starts_at IS NOT NULL
           AND rival.status = 'waiting' AND rival.ends_at > $2
           AND rival.table_id = asked.table_id AND rival.id <> asked.id
         WHERE asked.id = ANY($1::bigint[]) AND asked.starts_at IS NOT NULL
         GROUP BY asked.id
        """,
        order_ids, now,
    )  # fmt: skip
    return dict(map(tuple, rows))
