"""How the nights of a month were booked, beside those of the year before."""

from datetime import date
from typing import Any

import asyncpg
import msgspec
import pytest
from hypothesis import strategies as st

from common.web.resources import Application
from dashboard.bookings.curves import compute_build_up
from dashboard.bookings.inputs import PaceMatch
from tests.dashboard.bookings.event_sources import MATCHES, insert_in_pages, plain, simulated
from tests.dashboard.bookings.expected_curves import HOTEL, booking, expected_build_up, opening
from tests.dashboard.bookings.test_figures import (
    Events,
    booking_events,
    check_and_roll_back,
    event_days,
    first_of_each_id,
    nights,
    property_test,
)
from tests.support.tables import rows, sheet


async def get(app: Application, path: str) -> Any:
    response = await app.test_client().get(f"/hotels/{HOTEL}/{path}")
    assert response.status_code == 200, await response.get_data(as_text=True)
    return await response.get_json()


async def build_up(app: Application, month: str, as_of: date | str, match: str = "weekday") -> Any:
    return await get(app, f"build-up?month={month}&as_of={as_of}&match={match}")


async def test_the_build_up_of_simulated_events_is_that_of_a_recount_over_29_february(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    events = list(simulated())
    await insert_in_pages(dashboard_db, events)
    books = plain(events)
    for match in ("weekday", "date"):
        for month, as_of in (
            (date(2024, 2, 1), date(2024, 2, 29)),
            (date(2024, 3, 1), date(2024, 2, 29)),
            (date(2025, 2, 1), date(2025, 2, 28)),
            (date(2025, 3, 1), date(2025, 3, 1)),
            (date(2025, 4, 1), date(2025, 5, 31)),
            (date(2023, 2, 1), date(2023, 1, 20)),
            (date(2026, 3, 1), date(2025, 4, 15)),
        ):
            expected = expected_build_up(books, month, as_of, match)
            assert await build_up(dashboard_app, f"{month:%Y-%m}", as_of, match) == expected
    assert books.rooms(HOTEL, date(2024, 2, 29), date(2025, 6, 1)) > 0


@property_test(st.tuples(booking_events(), nights, event_days, st.sampled_from(MATCHES)))
async def test_the_build_up_of_any_events_is_that_of_a_recount(
    db: asyncpg.Connection, example: tuple[Events, date, date, PaceMatch]
) -> None:
    events, night, as_of, match = example
    stored = first_of_each_id(events)
    books = plain(stored)

    async def check() -> None:
        if HOTEL not in books.first_dates:
            return
        month = night.replace(day=1)
        found = await compute_build_up(db, HOTEL, month, as_of, match)
        assert msgspec.to_builtins(found) == expected_build_up(books, month, as_of, match)

    await check_and_roll_back(db, [events], check)


@pytest.mark.parametrize("match", ["weekday", "date"])
async def test_the_point_at_as_of_is_the_pace_of_the_month(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, match: str
) -> None:
    await insert_in_pages(dashboard_db, list(simulated()))
    for as_of in (date(2024, 2, 28), date(2024, 2, 29), date(2024, 3, 1), date(2025, 2, 28), date(2025, 5, 31)):
        pace = await get(dashboard_app, f"pace?year={as_of.year}&as_of={as_of}&match={match}")
        for item in pace["items"]:
            points = (await build_up(dashboard_app, item["period"], as_of, match))["items"]
            if as_of < date.fromisoformat(points[0]["day"]):
                assert all(point["this_year"] is None for point in points)
                continue
            (point,) = [point for point in points if point["day"] == as_of.isoformat()] or points[-1:]
            assert (point["this_year"], point["last_year"]) == (item["on_the_books"], item["last_year"])


async def test_this_year_ends_at_as_of_and_last_year_goes_on(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    await insert_in_pages(
        dashboard_db,
        [
            booking(1, date(2022, 12, 13), date(2021, 1, 1)),
            booking(2, date(2022, 12, 14), date(2022, 12, 4)),
            booking(3, date(2023, 12, 12), date(2023, 11, 20)),
            booking(4, date(2023, 12, 12), date(2023, 11, 21)),
            *opening(date(2021, 1, 1)),
        ],
    )
    body = await build_up(dashboard_app, "2023-12", "2023-11-20")
    points = {item["day"]: (item["days_before"], item["this_year"], item["last_year"]) for item in body["items"]}

    assert len(points) == 180 + 31
    assert points["2023-06-04"] == (180, 0, 1)
    assert points["2023-11-19"] == (12, 0, 1)
    assert points["2023-11-20"] == (11, 1, 1)
    assert points["2023-11-21"] == (10, None, 1)
    assert points["2023-12-03"] == (-2, None, 2)
    assert points["2023-12-31"] == (-30, None, 2)
    assert body["last_year_slept"] == 2


async def test_days_before_the_first_event_of_the_hotel_are_unknown(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    await insert_in_pages(
        dashboard_db, [booking(1, date(2022, 12, 20), date(2022, 11, 1)), *opening(date(2022, 11, 1))]
    )

    body = await build_up(dashboard_app, "2022-12", "2022-12-31")
    points = {item["day"]: item["this_year"] for item in body["items"]}
    assert (points["2022-10-31"], points["2022-11-01"]) == (None, 1)
    assert {item["last_year"] for item in body["items"]} == {None}
    assert body["last_year_slept"] is None

    body = await build_up(dashboard_app, "2023-12", "2023-11-20")
    points = {item["day"]: item["last_year"] for item in body["items"]}
    assert (points["2023-10-30"], points["2023-10-31"]) == (None, 1)
    assert body["last_year_slept"] == 1


async def test_what_was_slept_last_year_is_unknown_unless_the_history_has_the_first_night(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    await insert_in_pages(
        dashboard_db, [booking(1, date(2022, 12, 20), date(2022, 12, 2)), *opening(date(2022, 12, 2))]
    )

    assert (await build_up(dashboard_app, "2023-12", "2023-11-20", "date"))["last_year_slept"] is None
    assert (await build_up(dashboard_app, "2023-12", "2023-11-20", "weekday"))["last_year_slept"] == 1


async def test_a_month_of_nights_before_the_first_night_of_the_hotel_is_unknown(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    await insert_in_pages(dashboard_db, [booking(1, date(2022, 12, 3), date(2021, 1, 1))])

    body = await build_up(dashboard_app, "2023-12", "2023-11-20", "date")
    assert {item["last_year"] for item in body["items"]} == {None}
    assert body["last_year_slept"] is None


async def test_a_month_is_slept_on_the_day_after_its_last_night(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    await insert_in_pages(
        dashboard_db, [booking(1, date(2022, 12, 20), date(2022, 11, 2)), *opening(date(2022, 11, 2))]
    )

    assert (await build_up(dashboard_app, "2023-12", "2022-12-31", "date"))["last_year_slept"] is None
    assert (await build_up(dashboard_app, "2023-12", "2023-01-01", "date"))["last_year_slept"] == 1


async def test_days_of_last_year_that_are_still_ahead_are_unknown(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    await insert_in_pages(dashboard_db, [booking(1, date(2023, 12, 20), date(2022, 1, 1)), *opening(date(2022, 1, 1))])

    body = await build_up(dashboard_app, "2024-12", "2023-11-20", "date")
    points = {item["day"]: (item["this_year"], item["last_year"]) for item in body["items"]}
    assert points["2024-11-20"] == (None, 1)
    assert points["2024-11-21"] == (None, None)
    assert body["last_year_slept"] is None


async def test_events_after_the_month_count_on_its_last_day(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    await insert_in_pages(
        dashboard_db,
        [
            booking(1, date(2021, 10, 30), date(2021, 1, 1)),
            booking(2, date(2022, 10, 31), date(2022, 1, 1)),
            booking(3, date(2022, 10, 31), date(2022, 11, 2), 2),
            booking(4, date(2021, 10, 30), date(2021, 11, 3)),
            *opening(date(2021, 1, 1)),
        ],
    )
    for as_of, last_point in (("2022-11-01", (1, 1)), ("2022-11-02", (0, 2))):
        points = (await build_up(dashboard_app, "2022-10", as_of))["items"][-2:]
        assert [(point["this_year"], point["last_year"]) for point in points] == [(1, 1), last_point]


async def test_the_build_up_is_the_same_in_every_form(dashboard_app: Application, dashboard_db: asyncpg.Pool) -> None:
    await insert_in_pages(dashboard_db, list(simulated()))
    path = f"/hotels/{HOTEL}/build-up?month=2024-03&as_of=2024-02-10"
    client = dashboard_app.test_client()
    response = await client.get(path)
    items = (await response.get_json())["items"]
    header, *lines = await rows(await client.get(f"{path}&format=csv"))
    titles, *cells = await sheet(await client.get(f"{path}&format=xlsx"))

    assert header == titles == ["day", "days_before", "this_year", "last_year"]
    assert lines == [["" if value is None else str(value) for value in item.values()] for item in items]
    assert len(cells) == len(items)
    assert response.headers["Link"] == f'</board/hotels/{HOTEL}/months/2024-03>; rel="alternate"; type="text/html"'


@pytest.mark.parametrize(
    ("query", "field", "message"),
    [
        ("", "month", "is required"),
        ("month=2024", "month", "must be a month from 1900-01 to 2199-12, such as 2026-12"),
        ("month=2024-13", "month", "must be a month from 1900-01 to 2199-12, such as 2026-12"),
        ("month=2024-1", "month", "must be a month from 1900-01 to 2199-12, such as 2026-12"),
        ("month=1899-12", "month", "must be a month from 1900-01 to 2199-12, such as 2026-12"),
        ("month=2024-01%0A", "month", "must be a month from 1900-01 to 2199-12, such as 2026-12"),
        ("month=2024-01&as_of=2199-01-01", "as_of", "is in the future"),
        ("month=2024-01&as_of=yesterday", "as_of", "must be a date, such as 2020-01-01"),
        ("month=2024-01&match=month", "match", "must be 'date' or 'weekday'"),
        ("month=2024-01&days=3", "days", "is not a known field"),
    ],
)
async def test_a_query_that_is_not_valid_is_refused(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, query: str, field: str, message: str
) -> None:
    await insert_in_pages(dashboard_db, [booking(1, date(2024, 1, 2), date(2024, 1, 1))])
    response = await dashboard_app.test_client().get(f"/hotels/{HOTEL}/build-up?{query}")

    assert response.status_code == 400
    assert (await response.get_json())["errors"] == [{"field": field, "message": message}]


async def test_the_ends_of_the_calendar_are_answered(dashboard_app: Application, dashboard_db: asyncpg.Pool) -> None:
    await insert_in_pages(dashboard_db, [booking(1, date(2024, 1, 2), date(2024, 1, 1))])
    for query in ("month=1900-01", "month=2199-12", "month=2024-02&as_of=0001-01-02"):
        for match in ("weekday", "date"):
            body = await get(dashboard_app, f"build-up?{query}&match={match}")
            assert {(item["this_year"], item["last_year"]) for item in body["items"]} == {(None, None)}


async def test_an_unknown_hotel_has_no_build_up(dashboard_app: Application) -> None:
    response = await dashboard_app.test_client().get("/hotels/99/build-up?month=2024-01")
    assert response.status_code == 404
    assert (await response.get_json())["code"] == "unknown_hotel"
