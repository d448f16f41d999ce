"""SQL of the tables."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from common.db.pool import Executor
from provider.dining.inputs import TableChange, TableFilter, TableInput
from provider.dining.models import BookableTable, Table, TablePrice


async def insert_tables(db: Executor, tables: Sequence[TableInput]) -> list[Table]:
    """Insert tables; returns them in the order given."""
    rows = await db.fetch(
        """
        INSERT INTO dining_table (table_type, seats, price, can_be_booked)
        SELECT table_type, seats, price, can_be_booked
          FROM unnest($1::text[], $2::int[], $3::numeric[], $4::bool[])
          WITH ORDINALITY AS given (table_type, seats, price, can_be_booked, number)
         ORDER BY number
        RETURNING table_id AS id, table_type, seats, price, can_be_booked
        """,
        [table.table_type for table in tables],
        [table.seats for table in tables],
        [table.price for table in tables],
        [table.can_be_booked for table in tables],
    )
    return sorted((Table(**row) for row in rows), key=lambda table: table.id)


async def update_tables(db: Executor, changes: Sequence[TableChange]) -> dict[int, Table]:
    """Change tables; returns the existing ones by id. Locks in id order, so that two calls cannot deadlock."""
    rows = await db.fetch(
        """
        WITH given AS (
            SELECT *
              FROM unnest($1::bigint[], $2::text[], $3::int[], $4::numeric[], $5::bool[])
                AS given (id, table_type, seats, price, can_be_booked)
        ),
        locked AS (
            SELECT table_id
              FROM dining_table
             WHERE table_id = ANY($1)
             ORDER BY table_id
               FOR NO KEY UPDATE
        )
        UPDATE dining_table AS changed
           SET table_type = coalesce(given.table_type, changed.table_type),
               seats = coalesce(given.seats, changed.seats),
               price = coalesce(given.price, changed.price),
               can_be_booked = coalesce(given.can_be_booked, changed.can_be_booked)
          FROM given JOIN locked ON locked.table_id = given.id
         WHERE changed.table_id = given.id
        RETURNING changed.table_id AS id, changed.table_type, changed.seats, changed.price, changed.can_be_booked
        """,
        [change.id for change in changes],
        [change.table_type for change in changes],
        [change.seats for change in changes],
        [change.price for change in changes],
        [change.can_be_booked for change in changes],
    )
    return {row["id"]: Table(**row) for row in rows}


_WANTED = """
       can_be_booked
   AND ($1::text IS NULL OR table_type = $1)
   AND ($2::int IS NULL OR seats >= $2)
   AND ($3::int IS NULL OR seats <= $3)
   AND ($4::numeric IS NULL OR price >= $4)
   AND ($5::numeric IS NULL OR price <= $5)
   AND ($6::int IS NULL OR seats >= $6)
"""
"""Whether a table can be booked and is as the criteria say, whatever the time."""

_TAKEN = """
    SELECT FROM dining_booking AS booking
     WHERE booking.table_id = dining_table.table_id AND booking.status = 'confirmed'
       AND booking.starts_at IS NOT NULL AND tstzrange(booking.starts_at, booking.ends_at)
"""
"""The confirmed bookings of a table with a time, whose range the statement compares."""


def _wanted(criteria: TableFilter) -> tuple[object, ...]:
    """The arguments of `_WANTED`."""
    return (
        criteria.table_type, criteria.seats_min, criteria.seats_max, criteria.price_min, criteria.price_max,
        criteria.guests,
    )  # fmt: skip


async def select_bookable_tables(
    db: Executor, criteria: TableFilter, after: int, limit: int | None
) -> list[BookableTable]:
    """Return the bookable tables that match, with ids above `after`, by id.

    With a time, those that are confirmed for another booking at that time are left out.
    """
    rows = await db.fetch(
        f"""
        SELECT table_id AS id, table_type, seats, price
          FROM dining_table
         WHERE {_WANTED}
           AND ($7::timestamptz IS NULL OR NOT EXISTS ({_TAKEN} && tstzrange($7, $8)))
           AND table_id > $9
         ORDER BY table_id
         LIMIT $10
        """,  # noqa: S608 - built from the literals above
        *_wanted(criteria), criteria.starts_at, criteria.ends_at, after, limit,
    )  # fmt: skip
    return [BookableTable(**row) for row in rows]


async def select_best_tables(db: Executor, criteria: TableFilter, limit: int) -> tuple[list[BookableTable], int]:
    """Return up to `limit` of the bookable tables that match, and how many match in all.

    Those with the fewest seats come first, and of these the cheapest. With a time, those that are confirmed for another
    booking at that time are left out.
    """
    rows = await db.fetch(
        f"""
        SELECT table_id AS id, table_type, seats, price, count(*) OVER ()::int AS number
          FROM dining_table
         WHERE {_WANTED}
           AND ($7::timestamptz IS NULL OR NOT EXISTS ({_TAKEN} && tstzrange($7, $8)))
         ORDER BY seats, price, table_id
         LIMIT $9
        """,  # noqa: S608 - built from the literals above
        *_wanted(criteria), criteria.starts_at, criteria.ends_at, limit,
    )  # fmt: skip
    found = [BookableTable(row["id"], row["table_type"], row["seats"], row["price"]) for row in rows]
    return found, rows[0]["number"] if rows else 0


async def select_free_starts(db: Executor, criteria: TableFilter, starts: Sequence[datetime]) -> set[datetime]:
    """Return those of the starts, in UTC, from which a bookable table that matches is free for the criteria's minutes.

    The time of the criteria themselves does not count.
    """
    rows = await db.fetch(
        f"""
        SELECT start
          FROM unnest($7::timestamptz[]) AS start
         WHERE EXISTS (
               SELECT FROM dining_table
                WHERE {_WANTED}
                  AND NOT EXISTS ({_TAKEN} && tstzrange(start, start + $8::interval))
               )
        """,  # noqa: S608 - built from the literals above
        *_wanted(criteria), list(starts), timedelta(minutes=criteria.minutes),
    )  # fmt: skip
    return {row["start"] for row in rows}


async def select_largest_seats(db: Executor, criteria: TableFilter) -> tuple[int | None, int | None]:
    """Return how many seats the largest bookable table has, and the largest one of the criteria's kind and price.

    None without such a table. Times and guests do not count.
    """
    row = await db.fetchrow(
        """
        SELECT max(seats) AS of_all,
               max(seats) FILTER (
                   WHERE ($1::text IS NULL OR table_type = $1) AND ($2::numeric IS NULL OR price <= $2)
               ) AS of_wanted
          FROM dining_table
         WHERE can_be_booked
        """,
        criteria.table_type, criteria.price_max,
    )  # fmt: skip
    assert row is not None
    return row["of_all"], row["of_wanted"]


async def select_tables(db: Executor, after: int, limit: int) -> list[Table]:
    """Return up to `limit` tables, including closed ones, with ids above `after`, by id."""
    rows = await db.fetch(
        """
        SELECT table_id AS id, table_type, seats, price, can_be_booked
          FROM dining_table
         WHERE table_id > $1
         ORDER BY table_id
         LIMIT $2
        """,
        after, limit,
    )  # fmt: skip
    return [Table(**row) for row in rows]


async def select_table_for_share(db: Executor, table_id: int) -> Table | None:
    """Return a table, locked against changes until the transaction ends."""
    row = await db.fetchrow(
        """
        SELECT table_id AS id, table_type, seats, price, can_be_booked
          FROM dining_table
         WHERE table_id = $1
           FOR SHARE
        """,
        table_id,
    )
    return Table(**row) if row else None


async def select_table_for_update(db: Executor, table_id: int) -> Table | None:
    """Return a table, locked against changes, confirmations and orders until the transaction ends."""
    row = await db.fetchrow(
        """
        SELECT table_id AS id, table_type, seats, price, can_be_booked
          FROM dining_table
         WHERE table_id = $1
           FOR NO KEY UPDATE
        """,
        table_id,
    )
    return Table(**row) if row else None


async def select_prices(db: Executor, table_id: int) -> list[TablePrice]:
    """Return the prices that a table has had, oldest first; an empty list when the table is unknown."""
    rows = await db.fetch(
        "SELECT price, valid_from FROM dining_table_price WHERE table_id = $1 ORDER BY number",
        table_id,
    )
    return [TablePrice(**row) for row in rows]
