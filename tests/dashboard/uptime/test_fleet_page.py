"""The page of the fleet, and the figures behind it: each figure of the page is that of the JSON."""

import gzip
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import unescape
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from hypothesis import given
from quart import Response

from common.web.charts.number_text import share_text
from common.web.resources import Application
from dashboard.resources import resources_of
from dashboard.uptime import service
from dashboard.uptime.models.fleet import FleetPosition, FleetStore, WantedFleet
from dashboard.uptime.models.stores import Incident, Window
from dashboard.uptime.queries import reports, stores
from dashboard.uptime.queries.spread import select_fleet_stores, select_measured_shares
from dashboard.uptime.report_runner import FAILED_AGAIN_AFTER
from tests.dashboard.uptime.fleet import Store, every_day, load
from tests.dashboard.uptime.test_law import Scene, relaxed, scenes
from tests.support.pages import browse, by_id, read_page, rows, styled
from tests.support.waiting import eventually

TARGET = Decimal("0.99")
HOUR, DAY = timedelta(hours=1), timedelta(hours=24)
WEEK = 7 * DAY


def hourly(now: datetime, down: Callable[[int], bool] = lambda _: False, hours: range = range(24 * 8)) -> list[Any]:
    """A poll an hour, counted back from ten minutes before now. down: by the hours before now."""
    return [(now - timedelta(minutes=10) - hour * HOUR, not down(hour)) for hour in hours]


async def load_fleet(db: asyncpg.Pool, fleet: Mapping[str, Store]) -> None:
    """Store a fleet as an import does."""
    await load(db, fleet)
    await note_import(db)


async def note_import(db: asyncpg.Pool) -> None:
    """An import that changed something: what was known before is old."""
    await db.execute(
        """
        INSERT INTO store_import (
            kind, source, rows, new, changed, rejected_total, rejected, notices, started_at, made_by
        )
        VALUES ('status', 'test', 2, 2, true, 0, '[]', '{}', now(), 'test')
        """
    )


def mixed(now: datetime) -> dict[str, Store]:
    """A store of each kind."""
    later = (now + 2 * HOUR).time().replace(second=0, microsecond=0)
    until = (now + 3 * HOUR).time().replace(second=0, microsecond=0)
    return {
        "good <b>": Store(hourly(now), timezone="UTC"),
        "down/now": Store(hourly(now, lambda hour: hour < 3), timezone="UTC"),
        "was down": Store(hourly(now, lambda hour: 30 <= hour < 34), timezone="Europe/Berlin"),
        "closed": Store(hourly(now), every_day(str(later)[:5], str(until)[:5]), "UTC"),
        "stale": Store(hourly(now, hours=range(5, 24 * 8)), timezone="UTC"),
        "silent": Store([(now - 30 * DAY, True)], timezone="UTC"),
        "never": Store([], timezone="Asia/Kolkata"),
    }


@pytest.fixture
async def now(dashboard_db: asyncpg.Pool) -> datetime:
    """The time around which the fleet is polled."""
    moment = datetime.now(UTC)
    await load_fleet(dashboard_db, mixed(moment))
    return moment


Page = Callable[..., Awaitable[tuple[Response, str]]]


@pytest.fixture
def page(dashboard_app: Application) -> Page:
    """The page as a browser gets it, and its text with the entities as characters."""

    async def get(query: str = "", **headers: str) -> tuple[Response, str]:
        response = await browse(dashboard_app, f"/board/stores{query}", **headers)
        return response, unescape(await response.get_data(as_text=True))

    return get


async def figures(app: Application, path: str) -> Any:
    answer = await app.test_client().get(path)
    assert answer.status_code == 200, await answer.get_data()
    return await answer.get_json()


async def test_every_figure_of_the_page_is_that_of_the_json(
    page: Page, dashboard_app: Application, now: datetime
) -> None:
    response, text = await page()
    read = read_page(await response.get_data(as_text=True))
    spread = await figures(dashboard_app, "/stores/spread")
    found = await figures(dashboard_app, "/stores/fleet")

    assert [store["store_id"] for store in found] == re.findall(r'data-store="([^"]*)"', text)
    shown = rows(by_id(read, "stores"))[1:]
    for store, cells in zip(found, shown, strict=True):
        assert store["store_id"] in cells[0]
        assert store["timezone"] == cells[1]
        assert share_text(store["uptime_share"]) in cells[3], store
    counts = spread["states"]
    assert (counts["up"], counts["down"], counts["closed"], counts["stale"], counts["never_polled"]) == (2, 1, 1, 2, 1)
    assert spread["down_now"] == ["down/now"]
    assert ">1</a> of 7 stores is down now, and nothing is known of 3." in text
    assert f"half were up {share_text(spread['p50'])}" in text
    shown_bands = [int(band.text) for band in styled(read, "bands")[0].below if band.name == "b"]
    assert shown_bands == [band["stores"] for band in spread["bands"] if band["from"] is not None or band["stores"]]
    assert spread["measured"] + sum(band["stores"] for band in spread["bands"][-2:]) == 6


async def test_each_kind_of_store_says_what_is_true(dashboard_app: Application, page: Page, now: datetime) -> None:
    found = {store["store_id"]: store for store in await figures(dashboard_app, "/stores/fleet")}

    assert list(found)[:2] == ["was down", "down/now"]
    assert list(found)[-2:] == ["silent", "never"]
    assert set(found) == set(mixed(now))
    assert (found["good <b>"]["uptime_share"], found["good <b>"]["last_incident"]) == (1.0, None)
    assert found["down/now"]["last_incident"]["end"] is None
    over = found["was down"]["last_incident"]
    assert datetime.fromisoformat(over["start"]) == now - timedelta(minutes=10) - 33 * HOUR
    assert datetime.fromisoformat(over["end"]) == now - timedelta(minutes=10) - 29 * HOUR
    assert (over["downtime_seconds"], found["was down"]["downtime_seconds"]) == (4 * 3600, 4 * 3600)
    assert (found["silent"]["band"], found["silent"]["uptime_share"]) == ("no_data", None)
    assert (found["never"]["state"], found["never"]["days"], found["never"]["band"]) == ("never_polled", [], None)
    _, text = await page()
    assert "Never polled" in text
    assert "No data <span" in text
    assert "Down <span" in text
    assert "good <b>" in text
    assert 'href="/board/stores/down%2Fnow"' in text


@pytest.mark.parametrize("period", ["hour", "day", "week"])
async def test_the_share_of_a_store_is_the_sum_of_its_strip_and_that_of_the_list_of_stores(
    dashboard_app: Application, now: datetime, period: str
) -> None:
    found = await figures(dashboard_app, f"/stores/fleet?period={period}")
    listed = {store["store_id"]: store for store in await figures(dashboard_app, f"/stores?period={period}")}
    for store in found:
        if store["uptime_share"] is None:
            continue
        same = listed[store["store_id"]]
        assert store["uptime_share"] == same["uptime_share"]
        assert store["downtime_seconds"] == pytest.approx(same["downtime_seconds"])
        assert store["state"] == same["state"]
        if period != "hour":
            days = store["days"][-1:] if period == "day" else store["days"]
            assert store["uptime_seconds"] == pytest.approx(sum(day["up_seconds"] for day in days))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?state=down", {"down/now"}),
        ("?state=closed", {"closed"}),
        ("?state=stale", {"stale", "silent"}),
        ("?state=never_polled", {"never"}),
        ("?band=missed", {"down/now", "was down"}),
        ("?band=missed&target=98", {"was down"}),
        ("?band=missed&target=90", set()),
        ("?band=100&state=up", {"good <b>"}),
        ("?band=no_data", {"silent"}),
        ("?search=BERLIN", {"was down"}),
        ("?search=%3Cb%3E", {"good <b>"}),
        ("?search=kolkata&state=never_polled&utm_source=mail", {"never"}),
        ("?search=&state=&band=&cursor=", set(mixed(datetime.now(UTC)))),
    ],
)
async def test_filters_and_search_find_the_same_stores_as_the_json(
    page: Page, dashboard_app: Application, now: datetime, query: str, expected: set[str]
) -> None:
    response, text = await page(query)
    assert response.status_code == 200
    shown = set(re.findall(r'data-store="([^"]*)"', text))
    assert shown == expected
    [address] = re.findall(r'<a href="(/stores/fleet[^"]+)">JSON</a>', text)
    assert {store["store_id"] for store in await figures(dashboard_app, address)} == expected
    if not expected:
        assert "No store matches" in text


@pytest.mark.parametrize(
    "query", ["?state=broken", "?band=97", "?target=101", "?target=x", "?period=year", "?cursor=x"]
)
async def test_a_wrong_value_is_refused_by_a_page(page: Page, now: datetime, query: str) -> None:
    response, text = await page(query)
    assert response.status_code == 400
    assert "<main" in text


async def test_pages_of_many_stores_follow_each_other_and_are_small(
    page: Page, dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    now = datetime.now(UTC)

    def store(number: int) -> Store:
        return Store(hourly(now, lambda hour: hour % 60 < number % 7), timezone="UTC")

    await load_fleet(dashboard_db, {f"store {number:03}": store(number) for number in range(120)})
    seen, query = [], ""
    while True:
        response, text = await page(query)
        seen += re.findall(r'data-store="([^"]*)"', text)
        size = await response.get_data(as_text=False)
        assert len(size) <= 120_000
        assert len(gzip.compress(size)) <= 20_000
        following = re.search(r'<a href="/board/stores([^"]+)" rel="next">', text)
        if following is None:
            break
        query = following[1]
    assert "First page" in text
    assert len(seen) == len(set(seen)) == 120
    shares = {
        store["store_id"]: store["uptime_share"] for store in await figures(dashboard_app, "/stores/fleet?limit=200")
    }
    assert [shares[name] for name in seen] == sorted(shares.values())

    address, listed = "/stores/fleet?limit=50", []
    while address:
        answer = await dashboard_app.test_client().get(address)
        listed += [store["store_id"] for store in await answer.get_json()]
        assert 'rel="alternate"; type="text/html"' in answer.headers["Link"]
        link = re.search(r'<([^>]+)>; rel="next"', answer.headers["Link"])
        address = link[1] if link else ""
    assert listed == seen


async def test_the_export_of_a_later_page_is_exactly_that_page(
    page: Page, dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    now = datetime.now(UTC)
    await load_fleet(dashboard_db, {f"{number:03}": Store(hourly(now), timezone="UTC") for number in range(70)})
    _, first = await page()
    following = re.search(r'<a href="/board/stores([^"]+)" rel="next">', first)
    assert following is not None
    _, second = await page(following[1])
    shown = re.findall(r'data-store="([^"]*)"', second)
    for form in ("CSV", "JSON"):
        [address] = re.findall(rf'<a href="(/stores/fleet[^"]+)">{form}</a>', second)
        answer = await dashboard_app.test_client().get(address)
        text = await answer.get_data(as_text=True)
        if form == "CSV":
            found = [line.split(",")[0] for line in text.splitlines()[1:]]
        else:
            found = [store["store_id"] for store in await answer.get_json()]
        assert found == shown


async def test_a_fleet_without_stores_says_where_they_come_from(page: Page, dashboard_app: Application) -> None:
    response, text = await page()
    assert response.status_code == 200
    assert "No stores yet" in text
    assert "DASHBOARD_STORES_URL" in text
    spread = await figures(dashboard_app, "/stores/spread")
    assert (spread["measured"], spread["p50"], spread["report_id"]) == (0, None, None)
    assert await figures(dashboard_app, "/stores/fleet") == []


async def test_a_fleet_of_one_store_has_a_page(page: Page, dashboard_db: asyncpg.Pool) -> None:
    now = datetime.now(UTC)
    await load_fleet(dashboard_db, {"only": Store(hourly(now), timezone="UTC")})
    _, text = await page()
    assert "The only store is up now. It was up 100.00% of its open time in the 7 days to" in text


async def test_stores_that_nobody_has_polled_are_listed_before_there_is_any_report(
    page: Page, dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    await load_fleet(dashboard_db, {"a": Store([]), "b": Store([])})
    _, text = await page()
    assert "Nothing is known now of any of 2 stores." in text
    assert re.findall(r'data-store="([^"]*)"', text) == ["a", "b"]
    assert [store["state"] for store in await figures(dashboard_app, "/stores/fleet")] == ["never_polled"] * 2


async def test_a_collector_that_was_silent_is_on_the_page_with_the_times(
    page: Page, dashboard_db: asyncpg.Pool
) -> None:
    now = datetime.now(UTC)
    await load_fleet(
        dashboard_db, {"1": Store(hourly(now, hours=range(10)) + hourly(now, hours=range(14, 200)), timezone="UTC")}
    )
    _, text = await page()
    start, end = now - timedelta(minutes=10) - 14 * HOUR, now - timedelta(minutes=10) - 9 * HOUR
    assert f"{start:%H:%M}" in text
    assert f"{end:%H:%M} UTC" in text
    assert "(5 h): unknown, not down." in text

    await load_fleet(dashboard_db, {"1": Store(hourly(now, hours=range(3, 200)), timezone="UTC")})
    _, text = await page()
    since = r"since (\w{3} \d+ \w{3}( \d{4})?, )?\d\d:\d\d UTC"  # with the day, if that is yesterday
    assert re.search(rf"Nobody has polled any store {since}.*: what happened since is unknown, not down\.", text)
    assert "Nothing is known now of the only store." in text


async def test_the_page_is_sent_again_when_data_comes_in_and_not_before(
    page: Page, dashboard_db: asyncpg.Pool, now: datetime
) -> None:
    first, _ = await page()

    async def unchanged() -> bool:
        again, _ = await page(**{"If-None-Match": (await page())[0].headers["ETag"]})
        return again.status_code == 304

    assert await eventually(unchanged)
    await load_fleet(dashboard_db, {"other": Store(hourly(now, lambda hour: hour < 2), timezone="UTC")})
    changed, text = await page(**{"If-None-Match": first.headers["ETag"]})
    assert changed.status_code == 200
    assert re.findall(r'data-store="([^"]*)"', text) == ["other"]
    assert 'data-refresh="60"' in text


async def test_a_report_is_made_with_a_button_and_shows_its_progress_and_its_file(
    page: Page, dashboard_app: Application, dashboard_db: asyncpg.Pool, now: datetime
) -> None:
    _, text = await page()
    assert "Nobody has requested a report yet." in text  # that of the page itself is none
    client = dashboard_app.test_client()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    refused = await client.post("/board/stores", data="", headers={**form, "Origin": "https://elsewhere.example"})
    assert refused.status_code == 403
    made = await client.post("/board/stores", data="", headers=form)
    assert (made.status_code, made.headers["Location"]) == (303, "/board/stores#reports")

    async def complete() -> str | None:
        _, text = await page()
        return text if re.search(r'href="/get_report\?report_id=[^"]+format=csv"', text) else None

    text = await eventually(complete)
    [address] = re.findall(r'href="(/get_report\?report_id=[^"]+format=csv)"', text)
    assert (await (await client.get(address)).get_data(as_text=True)).startswith("store_id,uptime_last_hour")
    await dashboard_db.execute(
        """
        INSERT INTO uptime_report (report_id, requested_version, for_lists, with_details)
        VALUES (gen_random_uuid(), 999999, false, false)
        """
    )
    _, text = await page()
    assert "<progress" in text
    assert 'data-refresh="2"' in text


async def test_the_imports_are_on_the_page_where_nobody_needs_a_token(page: Page, now: datetime) -> None:
    _, text = await page()
    assert "2 new of 2" in text
    assert 'href="/stores/imports"' in text


class TestWithAnOperationsToken:
    """Imports are for operators alone."""

    @pytest.fixture
    def environment(self, environment: dict[str, str]) -> dict[str, str]:
        return {**environment, "DASHBOARD_OPERATIONS_TOKEN": "a-token-of-operators-for-these-tests"}

    async def test_imports_are_left_out_with_a_word(self, page: Page, now: datetime) -> None:
        _, text = await page()
        assert "2 new of 2" not in text
        assert "needs the token of operators" in text


async def test_a_new_report_is_made_in_the_background_while_the_page_shows_the_one_before(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, now: datetime, page: Page
) -> None:
    await page()
    runner = resources_of(dashboard_app).report_runner
    before = await runner.latest(datetime.now(UTC), 5)
    assert before.is_current
    await note_import(dashboard_db)
    meanwhile = await runner.latest(datetime.now(UTC), 0)
    assert meanwhile == (before.report, False, None)

    async def renewed() -> bool:
        found = await runner.latest(datetime.now(UTC), 0)
        return found.is_current and found.report != before.report

    assert await eventually(renewed)


@pytest.mark.parametrize("is_first", [True, False])
async def test_a_report_that_fails_is_said_and_not_made_again_with_each_page(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, now: datetime, page: Page, is_first: bool
) -> None:
    if not is_first:
        await page()
        await note_import(dashboard_db)
    await dashboard_db.execute("ALTER TABLE uptime_report_row ADD CONSTRAINT broken CHECK (store_id = '') NOT VALID")

    async def is_said() -> bool:
        return "could not be made" in (await page())[1]

    assert await eventually(is_said)
    response, text = await page()
    of_what = "The first report on the polls" if is_first else "Newer polls have come in, but the report on them"
    assert f"{of_what} could not be made. The database refused the report: CheckViolationError." in text
    assert "is being made" not in text
    assert "being counted" not in text
    assert 'data-refresh="60"' in text
    assert response.headers["Cache-Control"] == "no-store"
    listed = await dashboard_app.test_client().get("/stores/spread")
    assert listed.status_code == (503 if is_first else 200)
    failed = "SELECT count(*) FROM uptime_report WHERE status = 'failed'"
    assert await dashboard_db.fetchval(failed) == 1

    await dashboard_db.execute("ALTER TABLE uptime_report_row DROP CONSTRAINT broken")
    runner = resources_of(dashboard_app).report_runner
    found = await runner.latest(datetime.now(UTC) + FAILED_AGAIN_AFTER, 30)
    assert found.is_current


@relaxed
@given(scenes())
async def test_a_store_s_week_and_last_incident_agree_with_the_rules_of_reports_and_incidents(
    dashboard_db: asyncpg.Pool, scene: Scene
) -> None:
    await load(dashboard_db, scene.stores)
    report_id = await reports.upsert_report(dashboard_db, uuid4(), None)
    assert await service.make_report(dashboard_db, report_id, scene.now)
    report = await reports.select_report(dashboard_db, report_id)
    assert report is not None
    wanted, start = WantedFleet(TARGET), FleetPosition(report_id)
    states = dict.fromkeys(scene.stores, "up")
    found, left = await select_fleet_stores(dashboard_db, "week", wanted, start, 100, scene.now, states)  # type: ignore[arg-type]  # a state of each
    assert {store.store_id for store, _ in found} == set(scene.stores)
    assert left == len(found)
    shares = await select_measured_shares(dashboard_db, report_id, "week", TARGET)
    assert sum(band.stores for band in shares.bands) == (report.stores or 0)
    for store, _ in found:
        if report.as_of is None or not store.days:
            continue
        row = await dashboard_db.fetchrow(
            "SELECT * FROM uptime_report_row WHERE report_id = $1 AND store_id = $2", report_id, store.store_id
        )
        assert row is not None
        up = sum(day.up_seconds for day in store.days)
        down = sum(day.open_seconds for day in store.days) - up
        assert up == pytest.approx(row["uptime_last_week"].total_seconds(), abs=1e-3)
        assert down == pytest.approx(row["downtime_last_week"].total_seconds(), abs=1e-3)
        week = Window(report.as_of - WEEK, scene.now, scene.now, scene.now)
        incidents = await stores.select_incidents(dashboard_db, store.store_id, week, None, 1000)
        agree(store, incidents, report.as_of - WEEK)


def agree(store: FleetStore, incidents: list[Incident], week: datetime) -> None:
    """The last incident of a store is the last one of its list, cut to the week."""
    if not incidents:
        assert store.last_incident is None, store
        return
    last, found = incidents[-1], store.last_incident
    assert found is not None, (store, last)
    assert found.began_before or found.start == last.start
    assert found.start == max(last.start, week) or found.began_before
    assert (found.end is None) == last.ongoing
    if found.end is not None:
        assert found.end == last.end
