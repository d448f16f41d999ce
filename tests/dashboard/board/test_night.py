"""The page of a night: its figures are those of the JSON of the same query, in every state of a night."""

import gzip
import re
from datetime import date, timedelta
from typing import Any

import asyncpg
import pytest

from common.web.charts.number_text import count_text, range_text
from common.web.resources import Application
from dashboard.board.page_views.night import whole_rooms
from tests.dashboard.bookings.event_sources import insert_in_pages, simulated
from tests.dashboard.bookings.expected_curves import HOTEL, booking
from tests.support.pages import (
    Element,
    addresses,
    browse,
    browse_page,
    by_id,
    figure,
    figure_text,
    named,
    read_page,
    rows,
    styled,
)

DAY = timedelta(days=1)
PICKUPS = ("today", "yesterday", "pickup_3", "pickup_7", "pickup_14", "pickup_30")
PAST = [
    ("2025-05-10", "as_of=2025-04-20"),
    ("2025-05-10", "as_of=2025-04-20&match=date"),
    ("2024-02-29", "as_of=2024-02-10&match=date"),
    ("2025-03-01", "as_of=2025-03-01"),
    ("2025-05-10", "as_of=2025-01-20&days=365"),
]


async def json_of(app: Application, path: str) -> Any:
    response = await app.test_client().get(f"/hotels/{HOTEL}/{path}")
    assert response.status_code == 200, await response.get_data(as_text=True)
    return await response.get_json()


async def night_page(app: Application, night: date | str, query: str = "") -> Element:
    return await browse_page(app, f"/board/hotels/{HOTEL}/nights/{night}?{query}")


async def set_profile(app: Application, **profile: Any) -> None:
    response = await app.test_client().put(f"/hotels/{HOTEL}/profile", json=profile)
    assert response.status_code == 200


@pytest.mark.parametrize(("night", "query"), PAST)
async def test_the_figures_are_those_of_the_json_of_the_same_query(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, night: str, query: str
) -> None:
    await insert_in_pages(dashboard_db, list(simulated()))
    await set_profile(dashboard_app, name="Harbour House", rooms=6)
    page = await night_page(dashboard_app, night, query)
    asked = query.replace("&days=365", "")
    (item,) = (await json_of(dashboard_app, f"nights?from={night}&to={night}&{asked}"))["items"]
    usual = await json_of(dashboard_app, f"booking-curve/usual?night={night}&{asked}")

    assert figure_text(page, "sentence").startswith(f"{item['on_the_books']} of 6 rooms are on the books (")
    if item["same_time_last_year"] is not None:
        assert f"Last year then {item['same_time_last_year']}" in figure_text(page, "sentence")
    assert [figure(page, name) for name in PICKUPS] == [item[name] for name in PICKUPS]
    drawn = rows(by_id(page, "curve"))[1:]
    assert [[cells[0], *cells[2:]] for cells in drawn] == [
        [
            count_text(point["days_before"]),
            range_text(whole_rooms(point["q1"]), whole_rooms(point["q3"])),
            count_text(whole_rooms(point["median"])),
            count_text(point["last_year"]),
        ]
        for point in usual["items"][-len(drawn) :]
    ]
    known = [cells[1] for cells in drawn if cells[1] != "–"]
    assert known[-1] == str(item["on_the_books"])


async def test_the_label_of_the_newest_point_is_the_last_point_of_the_booking_curve(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, today: date
) -> None:
    night = today + 10 * DAY
    await insert_in_pages(
        dashboard_db,
        [
            booking(1, night, today - 40 * DAY),
            booking(2, night, today - 20 * DAY),
            booking(3, night, today - 20 * DAY),
            booking(4, night, today - 3 * DAY, 2),
        ],
    )
    page = await night_page(dashboard_app, night)
    curve = (await json_of(dashboard_app, f"booking-curve?night={night}"))["items"]

    last = curve[-1]["on_the_books"]
    assert last == 2
    assert [label.text.split(",")[0] for label in styled(by_id(page, "curve"), "label")] == ["2 now"] * 2
    points = {cells[0]: cells[1] for cells in rows(by_id(page, "curve"))[1:]}
    assert {point["days_before"]: point["on_the_books"] for point in curve if point["days_before"] >= 10} == {
        int(days): int(value) for days, value in points.items() if value != "–"
    }
    assert {points[str(days)] for days in range(10)} == {"–"}


async def test_each_date_with_events_has_a_row_newest_first(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, today: date
) -> None:
    night = today + 10 * DAY
    await insert_in_pages(
        dashboard_db,
        [
            booking(1, night, today - 200 * DAY),
            booking(2, night, today - 150 * DAY),
            booking(3, night, today - 150 * DAY, 2),
            booking(4, night, today - 20 * DAY),
            booking(5, night, today - 20 * DAY),
            booking(6, night, today, 2),
        ],
    )
    assert [cells[1:] for cells in rows(by_id(await night_page(dashboard_app, night), "events"))[1:]] == [
        ["10", "0", "−1", "2"],
        ["30", "+2", "0", "3"],
        ["", "+2", "−1", "1"],
    ]
    assert [cells[1:] for cells in rows(by_id(await night_page(dashboard_app, night, "days=365"), "events"))[1:]] == [
        ["10", "0", "−1", "2"],
        ["30", "+2", "0", "3"],
        ["160", "+1", "−1", "1"],
        ["210", "+1", "0", "1"],
    ]


async def test_a_slept_night_shows_its_final_figure_and_no_gauge(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    await insert_in_pages(dashboard_db, list(simulated()))
    await set_profile(dashboard_app, rooms=6)
    page = await night_page(dashboard_app, "2025-05-10")
    (item,) = (await json_of(dashboard_app, "nights?from=2025-05-10&to=2025-05-10"))["items"]

    assert figure_text(page, "sentence").startswith(f"{item['on_the_books']} of 6 rooms were slept (")
    assert figure_text(page, "sentence").endswith(f"Last year {item['last_year']}.")
    assert not named(by_id(page, "state"), "svg")
    assert named(by_id(await night_page(dashboard_app, "2025-05-10", "as_of=2025-05-10"), "state"), "svg")
    assert rows(by_id(page, "pickup")) == []


async def test_a_night_beyond_any_event_says_so_beside_the_usual_curve(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, today: date
) -> None:
    slept = [booking(number, today - 7 * number * DAY, today - 200 * DAY) for number in range(1, 9)]
    await insert_in_pages(dashboard_db, slept)
    page = await night_page(dashboard_app, today + 70 * DAY)

    assert figure_text(page, "sentence").startswith("Nobody has booked this night yet. Usual for the last eight ")
    drawn = rows(by_id(page, "curve"))[1:]
    assert {cells[1] for cells in drawn} == {"–"}
    assert {cells[2] for cells in drawn} == {"1"}
    assert not styled(by_id(page, "curve"), "dot")


async def test_a_hotel_without_rooms_has_no_percent_and_no_gauge(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, today: date
) -> None:
    await insert_in_pages(dashboard_db, [booking(1, today + DAY, today)])
    page = await night_page(dashboard_app, today + DAY)

    assert figure_text(page, "sentence").startswith("1 room is on the books.")
    assert not named(by_id(page, "state"), "svg")
    assert not re.search(r"\d%", page.text)


async def test_the_links_of_a_past_page_keep_its_books(dashboard_app: Application, dashboard_db: asyncpg.Pool) -> None:
    await insert_in_pages(dashboard_db, list(simulated()))
    page = await night_page(dashboard_app, "2025-05-10", "as_of=2025-04-20&match=date&days=180")

    assert "The books of 20 April 2025" in by_id(page, "books").text
    assert addresses(by_id(page, "books")) == [f"/board/hotels/{HOTEL}/nights/2025-05-10?match=date"]
    assert addresses(by_id(page, "steps")) == [
        f"/board/hotels/{HOTEL}/nights/2025-05-{day:02}?days=180&as_of=2025-04-20&match=date" for day in (3, 9, 11, 17)
    ]
    assert addresses(by_id(page, "place")) == [
        f"/board/hotels/{HOTEL}{path}?as_of=2025-04-20&match=date" for path in ("", "/months/2025-05")
    ]
    fields = [field.attributes for field in named(page, "input")]
    assert [field["value"] for field in fields if field.get("name") == "days"] == ["180"]
    assert "data-refresh" not in by_id(page, "main").attributes


async def test_the_other_formats_of_a_page_are_answered(dashboard_app: Application, dashboard_db: asyncpg.Pool) -> None:
    await insert_in_pages(dashboard_db, list(simulated()))
    page = await night_page(dashboard_app, "2025-05-10", "as_of=2025-04-20&match=date&utm_source=mail")
    others = [link.attributes for link in named(page, "link") if link.attributes["rel"] == "alternate"]

    assert [other["type"] for other in others] == ["application/json", "text/csv", "application/json"]
    for other in others:
        response = await dashboard_app.test_client().get(other["href"])
        assert (response.status_code, response.mimetype) == (200, other["type"])


async def test_a_page_is_sent_again_only_after_a_change(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, today: date
) -> None:
    night, path = today + DAY, f"/board/hotels/{HOTEL}/nights/{today + DAY}"
    await insert_in_pages(dashboard_db, [booking(1, night, today)])
    tag = (await browse(dashboard_app, path)).headers["ETag"]
    again = {"If-None-Match": tag}
    assert by_id(await browse_page(dashboard_app, path), "main").attributes["data-refresh"] == "10"

    assert (await browse(dashboard_app, path, **again)).status_code == 304
    assert (await browse(dashboard_app, f"{path}?days=30", **again)).status_code == 200
    await insert_in_pages(dashboard_db, [booking(2, night, today)])
    assert (await browse(dashboard_app, path, **again)).status_code == 200
    assert figure(await browse_page(dashboard_app, path), "today") == 2


async def test_the_page_of_a_year_is_small_and_without_inline_presentation(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    await insert_in_pages(dashboard_db, list(simulated()))
    response = await browse(dashboard_app, f"/board/hotels/{HOTEL}/nights/2025-05-10?days=365")
    page = await response.get_data(as_text=True)

    assert len(page.encode()) <= 120_000
    assert len(gzip.compress(page.encode())) <= 20_000
    assert not re.search(r"\s(style|on\w+)=|<style|javascript:", page)


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("hotels/99/nights/2025-05-10", 404, "Hotel 99 was never heard of"),
        ("hotels/7001/nights/2025-02-29", 404, "The night 2025-02-29 is not a valid date."),
        ("hotels/7001/nights/12-12-2026", 404, "The night 12-12-2026 must be a date, such as 2020-01-01."),
        ("hotels/7001/nights/1899-12-31", 404, "The night 1899-12-31 must be from 1900-01-01 to 2199-12-31."),
        ("hotels/7001/nights/2200-01-01", 404, "The night 2200-01-01 must be from 1900-01-01 to 2199-12-31."),
        ("hotels/7001/nights/<b>", 404, "The night <b> must be a date, such as 2020-01-01."),
        ("hotels/7001/nights/2025-05-10?days=31", 400, "days must be 30, 90, 180 or 365"),
        ("hotels/7001/nights/2025-05-10?match=month", 400, "Beside last year must be 'date' or 'weekday'"),
        ("hotels/7001/nights/2025-05-10?as_of=2199-01-01", 400, "Books as of is in the future"),
        ("hotels/7001/nights/2025-05-10?as_of=1899-12-31", 400, "Books as of must be from 1900-01-01 to 2199-12-31"),
    ],
)
async def test_what_cannot_be_shown_is_said_in_words(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, path: str, status: int, text: str
) -> None:
    await insert_in_pages(dashboard_db, [booking(1, date(2024, 1, 2), date(2024, 1, 1))])
    response = await browse(dashboard_app, f"/board/{path}")

    assert response.status_code == status
    assert response.mimetype == "text/html"
    page = await response.get_data(as_text=True)
    assert text in read_page(page).text
    assert "<b>" not in page


@pytest.mark.parametrize("night", ["1900-01-01", "2199-12-31"])
@pytest.mark.parametrize("query", ["", "as_of=1900-01-01", "match=date"])
async def test_the_ends_of_the_calendar_have_pages(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, night: str, query: str
) -> None:
    await insert_in_pages(dashboard_db, [booking(1, date(2024, 1, 2), date(2024, 1, 1))])
    page = await night_page(dashboard_app, night, query)

    if night.startswith("1900") or query.startswith("as_of"):
        assert "The feed begins on 1 January 2024: nothing is known of " in figure_text(page, "sentence")
    assert len(addresses(by_id(page, "steps"))) == 2
