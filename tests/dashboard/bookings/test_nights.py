"""`GET /hotels/{id}/nights`: each figure of a night equals a plain recount of the events."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from unittest.mock import ANY

import asyncpg
import pytest
from hypothesis import strategies as st

from common.web.resources import Application
from dashboard.bookings.inputs import PaceMatch
from dashboard.bookings.models.figures import HotelProfile
from dashboard.bookings.models.nights import AskedNights
from dashboard.bookings.models.summary import AskedSummary
from dashboard.bookings.queries.nights import select_nights
from dashboard.bookings.queries.profiles import upsert_profile
from dashboard.bookings.queries.summary import select_hotel_figures
from tests.dashboard.bookings.event_sources import HOTEL, MATCHES, insert_in_pages, plain, real_events, simulated
from tests.dashboard.bookings.plain_books import PlainBooks
from tests.dashboard.bookings.test_figures import (
    Events,
    booking_events,
    check_and_roll_back,
    event_days,
    first_of_each_id,
    nights,
    property_test,
    store,
)
from tests.dashboard.bookings.test_routes import get
from tests.end_to_end.test_real_data import FILE
from tests.support import tables

LEAP_DAYS = [date(2023, 2, 28), date(2024, 2, 28), date(2024, 2, 29), date(2024, 3, 1), date(2025, 2, 28)]
LEAP_DAYS += [date(2025, 3, 1), date(2024, 1, 15), date(2025, 1, 20), date(2022, 8, 1), date(2025, 5, 31)]


async def check_all(db: asyncpg.Pool, books: PlainBooks, days: list[date]) -> None:
    """Compare the nights of every hotel, 40 before each day and 359 after it, and the summaries of the day."""
    for as_of in days:
        for match in MATCHES:
            first, last = as_of - timedelta(days=40), as_of + timedelta(days=359)
            for hotel_id in books.first_dates:
                found = await select_nights(db, AskedNights(hotel_id, first, last, as_of, match))
                assert found == books.nights(hotel_id, first, last, as_of, match)
            hotels = await select_hotel_figures(db, AskedSummary(as_of, match, datetime.now(UTC), ""))
            assert sorted(hotels, key=lambda hotel: hotel.hotel_id) == [
                books.hotel(hotel_id, as_of, match) for hotel_id in sorted(books.first_dates)
            ]


@property_test(st.tuples(booking_events(), nights, event_days, st.sampled_from(MATCHES)))
async def test_nights_equal_the_recount(db: asyncpg.Connection, example: tuple[Events, date, date, PaceMatch]) -> None:
    events, first, as_of, match = example
    books = plain(first_of_each_id(events))

    async def check() -> None:
        found = await select_nights(db, AskedNights(HOTEL, first, first + timedelta(days=20), as_of, match))
        is_known = HOTEL in books.first_dates
        assert found == (books.nights(HOTEL, first, first + timedelta(days=20), as_of, match) if is_known else [])

    await check_and_roll_back(db, [events], check)


async def test_simulated_years_around_a_leap_day_equal_the_recount(dashboard_db: asyncpg.Pool) -> None:
    events = list(simulated())
    await insert_in_pages(dashboard_db, events)

    await check_all(dashboard_db, plain(events), LEAP_DAYS)


@pytest.mark.slow
@pytest.mark.skipif(not FILE.exists(), reason=f"{FILE.name} is not in ../shared/data")
@pytest.mark.timeout(600)
async def test_the_nights_of_the_real_file_equal_the_recount(dashboard_db: asyncpg.Pool) -> None:
    events = list(real_events())
    await insert_in_pages(dashboard_db, events)

    await check_all(dashboard_db, plain(events), [date(2016, 2, 29), date(2016, 8, 15), date(2017, 3, 1)])


async def night_of(db: asyncpg.Pool, night: str, as_of: str, match: PaceMatch = "weekday") -> dict[str, Any]:
    """The figures of last year of one night."""
    day = date.fromisoformat(night)
    (found,) = await select_nights(db, AskedNights(HOTEL, day, day, date.fromisoformat(as_of), match))
    fields = ("same_time_last_year", "difference", "usual_7", "last_year")
    return {field: getattr(found, field) for field in fields}


UNKNOWN = {"same_time_last_year": None, "difference": None, "usual_7": None, "last_year": None}


@pytest.mark.parametrize(
    ("as_of", "expected"),
    [
        ("2025-03-08", UNKNOWN),  # a year before it is 9 March, the date before the first event
        ("2025-03-09", {**UNKNOWN, "same_time_last_year": 1, "difference": -1}),
        ("2025-03-14", {**UNKNOWN, "same_time_last_year": 1, "difference": -1}),
        ("2025-03-15", {"same_time_last_year": 1, "difference": -1, "usual_7": 1, "last_year": None}),
        ("2025-03-16", {"same_time_last_year": 1, "difference": -1, "usual_7": 0, "last_year": None}),
    ],
)
async def test_last_year_is_unknown_before_the_first_event_of_the_hotel(
    dashboard_db: asyncpg.Pool, as_of: str, expected: dict[str, int | None]
) -> None:
    await store(dashboard_db, ("2024-03-10T12:00:00Z", "2026-03-01", 1), ("2024-03-10T13:00:00Z", "2025-03-03", 1))

    night = "2026-03-02"  # its counterpart is 3 March 2025

    assert await night_of(dashboard_db, night, as_of) == (
        expected if as_of < "2025-03-04" else {**expected, "last_year": 1}
    )


async def test_a_night_that_is_not_slept_yet_has_no_figure_of_the_night_slept(dashboard_db: asyncpg.Pool) -> None:
    await store(dashboard_db, ("2023-01-01T12:00:00Z", "2025-03-03", 1))

    assert (await night_of(dashboard_db, "2026-03-02", "2025-03-03"))["last_year"] is None
    assert (await night_of(dashboard_db, "2026-03-02", "2025-03-04"))["last_year"] == 1


async def test_a_night_from_before_the_first_event_was_slept_by_an_unknown_number(dashboard_db: asyncpg.Pool) -> None:
    await store(
        dashboard_db,
        ("2025-03-04T12:00:00Z", "2025-03-05", 1),
        ("2025-03-04T12:00:01Z", "2025-03-04", 1),
        ("2025-03-04T12:00:02Z", "2025-03-04", 2),
    )

    assert (await night_of(dashboard_db, "2026-03-02", "2026-03-10"))["last_year"] is None
    assert (await night_of(dashboard_db, "2026-03-03", "2026-03-10"))["last_year"] == 0
    assert (await night_of(dashboard_db, "2026-03-04", "2026-03-10"))["last_year"] == 1


async def test_nights_before_the_first_night_of_the_hotel_are_unknown(dashboard_db: asyncpg.Pool) -> None:
    await store(dashboard_db, ("2022-03-04T12:00:00Z", "2025-03-05", 1))

    assert await night_of(dashboard_db, "2026-03-03", "2026-03-10") == UNKNOWN
    assert (await night_of(dashboard_db, "2026-03-04", "2026-03-10"))["same_time_last_year"] == 1


async def test_a_leap_day_has_no_counterpart_on_the_same_date(dashboard_db: asyncpg.Pool) -> None:
    await store(dashboard_db, ("2022-01-01T12:00:00Z", "2023-02-28", 1), ("2022-01-01T12:00:01Z", "2023-03-02", 1))

    assert await night_of(dashboard_db, "2024-02-29", "2024-03-05", "date") == UNKNOWN
    assert await night_of(dashboard_db, "2024-02-29", "2024-03-05") == {
        "same_time_last_year": 1,
        "difference": -1,
        "usual_7": 0,
        "last_year": 1,
    }


async def test_a_leap_day_looks_back_to_the_day_before_it_last_year(dashboard_db: asyncpg.Pool) -> None:
    await store(dashboard_db, ("2023-02-28T12:00:00Z", "2023-03-05", 1), ("2023-03-01T12:00:00Z", "2023-03-05", 1))

    assert (await night_of(dashboard_db, "2024-03-05", "2024-02-29", "date"))["same_time_last_year"] == 1


async def test_a_cancellation_after_the_night_changes_what_was_slept(dashboard_db: asyncpg.Pool) -> None:
    await store(dashboard_db, ("2024-01-01T12:00:00Z", "2024-03-04", 1), ("2024-03-06T12:00:00Z", "2024-03-04", 2))

    assert (await night_of(dashboard_db, "2025-03-03", "2024-03-05"))["last_year"] == 1
    assert (await night_of(dashboard_db, "2025-03-03", "2024-03-06"))["last_year"] == 0


@pytest.fixture
async def booked(dashboard_db: asyncpg.Pool) -> None:
    """One room of 3 March 2025, booked a year and more before and on 20 February 2025, and of its counterpart."""
    await store(
        dashboard_db,
        ("2024-01-01T12:00:00Z", "2024-03-04", 1),
        ("2024-02-22T12:00:00Z", "2024-03-04", 1),
        ("2024-03-01T12:00:00Z", "2024-03-04", 1),
        ("2025-02-18T12:00:00Z", "2025-03-03", 1),
        ("2025-02-20T12:00:00Z", "2025-03-03", 1),
        ("2025-02-21T12:00:00Z", "2025-03-03", 1),
        ("2025-02-21T13:00:00Z", "2025-03-03", 2),
    )


NIGHTS = f"/hotels/{HOTEL}/nights"
NIGHT = f"{NIGHTS}?as_of=2025-02-21&from=2025-03-03&to=2025-03-03"
FIGURES = {
    "night": "2025-03-03",
    "on_the_books": 2,
    "today": 0,
    "yesterday": 1,
    "pickup_3": 1,
    "pickup_7": 2,
    "pickup_14": 2,
    "pickup_30": 2,
    "same_time_last_year": 2,
    "difference": 0,
    "usual_7": 1,
    "last_year": 3,
}


async def test_nights_over_http(dashboard_app: Application, dashboard_db: asyncpg.Pool, booked: None) -> None:
    async with dashboard_db.acquire() as connection:
        await upsert_profile(connection, HotelProfile(HOTEL, "Harbour House", 60, None, False))

    response = await get(dashboard_app, NIGHT)

    assert response.headers["Link"] == f'</board/hotels/{HOTEL}>; rel="alternate"; type="text/html"'
    assert await response.get_json() == {
        "hotel_id": HOTEL,
        "from": "2025-03-03",
        "to": "2025-03-03",
        "as_of": "2025-02-21",
        "match": "weekday",
        "rooms": 60,
        "first_event_date": "2024-01-01",
        "items": [FIGURES],
    }


async def test_without_dates_90_nights_from_today_on_are_answered(dashboard_app: Application, booked: None) -> None:
    before = datetime.now(UTC).date()
    body = await (await get(dashboard_app, NIGHTS)).get_json()

    today = date.fromisoformat(body["as_of"])
    assert before <= today <= datetime.now(UTC).date()
    assert (body["from"], body["to"]) == (str(today), str(today + timedelta(days=89)))
    assert [item["night"] for item in body["items"]] == [str(today + timedelta(days=number)) for number in range(90)]
    assert body["rooms"] is None


@pytest.mark.parametrize(
    ("query", "first", "last"),
    [
        ("", "2025-02-21", "2025-05-21"),
        ("&from=2025-03-01", "2025-03-01", "2025-05-29"),
        ("&to=2025-02-21", "2025-02-21", "2025-02-21"),
        ("&from=2025-01-01&to=2026-02-04", "2025-01-01", "2026-02-04"),
    ],
)
async def test_an_absent_end_follows_from_the_other(
    dashboard_app: Application, booked: None, query: str, first: str, last: str
) -> None:
    body = await (await get(dashboard_app, f"{NIGHTS}?as_of=2025-02-21{query}")).get_json()

    assert (body["from"], body["to"]) == (first, last)
    assert (body["items"][0]["night"], body["items"][-1]["night"]) == (first, last)


async def test_nights_as_tables(dashboard_app: Application, booked: None) -> None:
    header, *rows = await tables.rows(await get(dashboard_app, f"{NIGHT}&format=csv"))
    assert header == list(FIGURES)
    assert rows == [[str(value) for value in FIGURES.values()]]

    header, *rows = await tables.sheet(await get(dashboard_app, f"{NIGHT}&format=xlsx"))
    assert header == list(FIGURES)
    assert rows == [[datetime(2025, 3, 3), *list(FIGURES.values())[1:]]]  # noqa: DTZ001 - a workbook knows no zones


async def test_what_is_unknown_is_an_empty_cell(dashboard_app: Application, booked: None) -> None:
    csv_answer = await get(dashboard_app, f"{NIGHTS}?as_of=2024-12-01&to=2024-12-01&format=csv")

    _, row = await tables.rows(csv_answer)
    assert row == ["2024-12-01", *7 * ["0"], *4 * [""]]


@pytest.mark.parametrize(
    ("query", "field", "message"),
    [
        ("as_of=2999-01-01", "as_of", "is in the future"),
        ("as_of=2025-02-30", "as_of", "is not a valid date"),
        ("match=month", "match", ANY),
        ("from=2025-02-30", "from", "is not a valid date"),
        ("from=1899-12-31", "from", "must be from 1900-01-01 to 2199-12-31"),
        ("to=2200-01-01", "to", "must be from 1900-01-01 to 2199-12-31"),
        ("from=2025-03-02&to=2025-03-01", "to", "must not be before `from`, which is as_of by default"),
        ("as_of=2025-03-02&to=2025-03-01", "to", "must not be before `from`, which is as_of by default"),
        ("from=2025-01-01&to=2026-02-05", "to", "must be at most 399 days after `from`, which is as_of by default"),
        ("nights=7", "nights", ANY),
    ],
)
async def test_a_wrong_question_about_nights_is_named(
    dashboard_app: Application, booked: None, query: str, field: str, message: str
) -> None:
    response = await get(dashboard_app, f"{NIGHTS}?{query}")

    assert response.status_code == 400
    assert (await response.get_json())["errors"] == [{"field": field, "message": message}]


async def test_the_nights_of_an_unknown_hotel_are_not_found(dashboard_app: Application, booked: None) -> None:
    response = await get(dashboard_app, "/hotels/7002/nights")

    assert response.status_code == 404
    assert (await response.get_json())["code"] == "unknown_hotel"


async def test_the_earliest_date_has_no_books(dashboard_app: Application, booked: None) -> None:
    for path in (f"{NIGHTS}?as_of=0001-01-02", f"{NIGHTS}?as_of=0001-01-02&match=date", "/summary?as_of=0001-01-02"):
        response = await get(dashboard_app, path)

        assert response.status_code == 200
        (first, *_) = (await response.get_json())["items"]
        assert first.get("on_the_books", first.get("last_night")) == 0
