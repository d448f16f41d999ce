"""Polling the simulated fleet: its history at first, then round by round."""

import asyncio
from datetime import datetime, timedelta

import asyncpg

from common.db.pool import transaction
from common.jobs.lease import Lease
from provider.store_polls import queries
from provider.store_polls.simulation import SimulatedPoll, SimulatedStore, simulate_fleet, simulate_polls

SEED = 1
FLEET_SIZE = 200
HISTORY = timedelta(days=9)
MAX_STEP = HISTORY
"""After a long sleep the rounds that were missed are made up for in steps. The history is one: nobody reads half."""


async def poll_fleet(db: asyncpg.Pool, lease: Lease | None, now: datetime, *, stores: int = FLEET_SIZE) -> int:
    """Poll what is due up to `now`, on an empty database the history too; the number of polls stored.

    Safe to repeat, and at the same time: a round begins where the last one ended. lease: what the writing is fenced by.
    """
    polled = 0
    while True:
        async with transaction(db) as connection:
            if lease is not None:
                await lease.guard(connection)
            if await queries.insert_progress(connection, SEED, stores, now - HISTORY):
                beginning = simulate_fleet(SEED, stores)
                await queries.copy_stores(connection, beginning)
                await queries.copy_hours(connection, beginning)
            last = await queries.select_progress_for_update(connection)
            assert last is not None
            until = min(now, last.polled_until + MAX_STEP)
            if until <= last.polled_until:
                return polled
            polls = await asyncio.to_thread(_simulate_polls, last, until)
            polled += await queries.copy_polls(connection, polls)
            await queries.update_progress(connection, until)


def _simulate_polls(last: queries.PollProgress, until: datetime) -> list[SimulatedPoll]:
    stores: list[SimulatedStore] = simulate_fleet(last.seed, last.stores)
    return list(simulate_polls(last.seed, stores, last.polled_until, until))
