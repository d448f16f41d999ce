"""A stay that is reserved in the storefront, and its cancellation, reach the dashboard by the feed."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from tests.end_to_end.conftest import start
from tests.support.applications import ApplicationProcess
from tests.support.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

HOTEL = 7301
NIGHTS = 3


async def figures_of(dashboard: ApplicationProcess, arrival: date) -> tuple[int, int]:
    """Return the bookings and cancellations of the stay's nights from GET /dashboard; 0 for an unknown hotel."""
    query = f"/dashboard?hotel_id={HOTEL}&period=day&year={arrival.year}"
    async with aiohttp.ClientSession() as client, client.get(dashboard.url + query) as answer:
        if answer.status == 404:
            return 0, 0
        items = (await answer.json())["items"]
    nights = {str(arrival + timedelta(days=number)) for number in range(NIGHTS)}
    of_stay = [item for item in items if item["period"] in nights]
    assert sum(item["bookings"] for item in items) == sum(item["bookings"] for item in of_stay)
    return sum(item["bookings"] for item in of_stay), sum(item["cancellations"] for item in of_stay)


async def wait_for_figures(dashboard: ApplicationProcess, arrival: date, expected: tuple[int, int]) -> None:
    async def are_shown() -> bool:
        return await figures_of(dashboard, arrival) == expected

    await eventually(are_shown)


async def test_a_reservation_and_its_cancellation_are_counted(
    provider: ApplicationProcess, dashboard: ApplicationProcess
) -> None:
    await start(provider, dashboard)
    arrival = date(datetime.now(UTC).year + 1, 5, 10)
    guest = {"Authorization": f"Bearer {uuid4()}"}
    async with aiohttp.ClientSession(provider.url, headers=guest) as client:
        suite = {"property_id": "suite-7301", "description": "The suite", "hotel_id": HOTEL, "room_id": 12}
        async with client.post("/properties", json=suite) as answer:
            assert answer.status == 201
        body: dict[str, Any] = {"property_id": "suite-7301", "start_date": str(arrival), "nights": NIGHTS}
        async with client.post("/reservations", json=body) as answer:
            assert answer.status == 200
            reservation = (await answer.json())["reservation_id"]
        await wait_for_figures(dashboard, arrival, (NIGHTS, 0))

        async with client.delete(f"/reservations/{reservation}") as answer:
            assert answer.status == 204
        await wait_for_figures(dashboard, arrival, (NIGHTS, NIGHTS))
