"""Where `distribute` puts the tables, also those that have rows already."""

from datetime import UTC, date, datetime, timedelta

import asyncpg

import provider.app
import provider.config
from common.config import Secret, read_config
from common.db.migrate import migrate
from common.db.row_counts import select_row_counts
from provider.stays.audit import find_differences
from tests.conftest import DISTRIBUTIONS, MIGRATIONS
from tests.support.calendar_site import CalendarSite, calendar_of, read_calendars
from tests.support.citus import CitusCluster
from tests.support.databases import DatabaseServer
from tests.support.storefront import Guest
from tests.test_scaling import LOCAL, REFERENCE, documented_columns

DAY = timedelta(days=1)


async def distributed_columns(url: Secret) -> dict[str, str]:
    """The distribution column of each table that Citus spreads; REFERENCE for those that every node has whole."""
    connection = await asyncpg.connect(url.reveal())
    try:
        rows = await connection.fetch(
            """
            SELECT logicalrelid::text AS name,
                   CASE partmethod WHEN 'h' THEN column_to_column_name(logicalrelid, partkey) ELSE $1 END AS place
              FROM pg_dist_partition
             WHERE partmethod = 'h' OR repmodel = 't'
            """,
            REFERENCE,
        )
    finally:
        await connection.close()
    return {row["name"]: row["place"] for row in rows}


async def test_every_table_is_where_the_document_says(provider_url: Secret, dashboard_url: Secret) -> None:
    for application, url in (("provider", provider_url), ("dashboard", dashboard_url)):
        documented = documented_columns(application).items()
        assert await distributed_columns(url) == {table: place for table, place in documented if place != LOCAL}


async def test_new_connections_do_not_look_for_parts_of_tables_among_all_types(
    provider_db: asyncpg.Pool, dashboard_db: asyncpg.Pool
) -> None:
    """Citus would look for them with each type that a connection looks up, which takes seconds; none is counted."""
    for application, db in (("provider", provider_db), ("dashboard", dashboard_db)):
        plan = await db.fetch("EXPLAIN (COSTS OFF) SELECT FROM pg_class WHERE relkind = 'c'")
        assert not [line for (line,) in plan if "relation_is_a_known_shard" in line]
        assert set(await select_row_counts(db)) == set(documented_columns(application))


async def test_a_database_with_rows_is_distributed_with_them(
    postgres: DatabaseServer,
    templates: dict[str, str],
    environment: dict[str, str],
    site: CalendarSite,
    today: date,
) -> None:
    assert isinstance(postgres, CitusCluster)
    name = f"{templates['provider']}_with_rows"
    url = Secret(postgres.url(name))
    settings = read_config(provider.config.Config, environment)
    soon = today + 30 * DAY
    site.answer = calendar_of(("a", soon + 5 * DAY, soon + 7 * DAY))
    token = "00000000-0000-4000-8000-000000000001"
    await postgres.create(name)
    try:
        await migrate(url, MIGRATIONS["provider"])
        app = provider.app.create_app(settings, url)
        async with app.test_app():
            guest = Guest(app, token)
            await guest.create_property("hut", turnover_days=1, timezone="Asia/Tokyo", max_guests=4)
            _, held = await guest.reserve("hut", soon, 2, guests=2)
            await guest.call("POST", "/properties/hut/blocks", json={"start_date": str(soon + 8 * DAY), "nights": 1})
            await guest.call("PUT", "/properties/hut/calendar-sources/site", json={"url": site.url})
            _, link = await guest.call("POST", "/properties/hut/calendar-links", json={})
            assert (await read_calendars(app, datetime.now(UTC)))["changes"] == 1
            before = await guest.calendar("hut", soon, 10)

        await postgres.distribute(name, DISTRIBUTIONS["provider"])

        app = provider.app.create_app(settings, url)
        async with app.test_app():
            guest = Guest(app, token)
            assert await guest.calendar("hut", soon, 10) == before
            assert before == ["taken", "taken", "turnover", "free", "free", "taken", "taken", "free", "taken", "free"]
            assert (await guest.get(f"/reservations/{held['reservation_id']}"))[1] == held
            assert (await guest.get("/properties/hut/calendar-sources"))[1][0]["nights_off_sale"] == 2
            path = "/calendars" + link["url"].rpartition("/calendars")[2]
            assert (await app.test_client().get(path)).status_code == 200
            assert await guest.available(soon + 3 * DAY, 2, guests=4) == ["hut"]
            site.answer = calendar_of()
            assert (await read_calendars(app, datetime.now(UTC) + timedelta(hours=1)))["changes"] == 1
            assert (await guest.calendar("hut", soon + 5 * DAY, 2)) == ["free", "free"]
            async with asyncpg.create_pool(url.reveal(), min_size=0, max_size=1) as db:
                assert await find_differences(db) == (1, [])
    finally:
        await postgres.drop(name)
