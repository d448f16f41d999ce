"""The state of the dashboard itself: each part of it is read alone, and may fail alone."""

import asyncio
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from importlib import metadata
from pathlib import Path

import asyncpg

from common.config import shown_url
from common.db.distribution import Worker, select_workers
from common.db.pool import BoundedPool
from common.db.replica import ReadReplica
from common.db.row_counts import TableSize, select_table_sizes
from common.db.server_version import select_server_version
from common.jobs.lease import JobState, select_jobs
from common.outbox.admin import MessageCounts, MessageState, select_message_counts, select_messages
from common.version import VERSION
from common.web.health import readiness
from common.web.health_checks import Check
from dashboard.alert_rules import CATALOG_RULES
from dashboard.alerts.models import TOPIC as ALERT_TOPIC
from dashboard.alerts.models import Alert
from dashboard.alerts.queries.alerts import select_alerts, select_firing_count
from dashboard.alerts.service import hidden_rules
from dashboard.board.models import FeedReading, PoolState, QuarantineState, ReplicaReading, Versions
from dashboard.board.parts import FailedPart, read_part
from dashboard.bookings.models.figures import FeedDifference, HotelProfile
from dashboard.bookings.queries import differences as difference_queries
from dashboard.bookings.queries.feed_progress import select_events_by_feed, select_feed_statuses
from dashboard.bookings.queries.profiles import select_hidden_hotels
from dashboard.bookings.queries.quarantine import (
    QuarantinedHead,
    select_latest_quarantined,
    select_quarantine_counts,
)
from dashboard.bookings.service import lag_seconds
from dashboard.catalog.queries.products import select_product_names
from dashboard.config import FeedSource
from dashboard.front_desk.service import TOPIC as DECISION_TOPIC
from dashboard.resources import Resources
from dashboard.uptime.models.imports import Import
from dashboard.uptime.queries.imports import select_imports

TOPICS = (DECISION_TOPIC, ALERT_TOPIC)
"""The topics of the outbox."""

TABLES_SHOWN = 12
DIFFERENCES_SHOWN = 20
CORRECTIONS_SHOWN = 10
QUARANTINED_SHOWN = 50
RAW_SHOWN = 120
"""Characters of a quarantined value that are shown; the page of the value has all."""
DEAD_SHOWN = 50
IMPORTS_SHOWN = 6
HIDDEN_SHOWN = 20
ALERTS_SHOWN = 20

MIGRATIONS = Path(__file__).parents[1] / "migrations"
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
WORKERS_SECONDS = 2.0


@dataclass(frozen=True)
class Differences:
    """The newest differences that are open, and those that were applied last."""

    unapplied: Sequence[FeedDifference]
    applied: Sequence[FeedDifference]


@dataclass(frozen=True)
class Firing:
    """How many alerts fire, the newest of them, the one about a silent collector, and names of products by id."""

    count: int
    newest: Sequence[Alert]
    of_system: Sequence[Alert]
    product_names: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class SystemState:
    """Each part of the system, or why it could not be read."""

    read_at: datetime
    jobs: list[JobState] | FailedPart
    feeds: list[FeedReading] | FailedPart
    quarantine: QuarantineState | FailedPart
    outbox: list[MessageCounts] | FailedPart
    firing: Firing | FailedPart
    checks: list[Check] | FailedPart
    tables: list[TableSize] | FailedPart
    workers: list[Worker] | FailedPart
    pools: list[PoolState]
    replica: ReplicaReading | None
    versions: Versions

    @property
    def failed_parts(self) -> Mapping[str, FailedPart]:
        """The parts that could not be read, by name."""
        return {name: part for name, part in vars(self).items() if isinstance(part, FailedPart)}


@dataclass(frozen=True, kw_only=True)
class SystemLists:
    """The lists of the page, each cut off after its newest rows, or why it could not be read."""

    differences: Differences | FailedPart
    quarantined: list[QuarantinedHead] | FailedPart
    dead: list[MessageState] | FailedPart
    imports: list[Import] | FailedPart
    hidden_hotels: list[HotelProfile] | FailedPart


async def read_system(resources: Resources, now: datetime) -> SystemState:
    """The state of the system now."""
    db, config = resources.pools.requests, resources.config
    of_work, of_database = await asyncio.gather(
        asyncio.gather(
            read_part("jobs", select_jobs(db, resources.jobs)),
            read_part("feeds", read_feeds(db, config.feeds, now)),
            read_part("quarantine", read_quarantine(db, now)),
            read_part("outbox", select_message_counts(db, TOPICS)),
            read_part("alerts", read_firing(db, hidden_rules(config, for_operators=True))),
        ),
        asyncio.gather(
            read_part("sizes of tables", select_table_sizes(db, TABLES_SHOWN)),
            read_part("workers", read_workers(db)),
            read_part("version of PostgreSQL", select_server_version(db)),
            read_part("state of the schema", readiness(db, MIGRATIONS)),
        ),
    )
    jobs, feeds, quarantine, outbox, firing = of_work
    tables, workers, version, checks = of_database
    return SystemState(
        read_at=now,
        jobs=jobs,
        feeds=feeds,
        quarantine=quarantine,
        outbox=outbox,
        firing=firing,
        checks=checks,
        tables=tables,
        workers=workers,
        pools=pools_of(resources.pools.by_name()),
        replica=replica_of(resources.replica),
        versions=versions(None if isinstance(version, FailedPart) else version),
    )


async def read_lists(db: asyncpg.Pool) -> SystemLists:
    """The lists of the page."""
    differences, quarantined, dead, imports, hidden_hotels = await asyncio.gather(
        read_part("differences", read_differences(db)),
        read_part("quarantined values", select_latest_quarantined(db, QUARANTINED_SHOWN, RAW_SHOWN)),
        read_part("dead messages", select_messages(db, ["dead"], None, DEAD_SHOWN)),
        read_part("imports", select_imports(db, None, IMPORTS_SHOWN)),
        read_part("hidden hotels", select_hidden_hotels(db, HIDDEN_SHOWN + 1)),
    )
    return SystemLists(
        differences=differences, quarantined=quarantined, dead=dead, imports=imports, hidden_hotels=hidden_hotels
    )


async def read_feeds(db: asyncpg.Pool, sources: Sequence[FeedSource], now: datetime) -> list[FeedReading]:
    """How far each feed is read and audited."""
    names = [source.name for source in sources]
    statuses, events, differences = await asyncio.gather(
        select_feed_statuses(db, names),
        select_events_by_feed(db, now - HOUR, now),
        difference_queries.select_feed_differences(db, names),
    )
    return [
        FeedReading(
            feed=status.feed,
            address=shown_url(source.url),
            data_through=status.data_through,
            lag_seconds=lag_seconds(status.data_through, now),
            events_last_hour=events.get(status.feed_number, 0) if status.feed_number is not None else 0,
            past_events=status.past_events,
            about_events=status.about_events,
            first_read_at=status.first_read_at,
            cut_offs=status.cut_offs,
            first_cut_off=status.first_cut_off,
            cut_off_reason=status.cut_off_reason,
            wait_until=status.wait_until,
            audit_started_at=status.audit_started_at,
            audited_through=status.audited_through,
            missing=found.missing,
            changed=found.changed,
            applied=found.applied,
            applied_at=found.applied_at,
        )
        for source, status, found in zip(sources, statuses, differences, strict=True)
    ]


async def read_quarantine(db: asyncpg.Pool, now: datetime) -> QuarantineState:
    """How many values are in quarantine."""
    counts = await select_quarantine_counts(db, now - DAY)
    return QuarantineState(counts.values, counts.new, counts.newest)


async def read_firing(db: asyncpg.Pool, hidden: Sequence[str]) -> Firing:
    """The alerts that fire. hidden: rules to leave out."""
    newest = await select_alerts(db, "firing", None, hidden, None, ALERTS_SHOWN)
    products = {alert.subject for alert in newest if alert.rule in CATALOG_RULES}
    return Firing(
        await select_firing_count(db, hidden),
        newest,
        await select_alerts(db, "firing", "collector_silent", hidden, None, 1),
        await select_product_names(db, sorted(products)) if products else {},
    )


async def read_differences(db: asyncpg.Pool) -> Differences:
    """The newest differences between the feeds and the ledger."""
    return Differences(
        await difference_queries.select_latest_differences(db, DIFFERENCES_SHOWN, are_applied=False),
        await difference_queries.select_latest_differences(db, CORRECTIONS_SHOWN, are_applied=True),
    )


async def read_workers(db: asyncpg.Pool) -> list[Worker] | FailedPart:
    """The workers of the cluster; a worker that is down may take long to tell."""
    try:
        async with asyncio.timeout(WORKERS_SECONDS):
            return await select_workers(db)
    except TimeoutError:
        return FailedPart(f"The coordinator did not answer within {WORKERS_SECONDS:g} s.")


def pools_of(pools: Mapping[str, BoundedPool]) -> list[PoolState]:
    """The pools of this process."""
    return [
        PoolState(name, pool.get_size() - pool.get_idle_size(), pool.get_size(), pool.get_max_size())
        for name, pool in pools.items()
    ]


def replica_of(replica: ReadReplica | None) -> ReplicaReading | None:
    """The read replica, as it was checked last."""
    if replica is None:
        return None
    return ReplicaReading(replica.is_readable, replica.state.lag_seconds, replica.state.problem)


def versions(postgresql: str | None) -> Versions:
    """What this process runs on."""
    return Versions(VERSION, platform.python_version(), _installed("quart"), _installed("asyncpg"), postgresql)


@lru_cache
def _installed(package: str) -> str:
    return metadata.version(package)
