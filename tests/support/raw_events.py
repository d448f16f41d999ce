"""Booking events of one hotel, stored and counted by the application, and recounted here one by one."""

import csv
import gzip
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Literal

import asyncpg

from dashboard.bookings.decoding import BookingEvent
from dashboard.bookings.queries.ledger import insert_events
from provider.simulated_hotels.simulation import Simulation
from tests.support.feeds import MAIN_LEDGER

HOTEL = 1
EVENTS_PER_TRANSACTION = 20_000


def booking(event_id: int, night: date, on: date, status: Literal[1, 2] = 1) -> BookingEvent:
    """An event of the hotel at noon UTC."""
    return BookingEvent(event_id, HOTEL, datetime(on.year, on.month, on.day, 12, tzinfo=UTC), status, 1, night)


@lru_cache(maxsize=1)
def simulated_events() -> Sequence[BookingEvent]:
    """A small hotel before and after 29 February 2024."""
    history = Simulation(7, 1, 12).history(date(2023, 1, 1), date(2025, 6, 1))
    return [
        BookingEvent(number, HOTEL, at, 1 if status == 1 else 2, room_id, night)
        for number, (_, at, status, room_id, night) in enumerate(history, 1)
    ]


def events_of_file(path: Path) -> list[BookingEvent]:
    """The events of the hotel in a file of booking events."""
    with gzip.open(path, "rt", newline="") as file:
        return [
            BookingEvent(
                int(row["id"]),
                HOTEL,
                datetime.fromisoformat(row["event_timestamp"]),
                1 if row["status"] == "1" else 2,
                int(row["room_id"]),
                date.fromisoformat(row["night_of_stay"]),
            )
            for row in csv.DictReader(file)
            if row["hotel_id"] == str(HOTEL)
        ]


async def store(db: asyncpg.Pool, events: Iterable[BookingEvent]) -> "Recount":
    """Store and count the events; returns their recount."""
    kept = list(events)
    async with db.acquire() as connection:
        for start in range(0, len(kept), EVENTS_PER_TRANSACTION):
            async with connection.transaction():
                await insert_events(connection, MAIN_LEDGER, kept[start : start + EVENTS_PER_TRANSACTION])
    return Recount(kept)


class Recount:
    """What is known of the events, by looking at each of them."""

    def __init__(self, events: Iterable[BookingEvent]) -> None:
        self.events = [(event.event_timestamp.date(), event.night_of_stay, event.status) for event in events]
        self.first_date = min(day for day, _, _ in self.events)
        self._changes: defaultdict[date, list[tuple[date, int]]] = defaultdict(list)
        for day, night, status in self.events:
            self._changes[night].append((day, 1 if status == 1 else -1))

    def net(self, night: date, through: date) -> int:
        """Rooms on the books for a night at the end of a day."""
        return sum(change for day, change in self._changes[night] if day <= through)


def year_before(day: date, match: str) -> date | None:
    """The day of the year before; None for 29 February with match "date"."""
    if match == "weekday":
        return day - timedelta(weeks=52)
    try:
        return day.replace(year=day.year - 1)
    except ValueError:
        return None


def event_day_before(day: date, match: str) -> date:
    """The day of the year before up to which events count: for 29 February the 28th."""
    return year_before(day, match) or day.replace(year=day.year - 1, day=28)
