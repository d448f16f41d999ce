"""A chosen day and a week of hours on the page of a store."""

from datetime import timedelta

import asyncpg
import pytest

from common.web.resources import Application
from dashboard.uptime import service
from tests.dashboard.uptime.fleet import Store, every_day, load, utc
from tests.dashboard.uptime.store_page import hourly, json_of, page_of, strip_names, wide_strip
from tests.support.pages import addresses, by_id, figure_text, named, rows


async def test_a_chosen_day_has_its_hours_polls_and_incidents(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    polls = hourly(utc("2025-06-08 00:00"), utc("2025-06-12 00:00"), [utc("2025-06-10 10:00")])
    await load(dashboard_db, {"s": Store(polls, every_day("09:00", "17:00"), "UTC")})
    page = await page_of(dashboard_app, "s", "?day=2025-06-10")

    day = by_id(page, "day")
    assert named(day, "h2")[0].text == "Tuesday 10 June 2025"
    assert figure_text(day, "day") == "87.50% uptime: down for 1 h in 8 h of open time, 1 incident."
    assert "Open 09:00–17:00." in day.text
    assert "24 polls" in day.text
    incident = [cells for cells in rows(day) if cells[0].startswith("Tue 10 Jun")][-1]
    assert incident == ["Tue 10 Jun 2025, 10:00 – 11:00", "1 h"]
    assert addresses(named(day, "nav")[0]) == ["?day=2025-06-09#day", "?day=2025-06-11#day"]
    (chosen,) = (link for link in named(wide_strip(page), "a") if "aria-current" in link.attributes)
    assert chosen.attributes["href"] == "?day=2025-06-10#day"


async def test_a_day_before_the_strip_has_its_figures_and_is_not_marked_in_it(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    polls = hourly(utc("2025-01-01 00:00"), utc("2025-06-12 00:00"), [utc("2025-01-10 10:00")])
    await load(dashboard_db, {"s": Store(polls, timezone="UTC")})
    page = await page_of(dashboard_app, "s", "?day=2025-01-10")

    assert figure_text(page, "day") == "95.83% uptime: down for 1 h in 24 h of open time, 1 incident."
    assert named(by_id(page, "week"), "h2")[0].text == "Hours from Fri 10 Jan to Thu 16 Jan 2025"
    current = [
        link.attributes["aria-label"] for link in named(wide_strip(page), "a") if "aria-current" in link.attributes
    ]
    assert current == [strip_names(page)[-1]]
    unpolled = await page_of(dashboard_app, "s", "?day=2024-12-31")
    assert figure_text(unpolled, "day") == "No data: nobody had polled the store by then."


@pytest.mark.parametrize(
    ("day", "hours", "figures"),
    [("2025-10-26", 25, "in 25 h of open time"), ("2025-03-30", 23, "in 23 h of open time")],
)
async def test_a_day_on_which_the_clocks_change_has_25_or_23_hours(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, day: str, hours: int, figures: str
) -> None:
    noon = utc(f"{day} 12:00")
    polls = hourly(noon - timedelta(days=3), noon + timedelta(days=3))
    await load(dashboard_db, {"s": Store(polls, timezone="Europe/Berlin")})
    page = await page_of(dashboard_app, "s", f"?day={day}")
    (found,) = await json_of(dashboard_app, f"/stores/s/days?days=1&to={day}")

    assert found["open_seconds"] == hours * 3600
    assert figures in figure_text(page, "day")
    assert named(by_id(page, "day"), "h2")[0].text.endswith(f", a day of {hours} hours")
    (cells,) = (cells for cells in rows(by_id(page, "week")) if cells[0].endswith(f"({hours} h)"))
    assert (cells[1], cells[5]) == (f"{hours} h" if hours < 24 else "25 h", str(hours))


async def test_a_store_that_opens_over_midnight_is_one_shift_on_two_days(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    polls = hourly(utc("2025-06-09 00:00"), utc("2025-06-11 12:00"), [utc("2025-06-10 02:00")])
    await load(dashboard_db, {"s": Store(polls, every_day("22:00", "04:00"), "UTC")})
    page = await page_of(dashboard_app, "s", "?day=2025-06-10")

    assert "Open 00:00–04:00 and 22:00–24:00." in by_id(page, "day").text
    assert by_id(page, "hours").text.count("22:00–04:00 of the next day") == 7
    (day,) = (cells for cells in rows(by_id(page, "week")) if cells[0] == "Tue 10 Jun")
    assert day[1:5] == ["6 h", "5 h", "1 h", "0 s"]


async def test_the_week_moves_by_seven_days_and_keeps_the_chosen_day(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    await load(dashboard_db, {"s": Store(hourly(utc("2025-05-01 00:00"), utc("2025-06-11 12:00")), timezone="UTC")})
    week = by_id(await page_of(dashboard_app, "s", "?day=2025-06-10&week=2025-06-01"), "week")

    assert named(week, "h2")[0].text == "Hours from Mon 26 May to Sun 1 Jun 2025"
    assert addresses(named(week, "nav")[0]) == [
        "?day=2025-06-10&week=2025-05-25#week",
        "?day=2025-06-10&week=2025-06-08#week",
    ]
    assert len(rows(week)) == 8
    last = by_id(await page_of(dashboard_app, "s"), "week")
    assert addresses(named(last, "nav")[0]) == ["?week=2025-06-04#week"]


async def test_days_whose_polls_were_deleted_keep_their_figures_alone(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    await load(dashboard_db, {"s": Store(hourly(utc("2025-06-10 00:00"), utc("2025-06-12 12:00")), timezone="UTC")})
    await dashboard_db.execute("UPDATE store SET polls_since = '2025-06-10 00:00+00', first_polled_at = '2025-06-01'")
    await dashboard_db.execute("INSERT INTO store_day VALUES ('s', '2025-06-09', '24 h', '18 h', '24 h', '18 h', 1)")
    page = await page_of(dashboard_app, "s", "?day=2025-06-09")

    assert figure_text(page, "day").startswith("75.00% uptime: down for 6 h in 24 h of open time, 1 incident")
    assert "were deleted by their age" in by_id(page, "day").text
    assert "were deleted by their age" in by_id(page, "week").text
    assert "Jun 9 2025: 75% uptime, 1 incident" in strip_names(page)


async def test_a_day_of_many_polls_and_incidents_is_cut_off_with_words(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    noon = utc("2025-06-10 12:00")
    polls = [(noon + timedelta(minutes=number), number % 2 == 0) for number in range(100)]
    await load(dashboard_db, {"s": Store(polls, timezone="UTC")})
    day = by_id(await page_of(dashboard_app, "s", "?day=2025-06-10"), "day")

    assert "100 polls" in day.text
    assert "The first 60 of 100." in day.text
    assert "There were more than 20: these are the last." in day.text
    monkeypatch.setattr(service, "MAX_TIMELINE_POLLS", 99)
    page = await page_of(dashboard_app, "s", "?day=2025-06-10")
    assert "This time has more than 99 polls, which are too many to draw." in by_id(page, "day").text
    assert "% uptime" in figure_text(page, "day")
