"""The list of the fleet, as its page and `/stores/fleet` show it: the stores, worst first."""

from dataclasses import dataclass
from datetime import datetime

import asyncpg

from common.web.errors import Invalid
from dashboard.uptime.fleet_figures import FleetNow
from dashboard.uptime.models.fleet import FleetPosition, FleetStore, Period, WantedFleet
from dashboard.uptime.queries import reports
from dashboard.uptime.queries.spread import select_fleet_stores

FLEET_PAGE = "/board/stores"
FLEET_LIST = "/stores/fleet"
SPREAD_LIST = "/stores/spread"


@dataclass(frozen=True)
class FoundStores:
    """A page of the fleet. next_after: its end if more stores follow, else None.

    left: how many stores there are from its first one on.
    """

    stores: list[FleetStore]
    next_after: FleetPosition | None
    left: int


async def read_fleet_stores(
    db: asyncpg.Pool,
    period: Period,
    wanted: WantedFleet,
    start: FleetPosition,
    limit: int,
    *,
    fleet: FleetNow,
    now: datetime,
) -> FoundStores:
    """The stores that follow a position, of the report that it names. Raises Invalid if that report was replaced."""
    if start.report_id is not None and await reports.select_report(db, start.report_id) is None:
        raise Invalid.field("cursor", "has expired, since newer data came in; request the first page again")
    found, left = await select_fleet_stores(db, period, wanted, start, limit, now, fleet.states)
    return FoundStores([store for store, _ in found], found[-1][1] if left > len(found) else None, left)
