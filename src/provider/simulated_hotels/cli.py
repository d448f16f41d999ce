"""`python -m provider generate`: writes the history of simulated hotels into the feed."""

import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice

import asyncpg
from tqdm import tqdm

from common.config import Secret
from common.csv_import import NOT_STORED, print_error
from provider.hotel_rooms import NightEvent
from provider.simulated_hotels.models import night_event
from provider.simulated_hotels.simulation import Simulation

MAX_HISTORY_YEARS = 100
CHUNK_EVENTS = 10_000


@dataclass(frozen=True)
class HistoryOptions:
    """How many hotels, of how many rooms, over how many years before today; the same seed gives the same history."""

    hotels: int
    years: int
    rooms: int
    seed: int


@dataclass(frozen=True)
class HistoryFeed:
    """The functions of the feed that `generate_history` calls.

    connect: opens a connection. select_last_hotel: the largest hotel id. append: stores events under new ids, and
    returns how many.
    """

    connect: Callable[[Secret], Awaitable[asyncpg.Connection]]
    select_last_hotel: Callable[[asyncpg.Connection], Awaitable[int | None]]
    append: Callable[[asyncpg.Connection, Sequence[NightEvent]], Awaitable[int]]


async def generate_history(url: Secret, options: HistoryOptions, feed: HistoryFeed) -> int:
    """Write the history, up to today, of simulated hotels with new ids; returns the exit status."""
    if not 1 <= options.years <= MAX_HISTORY_YEARS:
        return print_error(f"--years must be from 1 to {MAX_HISTORY_YEARS}, not {options.years}")
    stored = 0
    try:
        connection = await feed.connect(url)
        try:
            first_id = 1 + (await feed.select_last_hotel(connection) or 0)
            simulation = Simulation(options.seed, options.hotels, options.rooms, first_hotel_id=first_id)
            today = datetime.now(UTC).date()
            events = simulation.history(today - timedelta(days=365 * options.years), today)
            with tqdm(unit=" events", desc="generate", disable=None, file=sys.stderr) as bar:
                while chunk := list(map(night_event, islice(events, CHUNK_EVENTS))):
                    stored += await feed.append(connection, chunk)
                    bar.update(len(chunk))
        finally:
            await connection.close()
    except ValueError as error:
        return print_error(str(error))
    except NOT_STORED as error:
        return print_error(f"PostgreSQL failed after {stored} events ({error})")
    print(f"{stored} events of hotels {first_id} to {first_id + options.hotels - 1}")
    return 0
