"""The page of a store as a browser gets it: each figure is that of the JSON, and what is not known says so."""

import math
import re
from datetime import UTC, date, datetime, timedelta

import asyncpg
import pytest

from common.web.resources import Application
from tests.dashboard.uptime.fleet import Store, every_day, load, row, utc
from tests.dashboard.uptime.store_page import hourly, json_of, page_of, strip_names, strip_styles
from tests.support.pages import addresses, browse, by_id, figure_text, named, rows, styled
from tests.support.waiting import eventually


def minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)


@pytest.fixture
def now() -> datetime:
    return minute(datetime.now(UTC))


def percent(share: float) -> str:
    """A share, rounded down to two decimals."""
    return f"{math.floor(share * 10_000 + 1e-6) / 100:.2f}%"


async def test_each_figure_is_that_of_the_json_and_the_percent_is_the_sum_of_the_strip(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, now: datetime
) -> None:
    down = [now - timedelta(hours=hours) for hours in (5, 6, 70, 71, 72, 700)]
    polls = [(at - timedelta(minutes=10), active) for at, active in hourly(now - timedelta(days=100), now, down)]
    await load(dashboard_db, {"s": Store(polls, every_day("06:00", "22:00"), "Europe/Berlin")})
    page = await page_of(dashboard_app, "s")
    periods = (await json_of(dashboard_app, "/stores/s/uptime"))["items"]
    days = await json_of(dashboard_app, "/stores/s/days?days=90")

    assert [each["period"] for each in periods] == ["24h", "7d", "30d", "90d"]
    for each in periods:
        assert figure_text(page, each["period"]) == percent(each["uptime_share"])
    for each, length in zip(periods[1:], (7, 30, 90), strict=True):
        some = days[-length:]
        up, observed = sum(day["observed_up_seconds"] for day in some), sum(day["observed_seconds"] for day in some)
        assert each["incidents"] == sum(day["incidents"] for day in some)
        assert each["up_seconds"] == pytest.approx(up, abs=60)
        assert each["uptime_share"] == pytest.approx(up / observed, abs=1e-5)
        assert each["coverage"] == pytest.approx(observed / sum(day["open_seconds"] for day in some), abs=1e-4)
    assert figure_text(page, "90d") == percent(periods[-1]["uptime_share"])
    assert [b.text for b in named(by_id(page, "strip"), "b")] == [figure_text(page, "90d"), figure_text(page, "30d")]
    assert len(strip_names(page)) == 90
    shown = {cells[0]: cells[3] for cells in rows(by_id(page, "strip"))[1:]}
    assert sum(map(int, (each for each in shown.values() if each != "–"))) == periods[-1]["incidents"]


async def test_incidents_that_ended_say_how_long_it_took_to_recover(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, now: datetime
) -> None:
    down = [now - timedelta(hours=hours) for hours in (3, 9, 10)]
    await load(dashboard_db, {"s": Store(hourly(now - timedelta(days=3), now, down), timezone="UTC")})
    page = await page_of(dashboard_app, "s")
    hours, *_ = (await json_of(dashboard_app, "/stores/s/uptime"))["items"]

    assert (hours["incidents"], hours["recoveries"], hours["mean_seconds_to_recover"]) == (2, 2, 5400)
    (tile, *_) = styled(page, "tile")
    assert [p.text for p in named(tile, "p")][:3] == ["down 3 h", "2 incidents", "1 h 30 min to recover on average"]


async def test_a_day_with_two_minutes_down_is_ok_with_a_notch(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, now: datetime
) -> None:
    noon = datetime.combine(now.date() - timedelta(days=2), datetime.min.time(), UTC) + timedelta(hours=12)
    polls = [*hourly(noon - timedelta(days=3), noon + timedelta(days=2)), (noon + timedelta(minutes=2), True)]
    polls = [(at, active and at != noon) for at, active in polls]
    await load(dashboard_db, {"s": Store(polls, timezone="UTC")})
    page = await page_of(dashboard_app, "s")

    name = f"{noon:%b} {noon.day} {noon.year}"
    assert f"{name}: 99.86% uptime, 1 incident" in strip_names(page)
    assert strip_styles(page, name) == ["area", "bar", "bad-ground", "bad"]


async def test_a_store_that_was_never_polled_has_no_data_and_no_percent(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, now: datetime
) -> None:
    await load(dashboard_db, {"s": Store([]), "other": Store(hourly(now - timedelta(days=1), now))})
    page = await page_of(dashboard_app, "s")

    assert figure_text(page, "state") == "No data"
    assert [figure_text(page, name) for name in ("24h", "7d", "30d", "90d")] == ["No data"] * 4
    assert {name.split(": ")[1] for name in strip_names(page)} == {"no data"}
    assert "100" not in by_id(page, "figures").text + by_id(page, "strip").text
    (items,) = [(await json_of(dashboard_app, "/stores/s/uptime"))["items"]]
    assert {each["uptime_share"] for each in items} == {each["up_seconds"] for each in items} == {None}


async def test_a_silent_collector_is_named_and_days_without_polls_count_neither_way(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, now: datetime
) -> None:
    silence = now - timedelta(days=4)
    await load(dashboard_db, {"s": Store(hourly(now - timedelta(days=8), silence, [silence]), timezone="UTC")})
    page = await page_of(dashboard_app, "s")
    week = (await json_of(dashboard_app, "/stores/s/uptime"))["items"][1]

    assert figure_text(page, "state") == "No data"
    assert "The collector is silent: no store at all has been polled for 4 days" in styled(page, "notice")[0].text
    assert [name.split(": ")[1] for name in strip_names(page)[-3:]] == ["no data"] * 3
    assert week["unknown_seconds"] > 2 * 86_400
    assert week["up_seconds"] + week["down_seconds"] + week["unknown_seconds"] == pytest.approx(
        sum(day["open_seconds"] for day in await json_of(dashboard_app, "/stores/s/days?days=7")), abs=60
    )
    (incident,) = rows(by_id(page, "incidents"))[1:]
    assert re.fullmatch(r"since .* ongoing collector silent \d+ \S+.* of it not observed", incident[0])
    assert any(note.text.startswith("Nobody has polled any store since ") for note in named(by_id(page, "week"), "p"))


async def test_the_figures_of_old_data_end_with_its_newest_poll(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    polls = hourly(utc("2023-01-20 00:00"), utc("2023-01-25 12:00"), [utc("2023-01-25 12:00")])
    await load(dashboard_db, {"s": Store(polls, timezone="UTC")})
    page = await page_of(dashboard_app, "s")

    assert named(by_id(page, "strip"), "h2")[0].text == "90 days to Jan 25 2023"
    assert (
        "No store has been polled since Wed 25 Jan 2023, 12:00: the days end with that day, "
        "the 24 hours with that poll." in by_id(page, "strip").text
    )
    assert strip_names(page)[-2] == "Jan 24 2023: 100% uptime, no incident"
    assert strip_names(page)[-6].startswith("Jan 20 2023: 100%")
    assert strip_names(page)[-7] == "Jan 19 2023: no data"
    assert (await json_of(dashboard_app, "/stores/s/uptime"))["items"][0]["to"] == "2023-01-25T12:00:00.000000Z"


async def test_a_store_that_is_closed_today_says_so_and_why(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, now: datetime
) -> None:
    today = now.date()
    closure = (today, today)
    await load(dashboard_db, {"s": Store(hourly(now - timedelta(days=3), now), timezone="UTC", closures=[closure])})
    await dashboard_db.execute("UPDATE store_closure SET reason = 'Stocktaking <all>'")
    page = await page_of(dashboard_app, "s", f"?day={today}")

    assert figure_text(page, "state") == "Closed"
    state = by_id(page, "state").text
    assert f"opens {today + timedelta(days=1):%a}" in state
    assert "The reason: Stocktaking <all>." in state
    assert strip_names(page)[-1].endswith(": not open so far")
    assert figure_text(page, "day") == "The store has not been open so far."
    assert "Stocktaking <all>" in by_id(page, "closures").text
    earlier = await page_of(dashboard_app, "s", f"?week={today - timedelta(days=14)}")
    assert ": up, while it was closed" in by_id(page, "state").text
    assert ": up, while it was closed" in by_id(earlier, "state").text


async def test_many_incidents_are_cut_off_with_words_and_the_ongoing_one_is_first(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, now: datetime
) -> None:
    down = [now - timedelta(hours=hours) for hours in range(0, 60, 2)]
    await load(dashboard_db, {"s": Store(hourly(now - timedelta(days=4), now, down), timezone="UTC")})
    found = by_id(await page_of(dashboard_app, "s"), "incidents")
    listed = await json_of(dashboard_app, "/stores/s/incidents")

    shown = rows(found)[1:]
    assert len(listed) == 30
    assert len(shown) == 20
    assert re.fullmatch(r"since .* ongoing", shown[0][0])
    assert "There were more than 20: these are the last." in found.text


@pytest.mark.parametrize("store_id", ["a/b c", "“Ζήτα”'\"<b>", "café?x=1&y#z", "50% off", "店/é", "days"])
async def test_an_id_may_have_any_characters(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, now: datetime, store_id: str
) -> None:
    await load(dashboard_db, {store_id: Store(hourly(now - timedelta(days=2), now))})
    page = await page_of(dashboard_app, store_id)

    assert named(page, "h1")[0].text == f"Store {store_id}"
    client = dashboard_app.test_client()
    linked = {address for address in addresses(page) if address.startswith("/stores/")}
    linked |= {image.attributes["src"] for image in named(page, "img")}
    statuses = {address: (await client.get(address)).status_code for address in linked}
    assert len(statuses) >= 6
    assert set(statuses.values()) == {200}, statuses


async def test_an_unknown_store_is_a_page_with_the_way_to_the_list(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    for address in ("/board/stores/nobody%3Cb%3E", "/board/stores/a%00b"):
        response = await browse(dashboard_app, address)
        text = await response.get_data(as_text=True)
        assert response.status_code == 404
        assert "There is no store" in text
        assert '<a href="/board/stores">All stores</a>' in text
        assert "<b>" not in text.split("<main")[1]


async def test_a_day_to_come_and_one_that_is_no_date_are_refused(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, now: datetime
) -> None:
    await load(dashboard_db, {"s": Store(hourly(now - timedelta(days=2), now), timezone="UTC")})
    tomorrow = now.date() + timedelta(days=1)
    for query in (f"day={tomorrow}", f"week={tomorrow}", "day=yesterday", "week=2026-02-30", "day=1960-01-01"):
        response = await browse(dashboard_app, f"/board/stores/s?{query}")
        assert response.status_code == 400, query
        assert 'aria-invalid="true"' in await response.get_data(as_text=True)
    for query in ("day=", "week=&day=", "utm_source=mail"):
        assert (await browse(dashboard_app, f"/board/stores/s?{query}")).status_code == 200
    first = await page_of(dashboard_app, "s", "?day=1970-01-01&week=1970-01-01")
    assert addresses(named(by_id(first, "day"), "nav")[0]) == ["?day=1970-01-02&week=1970-01-01#day"]
    assert addresses(named(by_id(first, "week"), "nav")[0]) == ["?day=1970-01-01&week=1970-01-08#week"]


async def test_the_page_is_not_sent_again_within_a_minute_while_nothing_changed(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, now: datetime
) -> None:
    await load(dashboard_db, {"s": Store(hourly(now - timedelta(days=2), now), timezone="UTC")})

    async def unchanged() -> bool:
        first = await browse(dashboard_app, "/board/stores/s")
        second = await browse(dashboard_app, "/board/stores/s", **{"If-None-Match": first.headers["ETag"]})
        return second.status_code == 304

    assert await eventually(unchanged)  # the minute may end between the two


async def test_the_json_names_the_page(dashboard_app: Application, dashboard_db: asyncpg.Pool, now: datetime) -> None:
    await load(dashboard_db, {"a b": Store(hourly(now - timedelta(days=2), now))})
    for path in ("", "/days", "/uptime"):
        response = await dashboard_app.test_client().get(f"/stores/a%20b{path}")
        assert response.headers["Link"] == '</board/stores/a%20b>; rel="alternate"; type="text/html"'


async def test_a_store_on_monday_mornings_is_closed_on_the_other_days(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    polls = hourly(utc("2025-06-01 00:00"), utc("2025-06-11 12:00"))
    await load(dashboard_db, {"s": Store(polls, [row(0, "09:00", "12:00")], "UTC")})
    names = strip_names(await page_of(dashboard_app, "s"))

    monday = date(2025, 6, 9)
    assert names[-3:] == [
        f"Jun {monday.day} 2025: 100% uptime, no incident",
        "Jun 10 2025: closed",
        "Jun 11 2025: closed",
    ]


async def test_a_store_that_closed_while_it_was_down_says_so(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, now: datetime
) -> None:
    polls = [(now - timedelta(hours=30), True), (now - timedelta(hours=27), False), (now - timedelta(hours=1), True)]
    closure = (now - timedelta(hours=26), now + timedelta(hours=5))
    await load(dashboard_db, {"s": Store(polls, timezone="UTC", closures=[closure])})
    state = by_id(await page_of(dashboard_app, "s"), "state").text

    assert "It was down when it closed: the incident that began" in state
    assert (await json_of(dashboard_app, "/stores/s"))["incident"]["ongoing"]


async def test_a_zone_that_only_the_database_knows_is_shown_in_utc(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, now: datetime
) -> None:
    polls = hourly(now - timedelta(days=2), now)
    await load(dashboard_db, {"s": Store(polls, timezone="america/CHICAGO")})

    assert " in america/CHICAGO, shown in UTC" in by_id(await page_of(dashboard_app, "s"), "state").text
