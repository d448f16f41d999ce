"""SQL of `import-stays`."""

from collections.abc import Sequence
from typing import Any

from common.db.pool import Connection, Executor
from provider.stays.models.reservations import ImportedStay, Refusal


async def insert_properties(db: Executor, rows: Sequence[tuple[Any, ...]]) -> set[str]:
    """Store the properties whose ids are new; returns these. rows: line, property_id, description, and more."""
    in_order = sorted(rows, key=lambda row: row[1])  # so that two imports at once do not wait for each other
    found = await db.fetch(
        "SELECT stored_id FROM import_properties($1::text[], $2::text[])",
        [row[1] for row in in_order], [row[2] for row in in_order],
    )  # fmt: skip
    return {row["stored_id"] for row in found}


async def select_rules(connection: Connection, property_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The columns of properties that a file may set, by id and name."""
    rows = await connection.fetch(
        """
        SELECT property_id, turnover_days, timezone, min_nights, max_guests, on_sale
          FROM property
         WHERE property_id = ANY($1::text[])
        """,
        property_ids,
    )
    return {row["property_id"]: dict(row) for row in rows}


async def update_rules(connection: Connection, rules: Sequence[dict[str, Any]]) -> None:
    """Give properties the columns that a file may set, as `select_rules` returns them. The caller has locked them."""
    await connection.execute(
        """
        UPDATE property
           SET turnover_days = wanted.turnover_days,
               timezone = wanted.timezone,
               min_nights = wanted.min_nights,
               max_guests = wanted.max_guests,
               on_sale = wanted.on_sale
          FROM unnest($1::text[], $2::smallint[], $3::text[], $4::smallint[], $5::smallint[], $6::boolean[])
            AS wanted (property_id, turnover_days, timezone, min_nights, max_guests, on_sale)
         WHERE property.property_id = wanted.property_id
        """,
        *(
            [each[name] for each in rules]
            for name in ("property_id", "turnover_days", "timezone", "min_nights", "max_guests", "on_sale")
        ),
    )


async def insert_reservations(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> list[ImportedStay]:
    """Store the reservations whose nights are free and that were not imported before, and return them.

    rows: line, property_id, arrival, nights. The first of two overlapping rows is stored. Raises SerializationError
    when a property was linked to another room meanwhile.
    """
    found = await connection.fetch(
        """
        SELECT first_line, stay_id, first_night, end_date, room_hotel_id, room, occurred_at
          FROM import_reservations($1::bigint[], $2::text[], $3::date[], $4::integer[])
        """,
        *(zip(*rows, strict=True) if rows else ((), (), (), ())),
    )
    return [ImportedStay(*row) for row in found]


async def select_refusals(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> list[Refusal]:
    """Why each of the rows was not stored, by line. rows: line, property_id, arrival, nights."""
    found = await connection.fetch(
        """
        SELECT line, is_property_known, booked_night, stay_arrival, stay_departure, is_online, is_imported,
               is_overlapping, turnover, stay_id, blocked_night
          FROM explain_refusals($1::bigint[], $2::text[], $3::date[], $4::integer[])
        """,
        *zip(*rows, strict=True),
    )
    return [Refusal(*row) for row in found]
