"""How many rows the tables of a database have."""

from common.db.pool import Executor


async def select_row_counts(db: Executor) -> dict[str, int]:
    """The number of rows of each table, as PostgreSQL's statistics estimate it: no table is read."""
    rows = await db.fetch("SELECT table_name, number_of_rows FROM row_counts()")
    return {row["table_name"]: row["number_of_rows"] for row in rows}
