"""The page of a month: its figures are those of the pace, of the build-up and of the nights."""

import gzip
import re
from collections import defaultdict
from datetime import date, timedelta
from typing import Any

import asyncpg
import pytest

from common.web.charts.number_text import count_text
from common.web.resources import Application
from tests.dashboard.bookings.event_sources import insert_in_pages, simulated
from tests.dashboard.bookings.expected_curves import HOTEL, booking
from tests.support.pages import (
    Element,
    addresses,
    browse,
    browse_page,
    by_id,
    figure_text,
    named,
    read_page,
    rows,
    styled,
)

DAY = timedelta(days=1)
ROOMS = 6


async def json_of(app: Application, path: str) -> Any:
    response = await app.test_client().get(f"/hotels/{HOTEL}/{path}")
    assert response.status_code == 200, await response.get_data(as_text=True)
    return await response.get_json()


async def month_page(app: Application, month: str, query: str = "") -> Element:
    return await browse_page(app, f"/board/hotels/{HOTEL}/months/{month}?{query}")


async def set_rooms(app: Application, rooms: int) -> None:
    response = await app.test_client().put(f"/hotels/{HOTEL}/profile", json={"rooms": rooms})
    assert response.status_code == 200


@pytest.mark.parametrize("match", ["weekday", "date"])
@pytest.mark.parametrize(
    ("month", "as_of"),
    [
        ("2024-02", "2024-02-10"),
        ("2024-03", "2024-02-29"),
        ("2025-02", "2025-02-28"),
        ("2025-05", "2025-04-15"),
        ("2025-05", "2025-05-31"),
        ("2025-04", "2025-05-31"),
    ],
)
async def test_the_last_known_point_of_the_curve_is_the_pace_of_the_month(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, month: str, as_of: str, match: str
) -> None:
    await insert_in_pages(dashboard_db, list(simulated()))
    await set_rooms(dashboard_app, ROOMS)
    page = await month_page(dashboard_app, month, f"as_of={as_of}&match={match}")
    pace = (await json_of(dashboard_app, f"pace?year={month[:4]}&as_of={as_of}&match={match}"))["items"]
    (item,) = [item for item in pace if item["period"] == month]
    build_up = await json_of(dashboard_app, f"build-up?month={month}&as_of={as_of}&match={match}")

    *_, last = [cells for cells in rows(by_id(page, "build-up"))[1:] if cells[1] != "–"]
    on_the_books, last_year = count_text(item["on_the_books"]), count_text(item["last_year"])
    assert last == [min(as_of, build_up["items"][-1]["day"]), on_the_books, last_year]
    nights = len(rows(by_id(page, "nights"))) - 3
    past = [line for number, line in enumerate(rows(by_id(page, "nights"))[2:-1], 1) if f"{month}-{number:02}" < as_of]
    whole, slept = f"{nights * ROOMS} room nights", count_text(build_up["last_year_slept"])
    if build_up["items"][-1]["day"] < as_of:
        assert figure_text(page, "sentence").startswith(f"{on_the_books} of {whole} were slept (")
        assert figure_text(page, "sentence").endswith(f"Last year {slept}.")
    else:
        expected = f"{on_the_books} of {whole} are on the books ("
        if past:
            slept_now = sum(int(line[1]) for line in past)
            expected = (
                f"{slept_now} room nights slept in {len(past)} nights, {item['on_the_books'] - slept_now} on the "
            )
            expected += f"books for {nights - len(past)} more: {on_the_books} of {nights * ROOMS} ("
        assert figure_text(page, "sentence").startswith(expected)
        assert figure_text(page, "sentence").endswith(f"Last year then {last_year}, slept {slept}.")
        label = f"{on_the_books}; last year then {last_year}, slept {slept}"
        assert [each.text for each in styled(by_id(page, "build-up"), "label")] == [label] * 2


@pytest.mark.parametrize("match", ["weekday", "date"])
async def test_the_table_and_the_weekdays_are_those_of_the_nights(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, match: str
) -> None:
    await insert_in_pages(dashboard_db, list(simulated()))
    page = await month_page(dashboard_app, "2024-02", f"as_of=2024-02-10&match={match}")
    query = f"nights?from=2024-02-01&to=2024-02-29&as_of=2024-02-10&match={match}"
    items = (await json_of(dashboard_app, query))["items"]

    _, _, *lines, total = rows(by_id(page, "nights"))
    assert [line[1] for line in lines] == [count_text(item["on_the_books"]) for item in items]
    assert [line[-3] for line in lines] == [count_text(item["same_time_last_year"]) for item in items]
    assert (total[0], total[1]) == ("29 nights", count_text(sum(item["on_the_books"] for item in items)))

    by_weekday: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
    for item in items:
        by_weekday[date.fromisoformat(item["night"]).weekday()].append(item)
    averages = rows(by_id(page, "weekdays"))
    assert averages[0][1:] == ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    for name, line in (("on_the_books", averages[1]), ("same_time_last_year", averages[2])):
        values = [[item[name] for item in by_weekday[day] if item[name] is not None] for day in range(7)]
        assert line[1:] == [f"{round(sum(known) / len(known), 1):.1f}" for known in values]


async def test_a_month_without_a_last_year_has_dashes_and_no_claim(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, today: date
) -> None:
    await insert_in_pages(dashboard_db, [booking(1, today, today)])
    page = await month_page(dashboard_app, f"{today:%Y-%m}")

    assert "1 room night is on the books." in figure_text(page, "sentence") or ", 1 on the books for " in figure_text(
        page, "sentence"
    )
    assert set(rows(by_id(page, "weekdays"))[2][1:]) == {"–"}
    assert not re.search(r"\d%", page.text)


async def test_a_month_before_the_first_event_is_unknown(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    await insert_in_pages(dashboard_db, [booking(1, date(2024, 3, 2), date(2024, 3, 1))])
    page = await month_page(dashboard_app, "2024-02")

    assert figure_text(page, "sentence") == "The feed begins on 1 March 2024: nothing is known of this month."
    assert rows(by_id(page, "nights")) == rows(by_id(page, "weekdays")) == []


async def test_books_older_than_the_chart_are_in_the_sentence_and_the_table(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, today: date
) -> None:
    night = (today + 400 * DAY).replace(day=15)
    await insert_in_pages(dashboard_db, [booking(1, night, today)])
    page = await month_page(dashboard_app, f"{night:%Y-%m}")

    assert figure_text(page, "sentence") == "1 room night is on the books."
    assert "These books are older than" in by_id(page, "build-up").text
    assert {cells[1] for cells in rows(by_id(page, "build-up"))[1:]} == {"–"}


async def test_the_links_of_a_past_page_keep_its_books(dashboard_app: Application, dashboard_db: asyncpg.Pool) -> None:
    await insert_in_pages(dashboard_db, list(simulated()))
    page = await month_page(dashboard_app, "2025-01", "as_of=2024-12-20&match=date")
    path, kept = f"/board/hotels/{HOTEL}", "?as_of=2024-12-20&match=date"

    assert "The books of 20 December 2024" in by_id(page, "books").text
    assert addresses(by_id(page, "books")) == [f"{path}/months/2025-01?match=date"]
    assert addresses(by_id(page, "steps")) == [f"{path}/months/2024-12{kept}", f"{path}/months/2025-02{kept}"]
    assert addresses(by_id(page, "place")) == [f"{path}{kept}"]
    assert addresses(by_id(page, "nights"))[0] == f"{path}/nights/2025-01-01{kept}"
    assert "data-refresh" not in by_id(page, "main").attributes


async def test_the_other_formats_of_a_page_are_answered(dashboard_app: Application, dashboard_db: asyncpg.Pool) -> None:
    await insert_in_pages(dashboard_db, list(simulated()))
    page = await month_page(dashboard_app, "2025-05", "as_of=2025-04-20&match=date&utm_source=mail")
    others = [link.attributes for link in named(page, "link") if link.attributes["rel"] == "alternate"]

    assert [other["type"] for other in others] == ["application/json", "text/csv"] * 2
    for other in others:
        response = await dashboard_app.test_client().get(other["href"])
        assert (response.status_code, response.mimetype) == (200, other["type"])


async def test_a_page_is_sent_again_only_after_a_change(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, today: date
) -> None:
    path = f"/board/hotels/{HOTEL}/months/{today:%Y-%m}"
    await insert_in_pages(dashboard_db, [booking(1, today, today)])
    again = {"If-None-Match": (await browse(dashboard_app, path)).headers["ETag"]}
    assert by_id(await browse_page(dashboard_app, path), "main").attributes["data-refresh"] == "10"

    assert (await browse(dashboard_app, path, **again)).status_code == 304
    await set_rooms(dashboard_app, ROOMS)
    assert (await browse(dashboard_app, path, **again)).status_code == 200


async def test_the_page_is_small_and_without_inline_presentation(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    await insert_in_pages(dashboard_db, list(simulated()))
    await set_rooms(dashboard_app, ROOMS)
    response = await browse(dashboard_app, f"/board/hotels/{HOTEL}/months/2025-05?as_of=2025-04-20&match=date")
    page = await response.get_data(as_text=True)

    assert len(page.encode()) <= 120_000
    assert len(gzip.compress(page.encode())) <= 20_000
    assert not re.search(r"\s(style|on\w+)=|<style|javascript:", page)


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("hotels/99/months/2025-05", 404, "Hotel 99 was never heard of"),
        ("hotels/7001/months/2025-13", 404, "2025-13 is not a valid month: write one from 1900-01 to 2199-12"),
        (
            "hotels/7001/months/May",
            404,
            "May is not a valid month: write one from 1900-01 to 2199-12, such as 2026-12.",
        ),
        ("hotels/7001/months/1899-12", 404, "1899-12 is not a valid month: write one"),
        ("hotels/7001/months/2200-01", 404, "2200-01 is not a valid month: write one"),
        ("hotels/7001/months/2025-05?as_of=2199-01-01", 400, "Books as of is in the future"),
        ("hotels/7001/months/2025-05?match=month", 400, "Beside last year must be 'date' or 'weekday'"),
    ],
)
async def test_what_cannot_be_shown_is_said_in_words(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, path: str, status: int, text: str
) -> None:
    await insert_in_pages(dashboard_db, [booking(1, date(2024, 1, 2), date(2024, 1, 1))])
    response = await browse(dashboard_app, f"/board/{path}")

    assert (response.status_code, response.mimetype) == (status, "text/html")
    assert text in read_page(await response.get_data(as_text=True)).text


@pytest.mark.parametrize("month", ["1900-01", "2199-12"])
@pytest.mark.parametrize("query", ["", "as_of=1900-01-01", "match=date"])
async def test_the_ends_of_the_calendar_have_pages(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, month: str, query: str
) -> None:
    await insert_in_pages(dashboard_db, [booking(1, date(2024, 1, 2), date(2024, 1, 1))])
    assert len(addresses(by_id(await month_page(dashboard_app, month, query), "steps"))) == 1
