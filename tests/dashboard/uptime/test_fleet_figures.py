"""The figures of the fleet: what is not known is neither up nor down, and two figures of one thing are equal."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import asyncpg
import pytest

from common.web.pagination import encode_cursor
from common.web.resources import Application
from dashboard.resources import resources_of
from dashboard.uptime import report_runner
from dashboard.uptime.fleet_figures import FleetFigures
from dashboard.uptime.queries.states import select_states
from tests.dashboard.uptime.fleet import Store, every_day
from tests.dashboard.uptime.test_fleet_page import figures, hourly, load_fleet, mixed, note_import
from tests.support.pages import browse
from tests.support.waiting import eventually

HOUR, DAY, MINUTE = timedelta(hours=1), timedelta(hours=24), timedelta(minutes=1)


async def shown(app: Application, query: str = "") -> str:
    """The text of the page, with the entities as characters."""
    response = await browse(app, f"/board/stores{query}")
    assert response.status_code == 200, await response.get_data()
    return unescape(await response.get_data(as_text=True))


def stores_in(text: str) -> list[str]:
    return re.findall(r'data-store="([^"]*)"', text)


async def test_a_store_that_was_polled_only_while_it_was_closed_has_no_share(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    now = datetime.now(UTC)
    opens = now - 3 * HOUR
    hours = every_day(f"{opens:%H:%M}", f"{opens + HOUR:%H:%M}")
    at_night = [(at, up) for at, up in hourly(now) if 3 * HOUR <= (at - opens) % DAY < 20 * HOUR]
    await load_fleet(
        dashboard_db, {"night": Store(at_night, hours, "UTC"), "other": Store(hourly(now), timezone="UTC")}
    )
    found = {store["store_id"]: store for store in await figures(dashboard_app, "/stores/fleet")}

    assert sum(day["observed_seconds"] for day in found["night"]["days"]) == 0
    assert (found["night"]["band"], found["night"]["uptime_share"]) == ("no_data", None)
    assert found["other"]["uptime_share"] == 1.0
    spread = await figures(dashboard_app, "/stores/spread")
    assert (spread["measured"], [band["stores"] for band in spread["bands"] if band["band"] == "no_data"]) == (1, [1])
    assert "100.00%" not in (await shown(dashboard_app, "?search=night")).split("<tbody>")[1].split("</tbody>")[0]


async def test_the_bands_of_a_report_do_not_change_with_later_polls(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    now = datetime.now(UTC)
    await load_fleet(dashboard_db, mixed(now))
    report = await resources_of(dashboard_app).report_runner.newest(now)
    assert report is not None

    async def no_data() -> list[str]:
        rows = await dashboard_db.fetch("SELECT * FROM report_bands($1, 'week')", UUID(report.report_id))
        return [row["store_id"] for row in rows if row["band"] == "no_data"]

    assert await no_data() == ["silent"]
    await dashboard_db.execute("INSERT INTO store_poll VALUES ('silent', $1, true)", now - MINUTE)
    await dashboard_db.execute("UPDATE store SET last_polled_at = $1 WHERE store_id = 'silent'", now - MINUTE)
    assert await no_data() == ["silent"]


@pytest.mark.parametrize("period", ["hour", "day", "week"])
async def test_each_column_of_the_histogram_leads_to_as_many_stores_as_it_counts(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, period: str
) -> None:
    await load_fleet(dashboard_db, mixed(datetime.now(UTC)))
    text = await shown(dashboard_app, f"?period={period}&state=up&search=utc")
    columns = re.findall(r'<li><a href="/board/stores([^"]*)"[^>]*><b>(\d+)<', text)
    assert len(columns) >= 6
    for query, number in columns:
        assert len(stores_in(await shown(dashboard_app, query))) == int(number), query


async def test_a_search_finds_letters_of_any_script_in_any_case(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    now = datetime.now(UTC)
    await load_fleet(dashboard_db, {name: Store(hourly(now), timezone="UTC") for name in ("ÉTÉ", "zwei", "店舗")})
    await dashboard_db.execute("UPDATE store SET store_group = 'Ärzte Ωmega' WHERE store_id = 'zwei'")
    for search, expected in (("été", ["ÉTÉ"]), ("ärzte ω", ["zwei"]), ("店", ["店舗"]), ("  ÉT ", ["ÉTÉ"])):
        assert stores_in(await shown(dashboard_app, f"?search={quote(search)}")) == expected
        found = await figures(dashboard_app, f"/stores/fleet?search={quote(search)}")
        assert [store["store_id"] for store in found] == expected


async def test_the_last_gap_of_the_collector_is_shown_however_many_there_are(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    now = datetime.now(UTC)
    polls = [(now - 3 * HOUR - number * 91 * MINUTE, True) for number in range(200)]
    await load_fleet(dashboard_db, {"1": Store(polls, timezone="UTC")})
    text = await shown(dashboard_app)
    assert "Nobody has polled any store since" in text
    assert re.search(r">1[01]\d more times when nobody polled<", text)


async def test_gaps_in_the_week_of_the_figures_are_told_long_after_it(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    newest = datetime(2023, 1, 25, 18, 13, tzinfo=UTC)
    polls = hourly(newest, hours=range(10)) + hourly(newest, hours=range(14, 200))
    await load_fleet(dashboard_db, {"1": Store(polls, timezone="UTC"), "2": Store(polls, timezone="UTC")})
    text = await shown(dashboard_app)
    assert "Nobody has polled any store since Wed 25 Jan 2023, 18:03 UTC" in text
    assert "Nobody polled Wed 25 Jan 2023, 04:03–09:03 UTC (5 h): unknown, not down." in text


async def test_an_incident_does_not_grow_through_time_of_which_nothing_is_known(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    newest = datetime(2023, 1, 25, 18, 10, tzinfo=UTC)
    await load_fleet(dashboard_db, {"1": Store(hourly(newest, lambda hour: hour < 3), timezone="UTC")})
    [store] = await figures(dashboard_app, "/stores/fleet")
    incident = store["last_incident"]
    assert (store["state"], incident["end"]) == ("stale", None)
    assert incident["downtime_seconds"] == (2 + 48) * 3600


async def test_requests_at_the_same_time_compute_the_states_once(
    dashboard_db: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await load_fleet(dashboard_db, mixed(datetime.now(UTC)))
    computed = []

    async def counted(db: Any, now: datetime) -> Any:
        computed.append(now)
        return await select_states(db, now)

    monkeypatch.setattr("dashboard.uptime.fleet_figures.select_states", counted)
    fleet, now = FleetFigures(dashboard_db), datetime.now(UTC)
    found = await asyncio.gather(*(fleet.states(now - number * MINUTE / 100) for number in range(20)))
    assert len(computed) == 1
    assert len({id(each) for each in found}) == 1
    await fleet.states(now + 3 * MINUTE)
    assert len(computed) == 2
    await note_import(dashboard_db)
    await fleet.states(now + 3 * MINUTE)
    assert len(computed) == 3


async def test_states_of_a_minute_ago_are_shown_while_newer_ones_are_computed(dashboard_db: asyncpg.Pool) -> None:
    await load_fleet(dashboard_db, mixed(datetime.now(UTC)))
    fleet, now = FleetFigures(dashboard_db), datetime.now(UTC)
    first = await fleet.states(now)
    assert await fleet.states(now + MINUTE) is first

    async def renewed() -> bool:
        return (await fleet.states(now + MINUTE)).at == now + MINUTE

    assert await eventually(renewed)
    assert (await fleet.states(now + 4 * MINUTE)).at == now + 4 * MINUTE


async def test_an_application_knows_the_states_before_its_first_page(
    dashboard_db: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await load_fleet(dashboard_db, mixed(datetime.now(UTC)))
    now = datetime.now(UTC)
    fleet = FleetFigures(dashboard_db)
    async with fleet.warm(now):

        async def is_known() -> bool:
            return fleet._states is not None

        assert await eventually(is_known)
        assert (await fleet.states(now + timedelta(seconds=5))).at == now
    without_database = FleetFigures(dashboard_db)
    async with without_database.warm(now):
        pass  # an application may stop before they are known


async def test_while_the_first_report_is_made_the_page_says_who_is_down(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_runner, "FIRST_REPORT_WAIT_SECONDS", 0.05)
    await load_fleet(dashboard_db, mixed(datetime.now(UTC)))
    async with dashboard_db.acquire() as blocker, blocker.transaction():
        await blocker.execute("LOCK TABLE uptime_report_row IN EXCLUSIVE MODE")
        text = await shown(dashboard_app, "?state=down")
    assert ">1</a> of 7 stores is down now, and nothing is known of 3." in text
    assert "The first report on the polls is being made." in text
    assert 'data-refresh="2"' in text
    assert stores_in(text) == ["down/now"]
    assert "not counted yet" in text


async def test_a_cursor_of_a_report_that_is_not_complete_breaks_nothing(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    await load_fleet(dashboard_db, mixed(datetime.now(UTC)))
    report_id = uuid4()
    await dashboard_db.execute(
        "INSERT INTO uptime_report (report_id, requested_version, for_lists) VALUES ($1, 9, false)",
        report_id,
    )
    cursor = encode_cursor(report_id, None, None, None, path="/stores/fleet")
    found = await figures(dashboard_app, f"/stores/fleet?cursor={cursor}")
    assert [store["uptime_share"] for store in found] == [None] * 7


@pytest.mark.parametrize(
    "query", ["?search=%00", f"?search={'x' * 101}", "?search=a&search=b", "?target=1e2", "?band=nan"]
)
async def test_a_wrong_question_is_a_page_that_names_the_control(dashboard_app: Application, query: str) -> None:
    response = await browse(dashboard_app, f"/board/stores{query}")
    text = unescape(await response.get_data(as_text=True))
    assert response.status_code == 400
    assert re.search("Search|Target|Share of open time up", text.split("<main")[1])
