"""How many rows the tables of a database have, and how large they are."""

import msgspec

from common.db.pool import Executor


class TableSize(msgspec.Struct, frozen=True):
    """How large a table is."""

    table: str
    """Name of the table."""
    rows: int
    """About how many rows it has, by PostgreSQL's statistics."""
    bytes: int | None
    """How many bytes it takes with its indexes; null if a node of a cluster does not say."""


async def select_row_counts(db: Executor) -> dict[str, int]:
    """The number of rows of each table, as PostgreSQL's statistics estimate it: no table is read."""
    rows = await db.fetch("SELECT table_name, number_of_rows FROM row_counts()")
    return {row["table_name"]: row["number_of_rows"] for row in rows}


async def select_table_sizes(db: Executor, limit: int) -> list[TableSize]:
    """The largest tables, the largest first."""
    rows = await db.fetch(
        """
        SELECT table_name AS table, number_of_rows AS rows, number_of_bytes AS bytes
          FROM row_counts()
          JOIN table_sizes() USING (table_name)
         ORDER BY number_of_bytes DESC NULLS LAST, table_name
         LIMIT $1
        """,
        limit,
    )
    return [TableSize(**row) for row in rows]
