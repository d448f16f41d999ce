"""What was booked and cancelled of a year's nights, by days ahead and by month of stay."""

from datetime import date
from typing import Any

import asyncpg
import msgspec
import pytest
from hypothesis import strategies as st

from common.tables import XLSX
from common.web.resources import Application
from dashboard.bookings.curves import compute_cancellations
from tests.dashboard.bookings.event_sources import insert_in_pages, simulated
from tests.dashboard.bookings.expected_curves import HOTEL, booking, expected_cancellations
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

CANCELLATIONS = f"/hotels/{HOTEL}/cancellations"


async def cancellations(app: Application, year: int, as_of: date | str) -> Any:
    response = await app.test_client().get(f"{CANCELLATIONS}?year={year}&as_of={as_of}")
    assert response.status_code == 200, await response.get_data(as_text=True)
    return await response.get_json()


async def test_the_cancellations_of_simulated_events_are_those_of_a_recount_over_29_february(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    events = list(simulated())
    await insert_in_pages(dashboard_db, events)
    for year in (2022, 2023, 2024, 2025, 2026):
        for as_of in (date(2024, 2, 29), date(2024, 12, 31), date(2025, 5, 31)):
            body = await cancellations(dashboard_app, year, as_of)
            assert body == expected_cancellations(events, year, as_of)
    found = await cancellations(dashboard_app, 2024, "2024-12-31")
    assert all(lead["bookings"] for lead in found["by_lead"])


@property_test(st.tuples(booking_events(), nights, event_days))
async def test_the_cancellations_of_any_events_are_those_of_a_recount(
    db: asyncpg.Connection, example: tuple[Events, date, date]
) -> None:
    events, night, as_of = example

    async def check() -> None:
        found = await compute_cancellations(db, HOTEL, night.year, as_of)
        assert msgspec.to_builtins(found) == expected_cancellations(first_of_each_id(events), night.year, as_of)

    await check_and_roll_back(db, [events], check)


async def test_bookings_by_days_ahead_are_those_of_the_lead_time(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    await insert_in_pages(dashboard_db, list(simulated()))
    client = dashboard_app.test_client()
    by_lead = (await (await client.get(f"{CANCELLATIONS}?year=2024")).get_json())["by_lead"]
    lead_time = (await (await client.get(f"/hotels/{HOTEL}/lead-time?year=2024")).get_json())["items"]

    assert [{key: lead[key] for key in ("from", "to", "bookings")} for lead in by_lead] == lead_time


async def test_a_cancellation_counts_by_its_own_days_ahead_and_after_the_night_at_0(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    night = date(2023, 7, 31)
    events = [booking(number, night, date(2023, 1, 1)) for number in (1, 2, 3)]
    events += [booking(4, night, date(2023, 7, 28), 2), booking(5, night, date(2023, 8, 2), 2)]
    await insert_in_pages(dashboard_db, events)

    body = await cancellations(dashboard_app, 2023, "2023-08-02")
    assert [(lead["bookings"], lead["cancellations"]) for lead in body["by_lead"]] == [
        (0, 1),
        (0, 1),
        *[(0, 0)] * 6,
        (3, 0),
    ]
    assert body["by_month"][6]["cancellation_rate"] == 0.6667
    assert (await cancellations(dashboard_app, 2023, "2023-08-01"))["by_month"][6]["cancellation_rate"] == 0.3333


async def test_the_rate_of_a_month_without_bookings_is_unknown(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    """A feed may begin with the cancellation of a booking that it does not have."""
    await insert_in_pages(dashboard_db, [booking(1, date(2023, 7, 31), date(2023, 7, 1), 2)])

    body = await cancellations(dashboard_app, 2023, "2023-08-01")
    assert [month["cancellation_rate"] for month in body["by_month"]] == [None] * 12
    assert [month["cancellations"] for month in body["by_month"]] == [0] * 6 + [1] + [0] * 5


@pytest.mark.parametrize("name", ["by_lead", "by_month"])
async def test_each_list_is_a_table_of_its_own(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, name: str
) -> None:
    await insert_in_pages(dashboard_db, list(simulated()))
    path = f"{CANCELLATIONS}?year=2025&as_of=2025-05-31"
    client = dashboard_app.test_client()
    response = await client.get(f"{path}&table={name}")
    items = (await response.get_json())[name]
    as_csv = await client.get(f"{path}&table={name}&format=csv")
    header, *lines = await rows(as_csv)
    titles, *cells = await sheet(await client.get(f"{path}&table={name}", headers={"Accept": XLSX}))

    assert header == titles == list(items[0])
    assert lines == [["" if value is None else str(value) for value in item.values()] for item in items]
    assert len(cells) == len(items)
    assert f"cancellations-{name.replace('_', '-')}.csv" in as_csv.headers["Content-Disposition"]
    assert "Accept" in response.headers["Vary"]
    assert response.headers["Link"] == f'</board/hotels/{HOTEL}>; rel="alternate"; type="text/html"'
    if name == "by_lead":
        assert await rows(await client.get(f"{path}&format=csv")) == [header, *lines]


@pytest.mark.parametrize(
    ("query", "field", "message"),
    [
        ("", "year", "is required"),
        ("year=1899", "year", "must be at least 1900"),
        ("year=2201", "year", "must be at most 2200"),
        ("year=2024&as_of=2199-01-01", "as_of", "is in the future"),
        ("year=2024&table=by_day", "table", "must be 'by_lead' or 'by_month'"),
        ("year=2024&match=date", "match", "is not a known field"),
    ],
)
async def test_a_query_that_is_not_valid_is_refused(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, query: str, field: str, message: str
) -> None:
    await insert_in_pages(dashboard_db, [booking(1, date(2024, 1, 2), date(2024, 1, 1))])
    response = await dashboard_app.test_client().get(f"{CANCELLATIONS}?{query}")

    assert response.status_code == 400
    assert (await response.get_json())["errors"] == [{"field": field, "message": message}]


async def test_an_unknown_hotel_has_no_cancellations(dashboard_app: Application) -> None:
    response = await dashboard_app.test_client().get("/hotels/99/cancellations?year=2024")
    assert response.status_code == 404
    assert (await response.get_json())["code"] == "unknown_hotel"
