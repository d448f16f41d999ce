"""Figures of the whole fleet that are too dear for each request: computed once, and kept by each process.

To know the states of all stores takes a look at the hours and the last poll of each; time alone changes a state when a
store opens, closes or becomes stale. States of the data before are never shown. Those that are only a minute old are,
while newer ones are computed in the background. How the shares of a report are spread never changes.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

import asyncpg
import structlog

from common.db.errors import describe_failure
from dashboard.uptime.models.fleet import MeasuredShares, Period, Spread, StateCounts
from dashboard.uptime.models.reports import Report
from dashboard.uptime.models.stores import StoreState
from dashboard.uptime.queries.imports import select_data_version
from dashboard.uptime.queries.spread import select_measured_shares
from dashboard.uptime.queries.states import select_states

log = structlog.get_logger()

FRESH = timedelta(seconds=30)
"""States are computed again once they are older."""
MAX_AGE = timedelta(minutes=2)
"""Older states are not shown; a page that stays open asks each minute."""
SPREADS_KEPT = 16
"""More than the periods and targets that people usually ask for."""


@dataclass(frozen=True)
class FleetNow:
    """The state of every store at an instant, by its id in order, of a version of the data."""

    at: datetime
    version: int
    states: dict[str, StoreState]

    def in_state(self, state: StoreState) -> list[str]:
        """The ids of the stores in a state, in order."""
        return [store_id for store_id, found in self.states.items() if found == state]

    @property
    def has_polls(self) -> bool:
        """Whether any store was ever polled."""
        return any(state != "never_polled" for state in self.states.values())

    def counts(self) -> StateCounts:
        """How many stores are in each state."""
        counted = Counter(self.states.values())
        return StateCounts(
            self.at,
            up=counted["up"],
            down=counted["down"],
            closed=counted["closed"],
            stale=counted["stale"],
            never_polled=counted["never_polled"],
        )


class FleetFigures:
    """The figures that one process keeps. Requests that come while some are computed wait for them."""

    def __init__(self, db: asyncpg.Pool) -> None:
        self._db = db
        self._states: FleetNow | None = None
        self._computing_states = asyncio.Lock()
        self._renewing: asyncio.Task[FleetNow] | None = None
        self._shares: dict[tuple[str, Period, Decimal], MeasuredShares] = {}
        self._computing_shares = asyncio.Lock()

    async def states(self, now: datetime) -> FleetNow:
        """The states of all stores, at most MAX_AGE from `now`, of the newest data."""
        version = await select_data_version(self._db)
        kept = self._states
        if kept is None or not _is_of(kept, version, now, MAX_AGE):
            return await self._compute_states(version, now)
        if not _is_of(kept, version, now, FRESH) and self._renewing is None:
            self._renewing = asyncio.create_task(self._compute_states(version, now))
            self._renewing.add_done_callback(self._end_renewing)
        return kept

    async def _compute_states(self, version: int, now: datetime) -> FleetNow:
        async with self._computing_states:
            kept = self._states  # another request may have computed them meanwhile
            if kept is None or not _is_of(kept, version, now, FRESH):
                kept = FleetNow(now, version, await select_states(self._db, now))
                self._states = kept
            return kept

    def _end_renewing(self, task: asyncio.Task[FleetNow]) -> None:
        """Forget the renewal that is done; the next request that finds the states old begins another."""
        self._renewing = None
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("store_states_not_renewed", error=describe_failure(error))

    @asynccontextmanager
    async def warm(self, now: datetime) -> AsyncIterator[None]:
        """Compute the states while the application starts, so that its first page need not wait for them."""
        self._renewing = asyncio.create_task(self._first_states(now))
        self._renewing.add_done_callback(self._end_renewing)
        try:
            yield
        finally:
            if self._renewing is not None:
                self._renewing.cancel()
                await asyncio.wait([self._renewing])

    async def _first_states(self, now: datetime) -> FleetNow:
        return await self._compute_states(await select_data_version(self._db), now)

    async def spread(self, report: Report | None, period: Period, target: Decimal, fleet: FleetNow) -> Spread:
        """How the shares of a report are spread; nothing is measured without one. fleet: the states beside it."""
        shares = await self._measured_shares(report.report_id if report else None, period, target)
        return Spread(
            period=period,
            target=target,
            report_id=report.report_id if report else None,
            as_of=report.as_of if report else None,
            measured=shares.measured,
            breaches=shares.breaches,
            p5=shares.p5,
            p50=shares.p50,
            bands=shares.bands,
            states=fleet.counts(),
            down_now=fleet.in_state("down"),
        )

    async def _measured_shares(self, report_id: str | None, period: Period, target: Decimal) -> MeasuredShares:
        key = (report_id or "", period, target)
        if key not in self._shares:
            async with self._computing_shares:
                if key not in self._shares:
                    made_of = UUID(report_id) if report_id else None
                    shares = await select_measured_shares(self._db, made_of, period, target)
                    while len(self._shares) >= SPREADS_KEPT:
                        del self._shares[next(iter(self._shares))]
                    self._shares[key] = shares
                    return shares
        return self._shares[key]


def _is_of(states: FleetNow, version: int, now: datetime, max_age: timedelta) -> bool:
    """Whether states are of this version of the data or a newer one, and at most `max_age` from `now`.

    Those of no store are computed each time, which costs nothing.
    """
    return bool(states.states) and states.version >= version and abs(now - states.at) <= max_age
