"""Polls the simulated fleet: first its history, then each new interval."""

import asyncio
from datetime import datetime, timedelta

import asyncpg

from common.db.pool import transaction
from common.jobs.lease import Lease
from provider.store_polls import queries
from provider.store_polls.models import PollProgress, SimulatedPoll
from provider.store_polls.simulation import first_outage, simulate_fleet, simulate_polls

SEED = 1
FLEET_SIZE = 60
HISTORY = timedelta(days=95)
"""So that the 90 days of each store are full."""
MAX_POLL_PERIOD = HISTORY
"""Longest interval polled in one transaction. The history is one step, so that readers never see a part of it."""


async def poll_fleet(db: asyncpg.Pool, lease: Lease | None, now: datetime, *, stores: int = FLEET_SIZE) -> int:
    """Store the polls since the last call, or the history on an empty database; returns the number of polls.

    Safe to repeat and to run concurrently: each step starts where the last one ended. lease: fences the writes.
    """
    polled = 0
    while True:
        async with transaction(db) as connection:
            if lease is not None:
                await lease.guard(connection)
            if await queries.insert_progress(connection, SEED, stores, now, now - HISTORY):
                fleet = simulate_fleet(SEED, stores)
                await queries.copy_stores(connection, fleet)
                await queries.copy_hours(connection, fleet)
            progress = await queries.select_progress_for_update(connection)
            assert progress is not None
            until = min(now, progress.polled_until + MAX_POLL_PERIOD)
            if until <= progress.polled_until:
                return polled
            polls = await asyncio.to_thread(_simulate_polls, progress, until)
            polled += await queries.copy_polls(connection, polls)
            await queries.update_progress(connection, until)


def _simulate_polls(progress: PollProgress, until: datetime) -> list[SimulatedPoll]:
    stores = simulate_fleet(progress.seed, progress.stores)
    polls = simulate_polls(progress.seed, stores, progress.polled_until, until)
    outage = first_outage(stores, progress.began_at)
    return list(polls) if outage is None else [outage.change(poll) for poll in polls]
