"""The metric of how many rows each table has."""

import re

import asyncpg

from common.web.resources import Application


async def test_the_rows_of_each_table_are_a_metric(ground: Application, ground_pool: asyncpg.Pool) -> None:
    async with ground_pool.acquire() as connection:
        await connection.execute("INSERT INTO thing (name) SELECT 'a' FROM generate_series(1, 700)")
        await connection.execute("DELETE FROM thing WHERE id % 7 = 0")
        await connection.execute("SELECT pg_stat_force_next_flush()")
        await connection.execute("ANALYZE thing")

    page = await (await ground.test_client().get("/metrics")).get_data(as_text=True)

    rows = {
        table: float(number) for table, number in re.findall(r'^rows_kept\{table="(\w+)"\} (\S+)$', page, re.MULTILINE)
    }
    assert rows["thing"] == 600
    assert {"job", "outbox", "idempotency_key", "used_signature", "failed_login", "rate_limit"} <= set(rows)


async def test_metrics_are_answered_without_the_database(bare: Application) -> None:
    answer = await bare.test_client().get("/metrics")

    assert answer.status_code == 200
    assert "http_requests_in_flight" in await answer.get_data(as_text=True)
