"""SQL of what the front desk shows: orders one by one and in lists, and their numbers."""

from datetime import date, datetime

from common.db.pool import Executor
from dashboard.front_desk.models import LONG_WAIT, SOON, DeskCounts, Order, Status
from dashboard.front_desk.queries.orders import ORDER_COLUMNS
from dashboard.front_desk.search import SearchTerms


async def select_order(db: Executor, order_id: int) -> Order | None:
    row = await db.fetchrow(
        f"SELECT {ORDER_COLUMNS} FROM front_desk_order WHERE id = $1",  # noqa: S608 - constant columns
        order_id,
    )
    return Order(**row) if row else None


async def select_orders(
    db: Executor,
    day: date | None,
    status: Status | None,
    before: int | None,
    limit: int,
    search: SearchTerms | None = None,
) -> list[Order]:
    """Orders, newest first; those with an id below `before`, if given. day: by the clocks of the restaurant."""
    text, number, digits = search or (None, None, None)
    rows = await db.fetch(
        f"""
        SELECT {ORDER_COLUMNS}
          FROM front_desk_order
         WHERE ($1::text IS NULL OR status = $1)
           AND ($2::bigint IS NULL OR id < $2)
           AND ($4::date IS NULL OR day = $4)
           AND ($5::text IS NULL OR id = $6::bigint
                OR strpos(lower(name COLLATE pg_c_utf8), lower($5 COLLATE pg_c_utf8)) > 0
                OR strpos(lower(email COLLATE pg_c_utf8), lower($5 COLLATE pg_c_utf8)) > 0
                OR strpos(regexp_replace(phone, '[^0-9]', '', 'g'), $7::text) > 0)
         ORDER BY id DESC
         LIMIT $3
        """,  # noqa: S608 - constant columns
        status, before, limit, day, text, number, digits,
    )  # fmt: skip
    return [Order(**row) for row in rows]


async def select_waiting(db: Executor, now: datetime, limit: int) -> list[Order]:
    """The waiting orders whose time has not passed; the one that has waited longest first."""
    rows = await db.fetch(
        f"""
        SELECT {ORDER_COLUMNS}
          FROM front_desk_order
         WHERE status = 'waiting' AND (ends_at IS NULL OR ends_at > $1)
         ORDER BY received_at, id
         LIMIT $2
        """,  # noqa: S608 - constant columns
        now, limit,
    )  # fmt: skip
    return [Order(**row) for row in rows]


async def select_waiting_count(db: Executor, now: datetime) -> int:
    """How many orders wait whose time has not passed."""
    return await db.fetchval(
        "SELECT count(*) FROM front_desk_order WHERE status = 'waiting' AND (ends_at IS NULL OR ends_at > $1)", now
    )


async def select_desk_counts(db: Executor, now: datetime) -> DeskCounts:
    """How many orders wait whose time has not passed, since when, and how many confirmed tables begin soon."""
    row = await db.fetchrow(
        """
        SELECT waiting, late, oldest, coming
          FROM (SELECT count(*) AS waiting, min(received_at) AS oldest,
                       count(*) FILTER (WHERE received_at < $1::timestamptz - $2::interval) AS late
                  FROM front_desk_order
                 WHERE status = 'waiting' AND (ends_at IS NULL OR ends_at > $1)) AS order_waiting
         CROSS JOIN (SELECT count(*) AS coming
                       FROM front_desk_order
                      WHERE status = 'confirmed' AND starts_at BETWEEN $1 AND $1 + $3::interval) AS order_coming
        """,
        now,
        LONG_WAIT,
        SOON,
    )
    assert row is not None
    return DeskCounts(*row)


async def select_freed(db: Executor, now: datetime, limit: int) -> list[Order]:
    """The confirmed orders that were cancelled and whose time has not passed, or since yesterday; latest first."""
    rows = await db.fetch(
        f"""
        SELECT {ORDER_COLUMNS}
          FROM front_desk_order
         WHERE was_confirmed AND provider_status = 'cancelled'
           AND coalesce(ends_at, changed_at + interval '1 day') > $1
         ORDER BY changed_at DESC, id DESC
         LIMIT $2
        """,  # noqa: S608 - constant columns
        now, limit,
    )  # fmt: skip
    return [Order(**row) for row in rows]


async def select_settled(db: Executor, limit: int) -> list[Order]:
    """The settled orders, that is those no longer waiting; that whose status changed last first."""
    rows = await db.fetch(
        f"""
        SELECT {ORDER_COLUMNS}
          FROM front_desk_order
         WHERE status <> 'waiting'
         ORDER BY changed_at DESC, id DESC
         LIMIT $1
        """,  # noqa: S608 - constant columns
        limit,
    )
    return [Order(**row) for row in rows]
