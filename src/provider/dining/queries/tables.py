"""SQL of the tables."""

from collections.abc import Sequence

from common.db.pool import Executor
from provider.dining.inputs import TableChange, TableFilter, TableInput
from provider.dining.models import BookableTable, Table, TablePrice


async def insert_tables(db: Executor, tables: Sequence[TableInput]) -> list[Table]:
    """Add tables; returned in the order given."""
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
    """Change tables, locked in the order of their ids; the result lacks those that do not exist."""
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
        UPDATE dining_table AS known
           SET table_type = coalesce(given.table_type, known.table_type),
               seats = coalesce(given.seats, known.seats),
               price = coalesce(given.price, known.price),
               can_be_booked = coalesce(given.can_be_booked, known.can_be_booked)
          FROM given JOIN locked ON locked.table_id = given.id
         WHERE known.table_id = given.id
        RETURNING known.table_id AS id, known.table_type, known.seats, known.price, known.can_be_booked
        """,
        [change.id for change in changes],
        [change.table_type for change in changes],
        [change.seats for change in changes],
        [change.price for change in changes],
        [change.can_be_booked for change in changes],
    )
    return {row["id"]: Table(**row) for row in rows}


async def select_bookable_tables(db: Executor, wish: TableFilter, after: int, limit: int | None) -> list[BookableTable]:
    """The bookable tables that fit, by id, from above `after` on."""
    rows = await db.fetch(
        """
        SELECT table_id AS id, table_type, seats, price
          FROM dining_table
         WHERE can_be_booked
           AND ($1::text IS NULL OR table_type = $1)
           AND ($2::int IS NULL OR seats >= $2)
           AND ($3::int IS NULL OR seats <= $3)
           AND ($4::numeric IS NULL OR price >= $4)
           AND ($5::numeric IS NULL OR price <= $5)
           AND table_id > $6
         ORDER BY table_id
         LIMIT $7
        """,
        wish.table_type, wish.seats_min, wish.seats_max, wish.price_min, wish.price_max, after, limit,
    )  # fmt: skip
    return [BookableTable(**row) for row in rows]


async def select_tables(db: Executor, after: int, limit: int) -> list[Table]:
    """All tables, closed ones too, by id, from above `after` on."""
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
    """A table that does not change until the transaction ends."""
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
    """A table whose confirmations and changes wait until the transaction ends; orders for it do too."""
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
    """The prices that a table has had, oldest first; none for a table that does not exist."""
    rows = await db.fetch(
        "SELECT price, valid_from FROM dining_table_price WHERE table_id = $1 ORDER BY number",
        table_id,
    )
    return [TablePrice(**row) for row in rows]
