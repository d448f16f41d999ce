"""SQL of properties, and of the rooms to which they are linked."""

from datetime import date
from operator import itemgetter
from uuid import UUID

import asyncpg

from common.db.distribution import is_distributed, require_no_node_in_doubt
from common.db.locks import ROOM_LINKS_LOCK, WATCHED_ROOMS_LOCK
from common.db.pool import Connection, Executor
from provider.stays.inputs.properties import PropertyChange, PropertyInput
from provider.stays.models.properties import Property
from provider.stays.models.reservations import LinkedStay, NightConflict

_COLUMNS = "property_id, description, turnover_days, on_sale, timezone, min_nights, max_guests, hotel_id, room_id"


async def select_properties(db: Executor, after: str, limit: int) -> list[Property]:
    """Up to `limit` properties by id, after the id `after`."""
    rows = await db.fetch(
        f"""
        SELECT {_COLUMNS}
          FROM property
         WHERE property_id > $1
         ORDER BY property_id
         LIMIT $2
        """,  # noqa: S608 - only the literal above
        after, limit,
    )  # fmt: skip
    return [_property(row) for row in rows]


async def select_property(db: Executor, property_id: str) -> Property | None:
    row = await db.fetchrow(
        f"""
        SELECT {_COLUMNS}
          FROM property
         WHERE property_id = $1
        """,  # noqa: S608 - only the literal above
        property_id,
    )
    return None if row is None else _property(row)


async def select_holder(db: Executor, property_id: str) -> tuple[UUID | None] | None:
    """Who created the property, which nobody did whose token is known if a command did; None when it does not exist."""
    row = await db.fetchrow("SELECT holder FROM property WHERE property_id = $1", property_id)
    return None if row is None else (row["holder"],)


async def insert_property(db: Executor, new: PropertyInput, holder: UUID) -> Property | None:
    """Insert the property, assigning an id when none is given; None when the id is taken.

    Raises UniqueViolationError when its room belongs to another property.
    """
    property_id = await db.fetchval(
        "SELECT create_property($1, $2, $3::smallint, $4, $5, $6, $7, $8, $9::smallint, $10::smallint)",
        new.property_id, new.description, new.turnover_days, new.hotel_id, new.room_id, holder, new.on_sale,
        new.timezone, new.min_nights, new.max_guests,
    )  # fmt: skip
    return None if property_id is None else await select_property(db, property_id)


async def update_property(db: Executor, property_id: str, change: PropertyChange) -> Property | None:
    """Change the given fields of the property; None when it does not exist.

    Raises UniqueViolationError when its new room belongs to another property. The caller has locked the property.
    """
    row = await db.fetchrow(
        f"""
        UPDATE property
           SET description = coalesce($2, description),
               turnover_days = coalesce($3, turnover_days),
               on_sale = coalesce($4, on_sale),
               min_nights = coalesce($5, min_nights),
               timezone = CASE WHEN 'timezone' = ANY ($10::text[]) THEN $6 ELSE timezone END,
               max_guests = CASE WHEN 'max_guests' = ANY ($10) THEN $7 ELSE max_guests END,
               hotel_id = CASE WHEN 'hotel_id' = ANY ($10) THEN $8 ELSE hotel_id END,
               room_id = CASE WHEN 'room_id' = ANY ($10) THEN $9 ELSE room_id END
         WHERE property_id = $1
        RETURNING {_COLUMNS}
        """,  # noqa: S608 - only the literal above
        property_id, change.description, change.turnover_days, change.on_sale, change.min_nights, change.timezone,
        change.max_guests, change.hotel_id, change.room_id, sorted(change.model_fields_set),
    )  # fmt: skip
    return None if row is None else _property(row)


async def note_time_zone(connection: Connection, zone: str | None) -> None:
    """Note that properties have this time zone, if it is one."""
    await connection.execute("SELECT note_time_zone($1)", zone)


async def select_has_reservations(connection: Connection, property_id: str) -> bool:
    """Whether the property has a reservation, cancelled ones included. The caller has locked the property."""
    return await connection.fetchval("SELECT EXISTS (SELECT 1 FROM reservation WHERE property_id = $1)", property_id)


async def select_is_linked(db: Executor, property_id: str) -> bool:
    """Whether the property is a hotel's room."""
    return await db.fetchval(
        "SELECT EXISTS (SELECT 1 FROM property WHERE property_id = $1 AND hotel_id IS NOT NULL)", property_id
    )


async def delete_room_link(connection: Connection, property_id: str) -> None:
    """Forget that a room is this property. The caller has locked all links."""
    await connection.execute("DELETE FROM linked_room WHERE property_id = $1", property_id)


async def delete_property(connection: Connection, property_id: str) -> None:
    """Delete a property without reservations, with its blocks. The caller has locked it."""
    await connection.execute("DELETE FROM property WHERE property_id = $1", property_id)


async def select_time_zone(db: Executor, property_id: str) -> tuple[str | None] | None:
    """The time zone of the property, None if it has none of its own; no tuple when the property does not exist."""
    row = await db.fetchrow("SELECT timezone FROM property WHERE property_id = $1", property_id)
    return None if row is None else (row["timezone"],)


async def note_room_link(connection: Connection, property_id: str) -> None:
    """Note the room of a property whose room has changed, where no trigger has done it: on a cluster.

    Raises UniqueViolationError when the room belongs to another property.
    """
    await connection.execute("SELECT note_room_link($1) WHERE is_distributed('property')", property_id)


async def lock_room_links(connection: Connection) -> None:
    """Lock all links of properties to rooms, and the events of rooms, until the transaction ends.

    Two transactions that swap the rooms of their properties would deadlock. Raises TransactionInDoubtError while a node
    of a cluster has events that no query shows yet: a room reads its former events once, when it is linked.
    """
    await connection.execute(
        "SELECT pg_advisory_xact_lock($1), pg_advisory_xact_lock($2)", ROOM_LINKS_LOCK, WATCHED_ROOMS_LOCK
    )
    if await is_distributed(connection, "booking_event"):
        await require_no_node_in_doubt(connection, "the feed")


async def share_room_events(connection: Connection) -> None:
    """Keep rooms from being linked until the transaction ends.

    Every transaction that will store events does this before it locks a property: storing them does both in this order.
    """
    await connection.execute("SELECT pg_advisory_xact_lock_shared($1)", WATCHED_ROOMS_LOCK)


async def lock_properties(connection: Connection, *property_ids: str) -> None:
    """Lock the properties until the transaction ends, as every transaction does before it changes the nights of one."""
    await connection.execute("SELECT lock_properties($1)", property_ids)


async def select_night_sold_by_another(connection: Connection, property_id: str) -> date | None:
    """The first night of a stay that is not in the feed on which another property has sold the property's room."""
    return await connection.fetchval(
        """
        SELECT min(night) FROM nights_sold_by_another($1) AS night
        """,
        property_id,
    )


async def update_linked_stays(connection: Connection, property_id: str) -> list[LinkedStay]:
    """Give the stays that are not in the feed the room of their property, and return them by arrival.

    The caller appends their events, and has locked the property.
    """
    rows = await connection.fetch(
        """
        UPDATE reservation AS stay
           SET hotel_id = property.hotel_id, room_id = property.room_id
          FROM property
         WHERE property.property_id = $1
           AND property.hotel_id IS NOT NULL
           AND stay.property_id = $1
           AND stay.hotel_id IS NULL
           AND stay.cancelled_at IS NULL
        RETURNING stay.arrival, stay.departure, stay.hotel_id, stay.room_id
        """,
        property_id,
    )
    linked_at = await connection.fetchval("SELECT clock_timestamp()")
    return [LinkedStay(**row, occurred_at=linked_at) for row in sorted(rows, key=itemgetter("arrival"))]


async def select_conflicts(
    db: Executor, holder: UUID | None, after: tuple[str, date, str, str], since: date, limit: int
) -> list[NightConflict]:
    """Up to `limit` nights that a reservation holds and that others have too, or have cancelled, after a position.

    Others have a night if the feed has booked it for them (feed), or if the calendar of another site has an event on it
    (calendar). Others have cancelled it (feed_cancellation) if the last event that they sent is a cancellation, and the
    feed has no more bookings than cancellations of the night. By property, night, kind and source; the position is
    these four. Nights before `since` are left out. holder: only of the properties of this holder; None: of all.

    The nights are found property by property, so that the search ends when it has found `limit`.
    """
    # Not "$1 IS NULL OR": a plan for both would read the properties of all holders.
    is_of_holder = "$1::uuid IS NULL" if holder is None else "property.holder = $1"
    rows = await db.fetch(
        f"""
        SELECT kind, property.property_id, reservation_id, night, conflict.hotel_id, conflict.room_id, event_id, source,
               uid
          FROM property
         CROSS JOIN LATERAL (
                   SELECT CASE latest.status WHEN 1 THEN 'feed' ELSE 'feed_cancellation' END AS kind, stay.property_id,
                          reservation_id, night, stay.hotel_id, stay.room_id, event_id, NULL AS source, NULL AS uid
                     FROM reservation AS stay
                    CROSS JOIN LATERAL (
                              SELECT night_of_stay AS night,
                                     sum(CASE status WHEN 1 THEN 1 ELSE -1 END) AS on_the_books,
                                     (
                                         array_agg(id ORDER BY event_timestamp DESC, id DESC)
                                         FILTER (WHERE NOT by_storefront)
                                     )[1] AS event_id,
                                     (
                                         array_agg(status ORDER BY event_timestamp DESC, id DESC)
                                         FILTER (WHERE NOT by_storefront)
                                     )[1] AS status
                                FROM watched_event
                               WHERE watched_event.hotel_id = stay.hotel_id
                                 AND room_key = lower(stay.room_id COLLATE "C")
                                 AND night_of_stay >= greatest(stay.arrival, $6::date)
                                 AND night_of_stay < stay.departure
                               GROUP BY night_of_stay
                          ) AS latest
                    WHERE stay.property_id = property.property_id
                      AND cancelled_at IS NULL
                      AND stay.hotel_id IS NOT NULL
                      AND stay.arrival > $6::date - 366
                      AND stay.departure > $6::date
                      AND (latest.status = 1 OR (latest.status = 2 AND on_the_books < 1))
                    UNION ALL
                   SELECT 'calendar', stay.property_id, reservation_id, greatest(held.first_night, stay.arrival) + i,
                          NULL, NULL, NULL, held.source_name, held.uid
                     FROM held_nights AS held
                     JOIN reservation AS stay
                       ON stay.property_id = held.property_id
                      AND stay.cancelled_at IS NULL
                      AND stay.arrival > held.first_night - 366
                      AND stay.arrival < held.end_date
                      AND stay.departure > held.first_night
                    CROSS JOIN LATERAL generate_series(
                              0,
                              least(held.end_date, stay.departure) - greatest(held.first_night, stay.arrival) - 1
                          ) AS i
                    WHERE held.property_id = property.property_id
                      AND held.end_date > $6::date
                      AND greatest(held.first_night, stay.arrival) + i >= $6::date
               ) AS conflict
         WHERE {is_of_holder}
           AND property.property_id >= $2
           AND (property.property_id, night, kind, coalesce(source, '')) > ($2, $3::date, $4, $5)
         ORDER BY property.property_id, night, kind, coalesce(source, '')
         LIMIT $7
        """,  # noqa: S608 - the statement is made of constants alone; values go in as arguments
        holder, *after, since, limit,
    )  # fmt: skip
    return [NightConflict(**{**row, "room_id": room_id_in_json(row["room_id"])}) for row in rows]


def _property(row: asyncpg.Record) -> Property:
    return Property(**{**row, "room_id": room_id_in_json(row["room_id"])})


def room_id_in_json(room_id: str | None) -> int | str | None:
    """A stored room id as clients send and get it: digits are a number."""
    return int(room_id) if room_id is not None and len(room_id) < 20 else room_id
