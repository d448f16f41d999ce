"""What the morning page shows apart from bookings: first what is cheap to read, which is part of its ETag."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import asyncpg

from common.jobs.lease import Job, select_jobs
from dashboard.board.page_views.look_here import MONTH
from dashboard.board.page_views.morning import JobsShown, jobs_shown
from dashboard.board.parts import FailedPart, read_part
from dashboard.bookings.models.morning import LastEvent
from dashboard.bookings.queries.morning import select_events_since, select_last_event
from dashboard.bookings.queries.quarantine import select_new_quarantined_count
from dashboard.catalog.models import CatalogMark, PriceMove
from dashboard.catalog.queries.moves import select_catalog_mark, select_price_moves
from dashboard.catalog.service import shortest_gap
from dashboard.front_desk.models import DeskCounts
from dashboard.front_desk.queries.lists import select_desk_counts
from dashboard.resources import resources
from dashboard.uptime.fleet_figures import FleetFigures
from dashboard.uptime.models.fleet import FleetMark, Spread
from dashboard.uptime.queries.fleet import select_fleet_mark
from dashboard.uptime.report_runner import ReportRunner

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
TARGET = Decimal("0.99")


@dataclass(frozen=True)
class News:
    """The number of events that are dated within the last hour, and the last event; None without any."""

    events: int
    last: LastEvent | None


@dataclass(frozen=True)
class FleetState:
    """What tells one state of the stores from another, and the stores that are down now."""

    mark: FleetMark
    down: list[str]


@dataclass(frozen=True)
class OperationsState:
    """What the morning page shows apart from bookings. Cheap to read; part of the page's ETag.

    catalog: None if not everybody may see it.
    """

    desk: DeskCounts | FailedPart
    news: News | FailedPart
    jobs: JobsShown | FailedPart
    quarantined: int | FailedPart
    fleet: FleetState | FailedPart
    catalog: CatalogMark | FailedPart | None


async def read_state(
    db: asyncpg.Pool, jobs: Sequence[Job], stores: FleetFigures, now: datetime, *, shows_prices: bool
) -> OperationsState:
    """The state now. shows_prices: whether everybody may see the catalogue."""
    yesterday = now.replace(hour=0, minute=0, second=0, microsecond=0) - DAY

    async def read_news() -> News:
        return News(await select_events_since(db, now - HOUR, now), await select_last_event(db, now))

    async def read_jobs() -> JobsShown:
        return jobs_shown(await select_jobs(db, jobs))

    async def read_catalog() -> CatalogMark | None:
        return await select_catalog_mark(db) if shows_prices else None

    async def read_fleet() -> FleetState:
        return FleetState(await select_fleet_mark(db), (await stores.states(now)).in_state("down"))

    desk, news, shown, quarantined, fleet, catalog = await asyncio.gather(
        read_part("front desk", select_desk_counts(db, now)),
        read_part("last events", read_news()),
        read_part("jobs", read_jobs()),
        read_part("quarantine", select_new_quarantined_count(db, yesterday)),
        read_part("stores", read_fleet()),
        read_part("prices", read_catalog()),
    )
    return OperationsState(desk, news, shown, quarantined, fleet, catalog)


async def read_spread(runner: ReportRunner, figures: FleetFigures, now: datetime) -> Spread:
    """The stores now, and in the week of the latest report, as their own page has them.

    If the data has changed since that report, the next one is begun; the page has it when it asks for news again.
    """
    fleet, latest = await asyncio.gather(figures.states(now), runner.latest(now, 0, first_wait=0))
    return await figures.spread(latest.report, "week", TARGET, fleet)


async def read_moves(db: asyncpg.Pool, now: datetime) -> list[PriceMove]:
    """The prices that changed within 30 days."""
    gap = shortest_gap(resources().config.offers_seconds)
    return await select_price_moves(db, now, DAY, MONTH, gap)
