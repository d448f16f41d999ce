"""Polling the simulated fleet: its history at first, then round by round."""

import asyncio
from datetime import datetime, timedelta

import asyncpg

from common.db.pool import transaction
from common.jobs.lease import Lease
from provider.store_polls import queries
from provider.store_polls.simulation import SimulatedPoll, SimulatedStore, fleet, polls_between

SEED = 1
STORES = 200
HISTORY = timedelta(days=9)
LONGEST_ROUND = HISTORY
"""After a long sleep the rounds that were missed are made up for in steps. The history is one: nobody reads half."""


async def poll_fleet(db: asyncpg.Pool, lease: Lease | None, now: datetime, *, stores: int = STORES) -> int:
    """Poll what is due up to `now`, on an empty database the history too; the number of polls stored.

    Safe to repeat, and at the same time: a round begins where the last one ended. lease: what the writing is fenced by.
    """
    polled = 0
    while True:
        async with transaction(db) as connection:
            if lease is not None:
                await lease.guard(connection)
            if await queries.insert_round(connection, SEED, stores, now - HISTORY):
                beginning = fleet(SEED, stores)
                await queries.copy_stores(connection, beginning)
                await queries.copy_hours(connection, beginning)
            last = await queries.select_round_for_update(connection)
            assert last is not None
            until = min(now, last.polled_until + LONGEST_ROUND)
            if until <= last.polled_until:
                return polled
            polls = await asyncio.to_thread(_found, last, until)
            polled += await queries.copy_polls(connection, polls)
            await queries.update_round(connection, until)


def _found(last: queries.Round, until: datetime) -> list[SimulatedPoll]:
    stores: list[SimulatedStore] = fleet(last.seed, last.stores)
    return list(polls_between(last.seed, stores, last.polled_until, until))
