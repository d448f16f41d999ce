"""Events of hotels whose recount is compared with the product: simulated ones, and those of the real file."""

import csv
import gzip
from collections.abc import Iterator
from datetime import date, datetime
from typing import get_args

import asyncpg

from dashboard.bookings.decoding import BookingEvent, Status
from dashboard.bookings.inputs import PaceMatch
from dashboard.bookings.queries.ledger import insert_events
from provider.simulated_hotels.simulation import Simulation
from tests.dashboard.bookings.plain_books import PlainBooks, PlainEvent
from tests.dashboard.bookings.test_figures import Events
from tests.end_to_end.test_real_data import FILE
from tests.support.feeds import MAIN_LEDGER

HOTEL = 7001
MATCHES = get_args(PaceMatch)
PAGE = 20_000


def plain(events: Events) -> PlainBooks:
    """The events as a plain recount takes them, by their dates in UTC."""
    return PlainBooks(
        PlainEvent(each.hotel_id, each.event_timestamp.date(), each.night_of_stay, 1 if each.status == 1 else -1)
        for each in events
    )


async def insert_in_pages(db: asyncpg.Pool, events: Events) -> None:
    """Count the events, in transactions of a page each, as if the past had been read."""
    for start in range(0, len(events), PAGE):
        async with db.acquire() as connection, connection.transaction():
            await insert_events(connection, MAIN_LEDGER, events[start : start + PAGE])
    await db.execute("UPDATE feed_progress SET first_read_at = now()")


def status_of(number: int | str) -> Status:
    return 1 if int(number) == 1 else 2


def simulated() -> Iterator[BookingEvent]:
    """Three years of two hotels around 29 February 2024."""
    made = Simulation(12, 2, 6, first_hotel_id=HOTEL).history(date(2022, 6, 1), date(2025, 6, 1))
    return (
        BookingEvent(
            number, each.hotel_id, each.event_timestamp, status_of(each.status), each.room_id, each.night_of_stay
        )
        for number, each in enumerate(made, start=1)
    )


def real_events() -> Iterator[BookingEvent]:
    """The events of the real bookings file."""
    with gzip.open(FILE, "rt", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), start=1):
            at, night = datetime.fromisoformat(row["event_timestamp"]), date.fromisoformat(row["night_of_stay"])
            yield BookingEvent(number, int(row["hotel_id"]), at, status_of(row["status"]), row["room_id"], night)
