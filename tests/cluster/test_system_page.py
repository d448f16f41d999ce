"""The page of the system on a Citus cluster: sizes of tables on all nodes, and a worker that is down."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from common.db.row_counts import select_table_sizes
from common.web.resources import Application
from dashboard.bookings.decoding import BookingEvent
from dashboard.bookings.queries.ledger import insert_events
from tests.support.applications import free_port
from tests.support.citus import CitusCluster
from tests.support.databases import DatabaseServer
from tests.support.feeds import MAIN_LEDGER
from tests.support.pages import browse, browse_page, by_id
from tests.test_scaling import documented_columns


@pytest.fixture
async def with_events(dashboard_db: asyncpg.Pool) -> None:
    """Events of hotels on all nodes."""
    now = datetime.now(UTC)
    events = [BookingEvent(n, n % 40 + 1, now, 1, f"room {n}", now.date()) for n in range(1, 2001)]
    async with dashboard_db.acquire() as connection, connection.transaction():
        await insert_events(connection, MAIN_LEDGER, events)
    await dashboard_db.execute("UPDATE feed_progress SET data_through = $1, first_read_at = $1", now)


async def select_size_on_nodes(cluster: CitusCluster, database: str, pattern: str) -> int:
    """The bytes of the tables and parts of tables whose names match, as each node measures its own."""
    size = 0
    for port in cluster.ports:
        node = await asyncpg.connect(cluster.url(database, port))
        size += await node.fetchval(
            """
            SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint
              FROM pg_class
             WHERE relname ~ $1 AND relkind = 'r'
            """,
            pattern,
        )
        await node.close()
    return size


async def test_the_size_of_a_table_is_that_of_its_parts_on_all_nodes(
    postgres: DatabaseServer, dashboard_db: asyncpg.Pool, with_events: None
) -> None:
    assert isinstance(postgres, CitusCluster)
    sizes = {each.table: each.bytes for each in await select_table_sizes(dashboard_db, 1000)}

    assert set(sizes) == set(documented_columns("dashboard"))
    assert None not in sizes.values()
    database = await dashboard_db.fetchval("SELECT current_database()")
    for table, pattern in {"ledger_event": "^ledger_event_[0-9]+$", "job": "^job$"}.items():
        assert sizes[table] == await select_size_on_nodes(postgres, database, pattern)


@pytest.fixture
async def lost_worker(dashboard_db: asyncpg.Pool, with_events: None) -> str:
    """A worker that the coordinator looks for at a port where nobody listens."""
    port = free_port()
    await dashboard_db.execute(
        "UPDATE pg_dist_node SET nodeport = $1 WHERE nodeid = (SELECT max(nodeid) FROM pg_dist_node)", port
    )
    return f"127.0.0.1:{port}"


async def test_the_page_names_a_worker_that_is_down_and_shows_what_needs_none(
    dashboard_app: Application, lost_worker: str
) -> None:
    page = await browse_page(dashboard_app, "/board/system")

    assert f"1 of 2 workers of the database cannot be reached ({lost_worker})" in by_id(page, "state").text
    assert "A node of the database cannot be reached at the moment." in by_id(page, "feeds").text
    assert "1 of 2 workers of the cluster can be reached." in by_id(page, "database").text
    assert "Recount of hotels" in by_id(page, "jobs").text
    answer: Mapping[str, Any] = await (await dashboard_app.test_client().get("/system")).get_json()
    assert answer["feeds"] is None
    assert answer["workers"][1] == {"worker": lost_worker, "is_reachable": False}


async def test_the_wall_shows_what_needs_no_lost_worker(dashboard_app: Application, lost_worker: str) -> None:
    response = await browse(dashboard_app, "/wall")
    page = await response.get_data(as_text=True)

    assert response.status_code == 200
    assert "This could not be read. A node of the database cannot be reached at the moment." in page
    assert "No store was polled yet" in page
