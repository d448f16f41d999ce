"""The rules of alerts, each with the queries of the slice that it is about."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from common.alerts import Firing, SelectFirings, Watch
from common.db.pool import Executor
from dashboard.alert_ends import ends_of_rules
from dashboard.alert_rules import Rule
from dashboard.alerts.queries.platform import select_dead_messages, select_failing_jobs
from dashboard.bookings.queries.alerts import select_feeds_behind, select_feeds_cut_off, select_feeds_differing
from dashboard.catalog.queries.alerts import select_back_in_stock, select_prices_below_mark
from dashboard.config import Config
from dashboard.uptime.queries.alerts import Look, select_silent_collector, select_stores_down
from dashboard.uptime.queries.imports import select_data_version


def watches(config: Config, jobs: Sequence[str]) -> list[Watch]:
    """The rules that are not switched off. jobs: the names of the jobs that run."""
    feeds, read_interval = config.feed_names, timedelta(seconds=config.ingest_seconds)

    async def feed_behind(db: Executor, now: datetime, _: Sequence[str]) -> list[Firing]:
        return await select_feeds_behind(db, now, feeds, read_interval) if read_interval else []

    async def feed_cut_off(db: Executor, _: datetime, __: Sequence[str]) -> list[Firing]:
        return await select_feeds_cut_off(db, feeds)

    async def audit_drift(db: Executor, _: datetime, __: Sequence[str]) -> list[Firing]:
        return await select_feeds_differing(db, feeds)

    async def job_failing(db: Executor, _: datetime, __: Sequence[str]) -> list[Firing]:
        return await select_failing_jobs(db, jobs)

    pull_interval = timedelta(seconds=config.stores_seconds)

    async def collector_silent(db: Executor, now: datetime, firing: Sequence[str]) -> list[Firing]:
        return await select_silent_collector(db, now, firing, pull_interval)

    async def dead_message(db: Executor, _: datetime, __: Sequence[str]) -> list[Firing]:
        return await select_dead_messages(db)

    selects: Mapping[Rule, SelectFirings] = {
        "store_down": _stores_down(config.alert_store_polls),
        "collector_silent": collector_silent,
        "price_below_mark": select_prices_below_mark,
        "back_in_stock": select_back_in_stock,
        "feed_behind": feed_behind,
        "feed_cut_off": feed_cut_off,
        "job_failing": job_failing,
        "audit_drift": audit_drift,
        "dead_message": dead_message,
    }
    ends = ends_of_rules(config, jobs)
    return [
        Watch(rule, select, ends[rule]) for rule, select in selects.items() if rule not in (config.alerts_off or ())
    ]


def _stores_down(polls: int) -> SelectFirings:
    """Looks at the stores when an import has changed data or other stores fire, and every minute."""
    seen: tuple[int, datetime, frozenset[str]] | None = None
    look: Look | None = None

    async def select(db: Executor, now: datetime, firing: Sequence[str]) -> list[Firing]:
        nonlocal seen, look
        # Before the stores, so that an import that is committed in between is seen at the next look.
        version = await select_data_version(db)
        state = (version, now.replace(second=0, microsecond=0), frozenset(firing))
        if look is None or state != seen:
            is_known = look is not None and seen is not None and seen[0] == version and look.found.keys() >= set(firing)
            found = await select_stores_down(db, now, firing, polls, before=look if is_known else None)
            look = Look(now, {each.subject: each for each in found})
            seen = state
        return list(look.found.values())

    return select
