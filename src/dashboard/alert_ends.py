"""How alerts of each rule ended, in sentences for people."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from common.alerts import SelectEnds
from common.db.pool import Executor
from dashboard.alert_rules import Rule
from dashboard.bookings.queries.alerts import select_feeds_caught_up
from dashboard.catalog.queries.alerts import select_ends_below_mark, select_ends_in_stock
from dashboard.config import Config
from dashboard.uptime.queries.alerts import select_end_of_silence, select_ends_down


def ends_of_rules(config: Config, jobs: Sequence[str]) -> Mapping[Rule, SelectEnds]:
    """For each rule, the function that says how its alerts ended. jobs: the names of the jobs that run."""
    return {
        "store_down": _store_end(config.alert_store_polls),
        "collector_silent": _silence_end(timedelta(seconds=config.stores_seconds)),
        "price_below_mark": _price_below_mark,
        "back_in_stock": _back_in_stock,
        **_feed_ends(config.feed_names, are_read=config.ingest_seconds > 0),
        "job_failing": _job_end(jobs),
        "dead_message": _dead_message,
    }


def _store_end(polls: int) -> SelectEnds:
    async def store_down(db: Executor, now: datetime, stores: Sequence[str]) -> Mapping[str, str]:
        return await select_ends_down(db, now, stores, polls)

    return store_down


def _silence_end(pull_interval: timedelta) -> SelectEnds:
    async def collector_silent(db: Executor, now: datetime, subjects: Sequence[str]) -> Mapping[str, str]:
        return dict.fromkeys(subjects, await select_end_of_silence(db, now, pull_interval))

    return collector_silent


async def _price_below_mark(db: Executor, _: datetime, products: Sequence[str]) -> Mapping[str, str]:
    return dict.fromkeys(products, "The product was deleted.") | await select_ends_below_mark(db, products)


async def _back_in_stock(db: Executor, _: datetime, products: Sequence[str]) -> Mapping[str, str]:
    return dict.fromkeys(products, "The product was deleted.") | await select_ends_in_stock(db, products)


async def _dead_message(_: Executor, __: datetime, subjects: Sequence[str]) -> Mapping[str, str]:
    return dict.fromkeys(subjects, "No message that was given up is left: it was retried, replaced or deleted.")


def _job_end(jobs: Sequence[str]) -> SelectEnds:
    async def job_failing(_: Executor, __: datetime, names: Sequence[str]) -> Mapping[str, str]:
        return {name: "The job has succeeded." if name in jobs else "The job no longer runs." for name in names}

    return job_failing


def _feed_ends(feeds: Sequence[str], *, are_read: bool) -> Mapping[Rule, SelectEnds]:
    """The ends of alerts about feeds. feeds: the configured ones. are_read: whether they are read at intervals."""

    def of_feeds(names: Sequence[str], sentence: str) -> Mapping[str, str]:
        return {name: sentence if name in feeds else "The dashboard no longer reads this feed." for name in names}

    async def feed_behind(db: Executor, _: datetime, names: Sequence[str]) -> Mapping[str, str]:
        if not are_read:
            return of_feeds(names, "The dashboard no longer reads the feed at intervals.")
        caught_up = await select_feeds_caught_up(db, [name for name in names if name in feeds])
        return {**of_feeds(names, "The feed is no longer behind."), **caught_up}

    async def feed_cut_off(_: Executor, __: datetime, names: Sequence[str]) -> Mapping[str, str]:
        return of_feeds(names, "All events that the feed has of those instants are counted.")

    async def audit_drift(_: Executor, __: datetime, names: Sequence[str]) -> Mapping[str, str]:
        return of_feeds(names, "No counted event differs from the feed any more.")

    return {"feed_behind": feed_behind, "feed_cut_off": feed_cut_off, "audit_drift": audit_drift}
