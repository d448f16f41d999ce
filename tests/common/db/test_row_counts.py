"""The sizes of tables."""

import asyncpg

from common.db.row_counts import select_table_sizes


async def test_the_largest_tables_come_first_with_their_bytes(dashboard_db: asyncpg.Pool) -> None:
    await dashboard_db.execute("CREATE TABLE large AS SELECT repeat('x', 500) FROM generate_series(1, 9000)")
    found = await select_table_sizes(dashboard_db, 3)

    assert len(found) == 3
    assert found[0].table == "large"
    assert found[0].bytes == await dashboard_db.fetchval("SELECT pg_total_relation_size('large')")
    assert [each.bytes or 0 for each in found] == sorted((each.bytes or 0 for each in found), reverse=True)
