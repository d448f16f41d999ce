"""What is usual for a night a number of days before it, and the curve of the year before."""

from datetime import date
from typing import Any

import asyncpg
import msgspec
import pytest
from hypothesis import strategies as st

from common.web.resources import Application
from dashboard.bookings.curves import compute_usual_curve
from dashboard.bookings.inputs import PaceMatch, UsualCurveQuery
from tests.dashboard.bookings.event_sources import MATCHES, insert_in_pages, plain, simulated
from tests.dashboard.bookings.expected_curves import HOTEL, booking, expected_curve, opening
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

USUAL = f"/hotels/{HOTEL}/booking-curve/usual"


async def usual(app: Application, night: date | str, as_of: date | str, match: str = "weekday", count: int = 8) -> Any:
    response = await app.test_client().get(f"{USUAL}?night={night}&as_of={as_of}&match={match}&count={count}")
    assert response.status_code == 200, await response.get_data(as_text=True)
    return await response.get_json()


async def points(app: Application, night: str, as_of: str, match: str = "weekday") -> dict[int, tuple[Any, ...]]:
    """The points by days before the night."""
    items = (await usual(app, night, as_of, match))["items"]
    return {item["days_before"]: (item["q1"], item["median"], item["q3"], item["last_year"]) for item in items}


async def test_the_usual_curve_of_simulated_events_is_that_of_a_recount_over_29_february(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    events = list(simulated())
    await insert_in_pages(dashboard_db, events)
    books = plain(events)
    for match in ("weekday", "date"):
        for night, as_of, count in (
            (date(2024, 2, 29), date(2024, 2, 20), 8),
            (date(2025, 2, 28), date(2025, 1, 31), 20),
            (date(2025, 3, 1), date(2024, 3, 7), 1),
            (date(2024, 3, 2), date(2025, 5, 31), 8),
            (date(2023, 2, 4), date(2023, 2, 1), 5),
            (date(2026, 9, 5), date(2025, 5, 31), 2),
        ):
            body = await usual(dashboard_app, night, as_of, match, count)
            assert body == {
                "hotel_id": HOTEL,
                "night": night.isoformat(),
                "as_of": as_of.isoformat(),
                "match": match,
                "count": count,
                "items": expected_curve(books, night, as_of, match, count),
            }


@property_test(st.tuples(booking_events(), nights, event_days, st.sampled_from(MATCHES)))
async def test_the_usual_curve_of_any_events_is_that_of_a_recount(
    db: asyncpg.Connection, example: tuple[Events, date, date, PaceMatch]
) -> None:
    events, night, as_of, match = example
    stored = first_of_each_id(events)
    books = plain(stored)

    async def check() -> None:
        if HOTEL not in books.first_dates:
            return
        query = UsualCurveQuery(night=night, match=match, count=3)
        found = await compute_usual_curve(db, HOTEL, query, as_of)
        assert msgspec.to_builtins(found.items) == expected_curve(books, night, as_of, match, 3)

    await check_and_roll_back(db, [events], check)


async def test_the_curve_of_last_year_is_the_booking_curve_of_that_night(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    await insert_in_pages(dashboard_db, list(simulated()))
    client = dashboard_app.test_client()
    items = (await (await client.get(f"{USUAL}?night=2024-12-14")).get_json())["items"]
    curve = (await (await client.get(f"/hotels/{HOTEL}/booking-curve?night=2023-12-16")).get_json())["items"]

    on_the_books = {point["days_before"]: point["on_the_books"] for point in curve}
    assert [item["last_year"] for item in items] == [on_the_books.get(item["days_before"], 0) for item in items]


async def test_quartiles_lie_between_the_nights_and_events_after_a_night_count_at_0(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    """Of eight Saturdays the last has two rooms, one of them cancelled after the night; the one before has three."""
    saturday, before = date(2023, 5, 6), date(2023, 4, 29)
    events = [booking(1, date(2021, 1, 1), date(2021, 1, 1))]
    events += [booking(number, saturday, date(2023, 4, 6)) for number in (2, 3)]
    events += [booking(number, before, date(2021, 5, 1)) for number in (4, 5, 6)]
    events.append(booking(7, saturday, date(2023, 5, 8), 2))
    await insert_in_pages(dashboard_db, events)

    found = await points(dashboard_app, "2023-06-03", "2023-05-08")
    assert found[365] == found[31] == (0, 0, 0, 0)
    assert found[30] == found[1] == (0, 0, 0.5, 0)
    assert found[0] == (0, 0, 0.25, 0)
    # A day earlier the cancellation had not happened yet.
    assert (await points(dashboard_app, "2023-06-03", "2023-05-07"))[0] == (0, 0, 0.5, 0)
    # The Saturday is not slept on its own day.
    assert (await points(dashboard_app, "2023-06-03", "2023-05-06"))[0] == (0, 0, 0, 0)


async def test_nights_and_distances_before_the_first_event_of_the_hotel_are_unknown(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    """The history begins on Saturday, 1 April: with the nights of 1, 8 and 15 April, at distances up to 14 days."""
    await insert_in_pages(dashboard_db, [booking(1, date(2023, 4, 15), date(2023, 4, 1)), *opening(date(2023, 4, 1))])

    found = await points(dashboard_app, "2024-04-13", "2023-04-16")
    assert found[15] == (None, None, None, None)
    assert found[14] == (1, 1, 1, 1)
    assert found[8] == (1, 1, 1, 1)
    assert found[7] == (0.25, 0.5, 0.75, 1)
    assert found[0] == (0, 0, 0.5, 1)


async def test_nights_before_the_first_night_of_the_hotel_are_unknown(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    await insert_in_pages(dashboard_db, [booking(1, date(2023, 4, 15), date(2021, 4, 1))])

    assert (await points(dashboard_app, "2024-04-13", "2023-04-16"))[7] == (1, 1, 1, 1)
    assert (await points(dashboard_app, "2024-04-06", "2023-04-15"))[7] == (None, None, None, None)


async def test_days_of_last_years_night_that_are_still_ahead_are_unknown(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    await insert_in_pages(dashboard_db, [booking(1, date(2023, 4, 15), date(2021, 4, 1))])

    found = await points(dashboard_app, "2024-04-15", "2023-04-10", "date")
    assert (found[365][3], found[5][3], found[4][3], found[0][3]) == (1, 1, None, None)
    assert (await points(dashboard_app, "2024-04-15", "2023-04-14", "date"))[0][3] is None
    assert (await points(dashboard_app, "2024-04-15", "2023-04-15", "date"))[0][3] == 1


async def test_29_february_has_no_night_last_year_on_the_same_date(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    await insert_in_pages(dashboard_db, [booking(1, date(2023, 3, 2), date(2021, 4, 1))])

    assert (await points(dashboard_app, "2024-02-29", "2024-02-01", "date"))[0][3] is None
    assert (await points(dashboard_app, "2024-02-29", "2024-02-01", "weekday"))[0][3] == 1


async def test_a_hotel_without_a_slept_night_has_no_usual_curve(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    await insert_in_pages(dashboard_db, [booking(1, date(2023, 4, 15), date(2023, 4, 1)), *opening(date(2023, 4, 1))])

    for as_of in ("2023-04-01", "2023-03-01", "0001-01-02"):
        assert set((await points(dashboard_app, "2023-04-15", as_of)).values()) == {(None, None, None, None)}


async def test_the_usual_curve_is_the_same_in_every_form(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    await insert_in_pages(dashboard_db, list(simulated()))
    path = f"{USUAL}?night=2024-03-02&as_of=2023-06-10"
    client = dashboard_app.test_client()
    response = await client.get(path)
    items = (await response.get_json())["items"]
    header, *lines = await rows(await client.get(f"{path}&format=csv"))
    titles, *cells = await sheet(await client.get(f"{path}&format=xlsx"))

    assert header == titles == ["days_before", "q1", "median", "q3", "last_year"]
    assert lines == [["" if value is None else str(value) for value in item.values()] for item in items]
    assert len(cells) == len(items) == 366
    assert response.headers["Link"] == f'</board/hotels/{HOTEL}/nights/2024-03-02>; rel="alternate"; type="text/html"'


@pytest.mark.parametrize(
    ("query", "field", "message"),
    [
        ("", "night", "is required"),
        ("night=2024-02-30", "night", "is not a valid date"),
        ("night=1899-12-31", "night", "must be from 1900-01-01 to 2199-12-31"),
        ("night=2024-01-02&count=0", "count", "must be at least 1"),
        ("night=2024-01-02&count=21", "count", "must be at most 20"),
        ("night=2024-01-02&beside=month", "beside", "must be 'weekday'"),
        ("night=2024-01-02&as_of=2199-01-01", "as_of", "is in the future"),
        ("night=2024-01-02&match=month", "match", "must be 'date' or 'weekday'"),
        ("night=2024-01-02&days=3", "days", "is not a known field"),
    ],
)
async def test_a_query_that_is_not_valid_is_refused(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, query: str, field: str, message: str
) -> None:
    await insert_in_pages(dashboard_db, [booking(1, date(2024, 1, 2), date(2024, 1, 1))])
    response = await dashboard_app.test_client().get(f"{USUAL}?{query}")

    assert response.status_code == 400
    assert (await response.get_json())["errors"] == [{"field": field, "message": message}]


async def test_the_first_and_the_last_night_are_answered(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    await insert_in_pages(dashboard_db, [booking(1, date(2024, 1, 2), date(2024, 1, 1))])
    for night in ("1900-01-01", "2199-12-31"):
        for match in ("weekday", "date"):
            body = await usual(dashboard_app, night, "2024-01-01", match, 20)
            assert {item["last_year"] for item in body["items"]} == {None}


async def test_an_unknown_hotel_has_no_usual_curve(dashboard_app: Application) -> None:
    response = await dashboard_app.test_client().get("/hotels/99/booking-curve/usual?night=2024-01-01")
    assert response.status_code == 404
    assert (await response.get_json())["code"] == "unknown_hotel"
