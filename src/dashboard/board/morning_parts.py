"""What the morning page shows apart from bookings: first what is cheap to read, which is part of its ETag."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

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
from dashboard.front_desk.models import DeskCounts
from dashboard.front_desk.queries.lists import select_desk_counts
from dashboard.uptime.models.fleet import FleetMark, WeekOfFleet
from dashboard.uptime.models.reports import Report
from dashboard.uptime.queries.fleet import (
    select_down_now,
    select_fleet_mark,
    select_latest_report,
    select_week_of_fleet,
)

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
TARGET = Decimal("0.99")


@dataclass(frozen=True)
class News:
    """The number of events that are dated within the last hour, and the last event; None without any."""

    events: int
    last: LastEvent | None


@dataclass(frozen=True)
class OperationsState:
    """What the morning page shows apart from bookings. Cheap to read; part of the page's ETag.

    catalog: None if not everybody may see it.
    """

    desk: DeskCounts | FailedPart
    news: News | FailedPart
    jobs: JobsShown | FailedPart
    quarantined: int | FailedPart
    fleet: FleetMark | FailedPart
    catalog: CatalogMark | FailedPart | None


async def read_state(db: asyncpg.Pool, jobs: Sequence[Job], now: datetime, *, shows_prices: bool) -> OperationsState:
    """The state now. shows_prices: whether everybody may see the catalogue."""
    yesterday = now.replace(hour=0, minute=0, second=0, microsecond=0) - DAY

    async def read_news() -> News:
        return News(await select_events_since(db, now - HOUR, now), await select_last_event(db, now))

    async def read_jobs() -> JobsShown:
        return jobs_shown(await select_jobs(db, jobs))

    async def read_catalog() -> CatalogMark | None:
        return await select_catalog_mark(db) if shows_prices else None

    desk, news, shown, quarantined, fleet, catalog = await asyncio.gather(
        read_part("front desk", select_desk_counts(db, now)),
        read_part("last events", read_news()),
        read_part("jobs", read_jobs()),
        read_part("quarantine", select_new_quarantined_count(db, yesterday)),
        read_part("stores", select_fleet_mark(db)),
        read_part("prices", read_catalog()),
    )
    return OperationsState(desk, news, shown, quarantined, fleet, catalog)


@dataclass(frozen=True)
class Fleet:
    """The stores that are down now, and their last week by the latest report; None without a report."""

    down: list[str]
    report: Report | None
    week: WeekOfFleet | None


async def read_fleet(db: asyncpg.Pool, now: datetime) -> Fleet:
    """The stores now and in the latest report."""
    down, report = await asyncio.gather(select_down_now(db, now), select_latest_report(db))
    week = None if report is None else await select_week_of_fleet(db, UUID(report.report_id), TARGET)
    return Fleet(down, report, week)


async def read_moves(db: asyncpg.Pool, now: datetime) -> list[PriceMove]:
    """The prices that changed within 30 days."""
    return await select_price_moves(db, now, DAY, MONTH)
