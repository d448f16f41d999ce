"""Hotels with a simulated past, and pages as a browser gets them."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from html import unescape

import asyncpg
import pytest
from quart import Response

from common.web.resources import Application
from dashboard.bookings.decoding import BookingEvent
from dashboard.bookings.queries.ledger import insert_events
from provider.simulated_hotels.models import SimulatedEvent
from provider.simulated_hotels.simulation import Simulation
from tests.dashboard.board.system_operator import HOUR_JOB, Operator, has_run
from tests.support.feeds import MAIN_LEDGER
from tests.support.waiting import eventually

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
EVENTS_PER_TRANSACTION = 20_000
ROOMS = {1: 12, 2: 12, 3: None}
"""The houses, and the rooms that are known of each."""

GetPage = Callable[..., Awaitable[tuple[Response, str]]]


@pytest.fixture
def get_page(dashboard_app: Application) -> GetPage:
    """Asks as a browser does; returns the response and its text, with the entities as characters."""

    async def get(path: str, **headers: str) -> tuple[Response, str]:
        response = await dashboard_app.test_client().get(path, headers={**BROWSER, **headers})
        return response, unescape(await response.get_data(as_text=True))

    return get


async def store_events(db: asyncpg.Pool, events: Sequence[BookingEvent]) -> None:
    """Store and count the events, and note that the feed is counted up to now."""
    async with db.acquire() as connection:
        for start in range(0, len(events), EVENTS_PER_TRANSACTION):
            async with connection.transaction():
                await insert_events(connection, MAIN_LEDGER, events[start : start + EVENTS_PER_TRANSACTION])
        await connection.execute("UPDATE feed_progress SET data_through = $1, first_read_at = $1", datetime.now(UTC))


async def store_history(db: asyncpg.Pool, history: Iterable[SimulatedEvent]) -> None:
    """Store and count a simulated past."""
    events = [
        BookingEvent(
            number,
            event.hotel_id,
            event.event_timestamp,
            1 if event.status == 1 else 2,
            event.room_id,
            event.night_of_stay,
        )
        for number, event in enumerate(history, 1)
    ]
    await store_events(db, events)


async def set_profile(db: asyncpg.Pool, hotel_id: int, name: str | None, rooms: int | None) -> None:
    """Give a hotel a name and rooms."""
    await db.execute(
        "INSERT INTO hotel_profile (hotel_id, name, rooms, hidden) VALUES ($1, $2, $3, false)", hotel_id, name, rooms
    )


@pytest.fixture
async def houses(dashboard_db: asyncpg.Pool, today: date) -> None:
    """Three houses of 12 rooms with two years of past: the first two have names, the third has no rooms either."""
    await store_history(dashboard_db, Simulation(7, 3, 12).history(today - timedelta(days=730), today))
    await set_profile(dashboard_db, 1, "Harbour House", 12)
    await set_profile(dashboard_db, 2, "Mill & Garden <Inn>", 12)


@pytest.fixture
def operator(dashboard_app: Application) -> Operator:
    return Operator(dashboard_app)


@pytest.fixture
async def settled_db(dashboard_db: asyncpg.Pool, dashboard_app: Application) -> asyncpg.Pool:
    """The database, when the jobs have run that run at the start: they would overwrite what a test stores of them."""
    for job in (HOUR_JOB, "make_store_days"):
        await eventually(partial(has_run, dashboard_db, job))
    return dashboard_db
