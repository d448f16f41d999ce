"""What nobody observed of a store: its page counts it neither as up nor as down, and says so."""

from datetime import date, timedelta
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from common.web.resources import Application
from dashboard.uptime import corrections
from tests.dashboard.uptime.fleet import Store, every_day, load, utc
from tests.dashboard.uptime.store_page import hourly, json_of, page_of, strip_names, strip_styles
from tests.support.pages import Element, addresses, browse, by_id, figure_text, named, rows

SILENT = [
    *hourly(utc("2025-06-01 00:00"), utc("2025-06-09 23:00")),
    *hourly(utc("2025-06-11 09:00"), utc("2025-06-12 12:00")),
]
"""Nobody polled on 10 June; the last poll before it covers half an hour of that day."""


async def test_a_day_that_only_the_last_poll_before_it_covers_is_unknown_but_for_that_time(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    await load(dashboard_db, {"s": Store(SILENT, timezone="UTC")})
    page = await page_of(dashboard_app, "s", "?day=2025-06-10")
    (day,) = await json_of(dashboard_app, "/stores/s/days?days=1&to=2025-06-10")

    assert (day["up_seconds"], day["observed_seconds"], day["observed_up_seconds"]) == (86_400, 1800, 1800)
    assert figure_text(page, "day") == (
        "100.00% uptime: never down in 30 min of observed open time, no incident; "
        "2% of the 24 h of open time was observed."
    )
    assert "Jun 10 2025: 100% uptime, no incident, 2% of it observed" in strip_names(page)
    assert strip_styles(page, "Jun 10 2025") == ["area", "bar", "unseen"]
    assert "Nobody polled the store on this day." in by_id(page, "day").text
    assert "Nobody polled any store Mon 9 Jun 2025, 23:00 – Wed 11 Jun 2025, 09:00" in by_id(page, "day").text
    assert figure_text(page, "7d") == "100.00%"


async def test_downtime_counts_no_longer_than_somebody_observed_it(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    last = utc("2025-06-09 23:00")
    polls = [(at, active and at != last) for at, active in SILENT]
    await load(dashboard_db, {"s": Store(polls, timezone="UTC")})
    page = await page_of(dashboard_app, "s", "?day=2025-06-10")
    week = (await json_of(dashboard_app, "/stores/s/uptime"))["items"][1]

    assert (week["down_seconds"], week["incidents"]) == (5400, 1)
    assert figure_text(page, "day").startswith("0.00% uptime: down for 30 min in 30 min of observed open time,")
    assert strip_styles(page, "Jun 10 2025") == ["area", "unseen", "bad-ground", "bad"]
    (incident,) = rows(by_id(page, "incidents"))[1:]
    assert incident == [
        "Mon 9 Jun 2025, 23:00 – Wed 11 Jun 2025, 09:00 collector silent 32 h 30 min of it not observed",
        "34 h",
    ]


async def test_a_row_of_the_week_has_observed_time_alone_as_up_and_down(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    await load(dashboard_db, {"s": Store(SILENT, timezone="UTC")})
    week = by_id(await page_of(dashboard_app, "s", "?week=2025-06-12"), "week")

    (silent,) = (cells for cells in rows(week) if cells[0] == "Tue 10 Jun")
    assert silent[1:] == ["24 h", "30 min", "0 s", "23 h 30 min", "0"]


def finding_of(section: Element) -> str:
    """What a chart says to people who do not see it."""
    return named(section, "desc")[0].text


async def test_a_week_that_nobody_observed_is_not_said_to_be_without_downtime(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    polls = [
        *hourly(utc("2025-05-01 00:00"), utc("2025-05-02 00:00")),
        *hourly(utc("2025-06-11 09:00"), utc("2025-06-12 12:00")),
    ]
    await load(
        dashboard_db,
        {"s": Store(polls, every_day("09:00", "17:00"), "UTC", closures=[(date(2025, 5, 10), date(2025, 5, 20))])},
    )

    unseen = by_id(await page_of(dashboard_app, "s", "?week=2025-06-08"), "week")
    assert finding_of(unseen) == "The store was open for 2 days 8 h, and nobody observed it."
    closed = by_id(await page_of(dashboard_app, "s", "?week=2025-05-18"), "week")
    assert finding_of(closed) == "The store was not open."
    seen = by_id(await page_of(dashboard_app, "s", "?week=2025-06-12"), "week")
    assert finding_of(seen).startswith("Never seen down. For ")


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago", "Australia/Lord_Howe", "Europe/Berlin"])
async def test_the_days_add_up_to_the_period_in_every_zone_with_closures_and_nights(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, zone: str
) -> None:
    """Over the change of the clocks in October, with hours past midnight, closures, and a silent collector."""
    down = [utc("2025-10-05 03:00"), utc("2025-10-26 01:00"), utc("2025-10-30 14:00")]
    polls = [
        *hourly(utc("2025-09-20 00:30"), utc("2025-10-18 20:30")),
        *hourly(utc("2025-10-20 02:00"), utc("2025-11-01 12:00"), down),
    ]
    closures = [(date(2025, 10, 12), date(2025, 10, 13)), (utc("2025-10-28 10:00"), utc("2025-10-28 18:00"))]
    await load(dashboard_db, {"s": Store(polls, every_day("20:00", "05:30"), zone, closures=closures)})
    page = await page_of(dashboard_app, "s")
    last = named(by_id(page, "strip"), "h2")[0].text.removeprefix("90 days to ")
    periods = (await json_of(dashboard_app, "/stores/s/uptime"))["items"]
    to = next(address for address in addresses(page) if "/days?" in address).split("to=")[1].split("&")[0]
    days = await json_of(dashboard_app, f"/stores/s/days?days=90&to={to}")

    assert f"{date.fromisoformat(to):%b} {date.fromisoformat(to).day} 2025" == last
    for period, length in zip(periods[1:], (7, 30, 90), strict=True):
        some = [day for day in days if date.fromisoformat(day["day"]) > date.fromisoformat(to) - timedelta(days=length)]
        assert period["up_seconds"] == sum(day["observed_up_seconds"] for day in some)
        assert period["up_seconds"] + period["down_seconds"] == sum(day["observed_seconds"] for day in some)
        assert period["up_seconds"] + period["down_seconds"] + period["unknown_seconds"] == sum(
            day["open_seconds"] for day in some
        )
        assert period["unknown_seconds"] > 0 or length == 7
        assert period["incidents"] == sum(day["incidents"] for day in some)
    week = rows(by_id(page, "week"))[1:]
    assert len(week) == 7
    assert [int(cells[5]) for cells in week[1:-1]] == [24] * 5 or zone == "Europe/Berlin"


async def test_deleted_polls_become_unknown_time_at_once(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    polls = hourly(utc("2025-06-01 00:00"), utc("2025-06-12 12:00"), [utc("2025-06-10 10:00")])
    await load(dashboard_db, {"s": Store(polls, timezone="UTC")})
    before = await page_of(dashboard_app, "s", "?day=2025-06-10")
    change = corrections.Change("s", "test", utc("2025-06-13 00:00"))
    await corrections.delete_polls(dashboard_db, change, utc("2025-06-09 22:00"), utc("2025-06-11 00:00"))
    page = await page_of(dashboard_app, "s", "?day=2025-06-10")

    assert figure_text(before, "day") == "95.83% uptime: down for 1 h in 24 h of open time, 1 incident."
    assert figure_text(page, "day") == "No data: the store was open for 24 h, and nobody observed it."
    assert "Jun 10 2025: no data" in strip_names(page)
    assert figure_text(page, "7d") == "100.00%"
    assert rows(by_id(page, "incidents")) == []


async def test_an_incident_that_began_when_nobody_looked_is_in_the_strip_and_in_its_sum(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    """The store opened at 20:00, and the first poll since, on the next day, found it down."""
    polls = [
        *hourly(utc("2025-06-08 20:00"), utc("2025-06-09 02:00")),
        (utc("2025-06-10 01:00"), False),
        (utc("2025-06-10 02:00"), True),
    ]
    await load(dashboard_db, {"s": Store(polls, every_day("20:00", "03:00"), "UTC")})
    page = await page_of(dashboard_app, "s")
    *_, whole = (await json_of(dashboard_app, "/stores/s/uptime"))["items"]

    listed = [cells[3] for cells in rows(by_id(page, "strip"))[1:] if cells[3] != "–"]
    assert sum(map(int, listed)) == whole["incidents"] == 1


async def test_the_last_times_that_nobody_polled_are_named_and_the_others_counted(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    polls = hourly(utc("2025-06-01 00:00"), utc("2025-06-12 12:00"))
    missed = {utc(f"2025-06-{day:02} {hour:02}:00") for day in (7, 8, 9, 10, 11) for hour in (3, 4)}
    await load(dashboard_db, {"s": Store([poll for poll in polls if poll[0] not in missed], timezone="UTC")})
    notes = [
        p.text
        for p in named(by_id(await page_of(dashboard_app, "s"), "week"), "p")
        if "obody" in p.text or "Before" in p.text
    ]

    assert [note.split(": ")[0] for note in notes] == [
        "Nobody has polled any store since Thu 12 Jun 2025, 12:00",
        "Nobody polled any store Wed 11 Jun 2025, 02:00 – 05:00",
        "Nobody polled any store Tue 10 Jun 2025, 02:00 – 05:00",
        "Before that there were 3 more such gaps.",
    ]


async def test_the_link_to_all_incidents_begins_with_the_strip_by_the_stores_clocks(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    polls = hourly(utc("2025-03-01 00:00"), utc("2025-06-12 12:00"), [utc("2025-03-15 15:00")])
    await load(dashboard_db, {"s": Store(polls, timezone="Pacific/Kiritimati")})
    page = await page_of(dashboard_app, "s")
    (address,) = {address for address in addresses(page) if "/incidents?" in address}
    (incident,) = await json_of(dashboard_app, address)

    assert parse_qs(urlsplit(address).query)["from"] == ["2025-03-15T10:00:00.000000Z"]
    assert incident["start"] == "2025-03-15T15:00:00.000000Z"
    assert rows(by_id(page, "incidents"))[1][0] == "Sun 16 Mar 2025, 05:00 – 06:00"


async def test_incidents_whose_polls_were_deleted_by_age_are_not_said_to_be_none(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    await load(dashboard_db, {"s": Store(hourly(utc("2025-06-10 00:00"), utc("2025-06-12 12:00")), timezone="UTC")})
    await dashboard_db.execute("UPDATE store SET polls_since = '2025-06-10 00:00+00', first_polled_at = '2025-06-01'")
    page = await page_of(dashboard_app, "s")
    (address,) = {address for address in addresses(page) if "/incidents?" in address}

    assert (
        "Only those since Tue 10 Jun 2025, 00:00: older polls were deleted by their age."
        in by_id(page, "incidents").text
    )
    assert (await browse(dashboard_app, address)).status_code == 200


async def test_a_last_poll_while_the_store_was_closed_says_so_beside_another_state(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    polls = hourly(utc("2025-06-09 00:00"), utc("2025-06-11 18:00"), [utc("2025-06-11 18:00")])
    await load(dashboard_db, {"s": Store(polls, every_day("09:00", "17:00"), "UTC")})
    page = await page_of(dashboard_app, "s", "?day=2025-06-11")

    assert ": down, while it was closed" in by_id(page, "state").text
    polled = [cells for cells in rows(by_id(page, "day")) if cells[0].endswith("UTC")]
    assert [polled[0][1:], polled[9][1:], polled[-1][1:]] == [["up", "closed"], ["up", "open"], ["down", "closed"]]
