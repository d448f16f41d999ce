"""`python -m dashboard audit`: compare the counters with the ledger, and the ledger with the feeds."""

import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

import asyncpg

from common.config import Secret, shown_url
from common.db.distribution import is_distributed
from common.db.pool import create_pool
from common.db.replica import read_by_command
from common.db.time_limits import UNLIMITED
from common.jobs.lease import Job, JobResult, Lease
from common.jobs.scheduler import run_now
from common.upstream import UpstreamError, create_client_session
from dashboard.bookings.job_names import NIGHT_AUDIT, job_of_feed
from dashboard.bookings.models.figures import FeedDifference
from dashboard.bookings.night_audit import NightAudit
from dashboard.bookings.queries.counters import select_differences
from dashboard.bookings.queries.differences import select_difference_counts, select_open_differences
from dashboard.bookings.queries.feed_progress import select_progress
from dashboard.config import MAIN_FEED, Config
from dashboard.feed_client import BookingFeed, create_feed

MAX_NAMED = 100
"""Differences that the command names; `GET /audits` lists them all."""


@dataclass(frozen=True)
class AuditOptions:
    """feed: first read every feed again as a whole. apply: correct the ledger by what it says, and keep the reason."""

    feed: bool = False
    apply: bool = False
    reason: str = ""


async def run_audit(config: Config, url: Secret, options: AuditOptions) -> int:
    """Recount the ledger and print the differences; returns the exit status, 1 if there are any.

    With `feed` returns 1 too if a feed cannot be read, has not been read before, may be cut off, or contradicts the
    ledger and nothing is applied; the other feeds are audited all the same.
    """
    if options.apply and not (options.feed and options.reason.strip()):
        print("nightaudit: --apply needs --feed, and a --reason that is not empty", file=sys.stderr)
        return 2
    async with create_pool(url, application="dashboard-audit", size=4, timeouts=UNLIMITED) as db:
        agrees = not options.feed or await _audit_feeds(config, db, options)
        if agrees is None:
            return 1
        read_url = None if options.feed else config.read_database_url  # what was just stored is recounted too
        select = partial(select_differences, is_distributed=await is_distributed(db, "ledger_event"))
        found = dict(await read_by_command(read_url, db, select))
    events = found.pop("events")
    differences = ", ".join(f"{count} {name} differ" for name, count in found.items() if count).replace("_", " ")
    print(f"ledger: {events} events")
    print(f"counters: {differences or 'equal to the recount'}")
    return 0 if agrees and not differences else 1


async def _audit_feeds(config: Config, db: asyncpg.Pool, options: AuditOptions) -> bool | None:
    """Audit every feed; returns whether all agree with the ledger, None when one of them cannot be audited."""
    is_only = len(config.feeds) == 1
    async with create_client_session() as client:
        results = [
            await _audit_feed(config, db, create_feed(client, source), options, "" if is_only else f" {source.name}")
            for source in config.feeds
        ]
    return None if None in results else all(results)


async def _audit_feed(
    config: Config, db: asyncpg.Pool, feed: BookingFeed, options: AuditOptions, suffix: str
) -> bool | None:
    """Run a feed's night audit now, print and apply its result; returns whether feed and ledger agree then.

    suffix: the name of the feed after a space, if there are several. None when the feed cannot be read, or its first
    reading has not ended.
    """
    progress = await select_progress(db, feed.name)
    if progress is None or progress.first_read_at is None:
        print(f"nightaudit: the feed{suffix} has not been read yet; run `serve` first", file=sys.stderr)
        return None
    night_audit = NightAudit(db, feed, timedelta(seconds=config.ingest_lookback_seconds), config.hotel_timezone)

    async def audit_and_apply(lease: Lease) -> JobResult:
        result = await night_audit.run(lease)
        _print_result(suffix, result)
        await _print_differences(db, feed.name)
        if options.apply:
            corrected = await night_audit.apply_differences(lease, datetime.now(UTC), options.reason.strip())
            print(f"applied{suffix}: {corrected} corrections")
        return result

    try:
        result = await run_now(db, Job(job_of_feed(NIGHT_AUDIT, feed.name), config.audit_seconds, audit_and_apply))
    except UpstreamError as error:
        variable = "DASHBOARD_PROVIDER_URL" if feed.name == MAIN_FEED else "DASHBOARD_FEEDS"
        address = next(shown_url(source.url) for source in config.feeds if source.name == feed.name)
        print(
            f"nightaudit: the feed{suffix} at {address} cannot be read: {error}; start the provider, or set "
            f"{variable} to its address",
            file=sys.stderr,
        )
        return None
    return sum(await select_difference_counts(db, feed.name)) == 0 and not result["cut_off"]


def _print_result(suffix: str, result: JobResult) -> None:
    print(f"feed{suffix}: {', '.join(f'{count} {name}' for name, count in result.items())}".replace("_", " "))


async def _print_differences(db: asyncpg.Pool, feed: str) -> None:
    """Print the differences of a feed that are not applied, each with the id of its event."""
    named = await select_open_differences(db, feed, MAX_NAMED)
    for difference in named:
        print(f"  {_describe(difference)}")
    more = sum(await select_difference_counts(db, feed)) - len(named)
    if more:
        print(f"  and {more} more; GET /audits lists them all")


def _describe(difference: FeedDifference) -> str:
    if difference.found is None:
        return f"event {difference.event_id}: the feed no longer has it"
    before, after = difference.counted, difference.found
    changes = ", ".join(
        f"{name} was {_printable(getattr(before, name))}, is {_printable(getattr(after, name))}"
        for name in before.__struct_fields__
        if str(getattr(before, name)) != str(getattr(after, name))
    )
    return f"event {difference.event_id}: {changes}"


def _printable(value: object) -> str:
    """The value without characters that a terminal would obey: a room id is any text of the feed."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in str(value))
