"""The past of the simulated hotels in the demo, of the same hotels whose live bookings the generator sends."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

import asyncpg

from common.cli import warn
from common.config import Secret
from common.db.pool import connect_with
from common.db.time_limits import UNLIMITED
from provider.hotel_rooms import NightEvent
from provider.simulated_hotels.models import SimulatedEvent, night_event
from provider.simulated_hotels.simulation import Simulation

MAX_ROOM_YEARS = 10_000
"""Rooms of all hotels times years: about six million events, some two minutes before the provider answers."""

CHUNK_EVENTS = 20_000


@dataclass(frozen=True)
class EmptyFeed:
    """The functions of the feed that `add_demo_history` calls.

    lock: lets nobody else store events until the transaction ends. select_last_hotel: the largest hotel id, None in an
    empty feed. append: stores events under new ids, and returns how many. analyze: renews PostgreSQL's statistics.
    """

    lock: Callable[[asyncpg.Connection], Awaitable[None]]
    select_last_hotel: Callable[[asyncpg.Connection], Awaitable[int | None]]
    append: Callable[[asyncpg.Connection, Sequence[NightEvent]], Awaitable[int]]
    analyze: Callable[[asyncpg.Connection], Awaitable[None]]


async def add_demo_history(url: Secret, simulation: Simulation, years: int, now: datetime, feed: EmptyFeed) -> int:
    """Write the history of the simulated hotels, up to now, into the feed if it is empty; returns how many events.

    It is one transaction: a start that is killed leaves nothing, and of two starts at once the second waits, and finds
    the events of the first.
    """
    rooms = sum(hotel.rooms for hotel in simulation.hotels)
    connection = await connect_with(url, "provider-demo", UNLIMITED)
    try:
        if await feed.select_last_hotel(connection) is not None:
            return 0
        if rooms * years > MAX_ROOM_YEARS:
            warn(
                f"the simulated hotels begin without a past: {years} years of {rooms} rooms take too long to write at "
                "the start; set PROVIDER_GENERATOR_YEARS, _HOTELS or _ROOMS to a smaller number"
            )
            return 0
        async with connection.transaction():
            await feed.lock(connection)
            if await feed.select_last_hotel(connection) is not None:
                return 0
            warn(f"writing the past {years} years of {len(simulation.hotels)} simulated hotels into the feed, once")
            stored = await _append_all(connection, simulation.history_through(now, years), feed)
        await feed.analyze(connection)
        return stored
    finally:
        await connection.close()


async def _append_all(connection: asyncpg.Connection, history: Iterator[SimulatedEvent], feed: EmptyFeed) -> int:
    """Append chunk after chunk; while PostgreSQL stores one, the next is made."""

    def next_chunk() -> list[NightEvent]:
        return [night_event(event) for event in islice(history, CHUNK_EVENTS)]

    stored = 0
    chunk = await asyncio.to_thread(next_chunk)
    while chunk:
        following = asyncio.create_task(asyncio.to_thread(next_chunk))
        try:
            stored += await feed.append(connection, chunk)
        finally:
            chunk = await following
    return stored
