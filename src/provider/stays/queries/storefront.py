"""SQL of the storefront's requests.

A property is free for nights when the last of its stays that arrives before their end (and the turnover after it) has
left, and kept its own turnover, by their beginning. Stays of a property do not overlap, so no other can reach into
them; `reservation_of_property` finds it in one descent. The condition stands in every statement that asks.
"""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

import asyncpg

from common.db.pool import Connection, Executor
from provider.stays.models import (
    AvailableProperty,
    Calendar,
    CalendarNight,
    CancelledStay,
    InsertOutcome,
    Property,
    Reservation,
    Stay,
)


async def select_available(db: Executor, arrival: date, nights: int, after: str, limit: int) -> list[AvailableProperty]:
    """Up to `limit` properties that are free for the nights, by id, from behind the id `after` on.

    The subquery cannot be merged into a join, so the plan is the same at any size: the properties in their order, one
    descent each, until the page is full.
    """
    rows = await db.fetch(
        """
        SELECT property_id, description
          FROM property
         WHERE property_id > $3
           AND ((SELECT free_from
                   FROM reservation AS stay
                  WHERE stay.property_id = property.property_id
                    AND cancelled_at IS NULL
                    AND arrival < $1::date + $2::integer + turnover_days
                  ORDER BY arrival DESC
                  LIMIT 1) > $1) IS NOT TRUE
         ORDER BY property_id
         LIMIT $4
        """,
        arrival, nights, after, limit,
    )  # fmt: skip
    return [AvailableProperty(*row) for row in rows]


async def select_available_start_dates(db: Executor, days: Sequence[date], nights: int) -> list[date]:
    """Those of `days`, in their order, on which a stay of so many nights can begin somewhere."""
    rows = await db.fetch(
        """
        SELECT day
          FROM unnest($1::date[]) WITH ORDINALITY AS wanted (day, place)
         WHERE EXISTS (
                   SELECT FROM property
                    WHERE ((SELECT free_from
                              FROM reservation AS stay
                             WHERE stay.property_id = property.property_id
                               AND cancelled_at IS NULL
                               AND arrival < day + $2::integer + turnover_days
                             ORDER BY arrival DESC
                             LIMIT 1) > day) IS NOT TRUE
               )
         ORDER BY place
        """,
        days, nights,
    )  # fmt: skip
    return [row["day"] for row in rows]


async def insert_reservation(
    db: Executor, property_id: str, arrival: date, nights: int, holder: UUID, *, rooms: bool
) -> InsertOutcome | None:
    """Reserve the nights, in one statement; None when there is no such property.

    rooms: also where the property is a hotel's room, of which the feed must hear in the same transaction. Nights that
    are taken are seen without waiting for anybody. Otherwise the insert waits for whoever is changing the property (the
    trigger's lock), and the constraint has the last word.
    """
    row = await db.fetchrow(
        """
        WITH wanted AS (
            SELECT property_id, hotel_id, room_id, turnover_days
              FROM property
             WHERE property_id = $1
        ), reserved AS (
            INSERT INTO reservation (property_id, arrival, departure, holder, hotel_id, room_id)
            SELECT property_id, $2::date, $2::date + $3::integer, $4, hotel_id, room_id
              FROM wanted
             WHERE (hotel_id IS NULL OR $5)
               AND ((SELECT free_from
                       FROM reservation AS stay
                      WHERE stay.property_id = wanted.property_id
                        AND cancelled_at IS NULL
                        AND arrival < $2::date + $3::integer + turnover_days
                      ORDER BY arrival DESC
                      LIMIT 1) > $2::date) IS NOT TRUE
            ON CONFLICT DO NOTHING
            RETURNING reservation_id
        )
        SELECT reservation_id, uuid_extract_timestamp(reservation_id), hotel_id, room_id, clock_timestamp()
          FROM wanted
          LEFT JOIN reserved ON true
        """,
        property_id, arrival, nights, holder, rooms,
    )  # fmt: skip
    return None if row is None else InsertOutcome(*row)


async def select_reservation(db: Executor, reservation_id: UUID, holder: UUID) -> Reservation | None:
    """The reservation, unless it is cancelled or belongs to somebody else."""
    row = await db.fetchrow(
        """
        SELECT reservation_id, property_id, arrival, departure - arrival, uuid_extract_timestamp(reservation_id)
          FROM reservation
         WHERE reservation_id = $1
           AND holder = $2
           AND cancelled_at IS NULL
        """,
        reservation_id, holder,
    )  # fmt: skip
    return None if row is None else Reservation(*row)


async def lock_reservation(connection: Connection, reservation_id: UUID, holder: UUID) -> str | None:
    """The id of the reservation's property, which nobody else changes until the transaction ends; None without it.

    Before the row is touched: whoever holds a property may be about to touch its rows.
    """
    return await connection.fetchval(
        """
        SELECT property_id, lock_property(property_id)
          FROM reservation
         WHERE reservation_id = $1
           AND holder = $2
        """,
        reservation_id, holder,
    )  # fmt: skip


async def update_cancelled(connection: Connection, property_id: str, reservation_id: UUID) -> CancelledStay | None:
    """Cancel the reservation; None when it was cancelled before. The property is locked already."""
    row = await connection.fetchrow(
        """
        UPDATE reservation
           SET cancelled_at = clock_timestamp()
         WHERE property_id = $1
           AND reservation_id = $2
           AND cancelled_at IS NULL
        RETURNING arrival, departure, hotel_id, room_id, cancelled_at
        """,
        property_id, reservation_id,
    )  # fmt: skip
    return None if row is None else CancelledStay(*row)


async def select_properties(db: Executor, after: str, limit: int) -> list[Property]:
    """Up to `limit` properties by id, from behind the id `after` on."""
    rows = await db.fetch(
        """
        SELECT property_id, description, turnover_days, hotel_id, room_id
          FROM property
         WHERE property_id > $1
         ORDER BY property_id
         LIMIT $2
        """,
        after, limit,
    )  # fmt: skip
    return [_property(row) for row in rows]


async def select_property(db: Executor, property_id: str) -> Property | None:
    row = await db.fetchrow(
        "SELECT property_id, description, turnover_days, hotel_id, room_id FROM property WHERE property_id = $1",
        property_id,
    )
    return None if row is None else _property(row)


async def insert_property(
    db: Executor,
    property_id: str | None,
    description: str,
    turnover_days: int,
    hotel_id: int | None,
    room_id: str | None,
) -> Property | None:
    """The new property, with an id of the server's when none is given; None when the id is taken."""
    row = await db.fetchrow(
        """
        INSERT INTO property (property_id, description, turnover_days, hotel_id, room_id)
        VALUES (coalesce($1, uuidv7()::text), $2, $3, $4, $5)
        ON CONFLICT (property_id) DO NOTHING
        RETURNING property_id, description, turnover_days, hotel_id, room_id
        """,
        property_id, description, turnover_days, hotel_id, room_id,
    )  # fmt: skip
    return None if row is None else _property(row)


async def update_property(
    db: Executor,
    property_id: str,
    description: str | None,
    turnover_days: int | None,
    hotel_id: int | None,
    room_id: str | None,
    *,
    link: bool,
) -> Property | None:
    """The changed property, None when there is none; what is None stays. link: hotel and room become what is given."""
    row = await db.fetchrow(
        """
        UPDATE property
           SET description = coalesce($2, description),
               turnover_days = coalesce($3, turnover_days),
               hotel_id = CASE WHEN $6 THEN $4 ELSE hotel_id END,
               room_id = CASE WHEN $6 THEN $5 ELSE room_id END
         WHERE property_id = $1
        RETURNING property_id, description, turnover_days, hotel_id, room_id
        """,
        property_id, description, turnover_days, hotel_id, room_id, link,
    )  # fmt: skip
    return None if row is None else _property(row)


def _property(row: asyncpg.Record) -> Property:
    room_id = row["room_id"]
    is_number = room_id is not None and len(room_id) < 20
    return Property(**{**row, "room_id": int(room_id) if is_number else room_id})


async def select_calendar(db: Executor, property_id: str, first: date, until: date) -> Calendar | None:
    """The nights from `first` on, `until` not included; None when there is no such property."""
    rows = await db.fetch(
        """
        SELECT night, CASE WHEN departure > night THEN 'taken' WHEN free_from > night THEN 'turnover' ELSE 'free' END
          FROM property
         CROSS JOIN LATERAL (
                   SELECT $2::date + i AS night FROM generate_series(0, $3::date - $2::date - 1) AS i
               ) AS nights
          LEFT JOIN LATERAL (
                   SELECT departure, free_from
                     FROM reservation AS stay
                    WHERE stay.property_id = property.property_id
                      AND cancelled_at IS NULL
                      AND arrival <= night
                    ORDER BY arrival DESC
                    LIMIT 1
               ) AS latest ON true
         WHERE property.property_id = $1
         ORDER BY night
        """,
        property_id, first, until,
    )  # fmt: skip
    return Calendar(property_id, first, until, [CalendarNight(*row) for row in rows]) if rows else None


async def select_stays(db: Executor, property_id: str, since: date) -> list[Stay] | None:
    """The stays that end after `since`, by arrival; None when there is no such property.

    No stay is longer than a year, so none that arrived more than a year before has to be looked at.
    """
    rows = await db.fetch(
        """
        SELECT reservation_id, arrival, departure
          FROM property
          LEFT JOIN reservation AS stay
            ON stay.property_id = property.property_id
           AND cancelled_at IS NULL
           AND arrival > $2::date - 366
           AND departure > $2
         WHERE property.property_id = $1
         ORDER BY arrival
        """,
        property_id, since,
    )  # fmt: skip
    return [Stay(*row) for row in rows if row["reservation_id"] is not None] if rows else None
