"""`python -m dashboard audit`: compare the counters with the ledger, and the ledger with the feed."""

import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg

from common.config import Secret
from common.db.pool import UNLIMITED, create_pool
from common.jobs.lease import Job, JobResult, Lease
from common.jobs.scheduler import run_now
from common.upstream import Upstream, UpstreamError, create_client_session
from dashboard.bookings.models import FeedDifference
from dashboard.bookings.night_audit import NightAudit, apply_differences
from dashboard.bookings.queries.counters import select_differences
from dashboard.bookings.queries.differences import select_difference_counts, select_open_differences
from dashboard.bookings.queries.feed_progress import select_feed_state
from dashboard.config import Config
from dashboard.feed_client import BookingFeed

MAX_NAMED = 100
"""Differences that the command names; `GET /audits` lists them all."""


@dataclass(frozen=True)
class AuditOptions:
    """feed: first read the whole feed again. apply: correct the ledger by what it says, and keep the reason."""

    feed: bool = False
    apply: bool = False
    reason: str = ""


async def run_audit(config: Config, url: Secret, options: AuditOptions) -> int:
    """Recount the ledger and print the differences; returns the exit status, 1 if there are any.

    With `feed` returns 1 too if the feed cannot be read, has not been read before, may be cut off, or contradicts the
    ledger and nothing is applied.
    """
    if options.apply and not (options.feed and options.reason.strip()):
        print("nightaudit: --apply needs --feed, and a --reason that is not empty", file=sys.stderr)
        return 2
    async with create_pool(url, application="dashboard-audit", size=4, timeouts=UNLIMITED) as db:
        agrees = not options.feed or await _audit_feed(config, db, options)
        if agrees is None:
            return 1
        found = dict(await select_differences(db))
    events = found.pop("events")
    differences = ", ".join(f"{count} {name} differ" for name, count in found.items() if count).replace("_", " ")
    print(f"ledger: {events} events")
    print(f"counters: {differences or 'equal to the recount'}")
    return 0 if agrees and not differences else 1


async def _audit_feed(config: Config, db: asyncpg.Pool, options: AuditOptions) -> bool | None:
    """Run the night audit now, print and apply its result; returns whether feed and ledger agree then.

    None when the feed cannot be read, or has not been read yet.
    """
    if (await select_feed_state(db)).data_through is None:
        print("nightaudit: the feed has not been read yet; run `serve` first", file=sys.stderr)
        return None
    lookback = timedelta(seconds=config.ingest_lookback_seconds)
    async with create_client_session() as client:
        upstream = Upstream(client, "booking_feed", config.provider_url).with_token(config.feed_token)
        night_audit = NightAudit(db, BookingFeed(upstream), lookback)

        async def audit_and_apply(lease: Lease) -> JobResult:
            result = await night_audit.run(lease)
            _print_result(result)
            await _print_differences(db)
            if options.apply:
                corrected = await apply_differences(db, lease, datetime.now(UTC), options.reason.strip())
                print(f"applied: {corrected} corrections")
            return result

        try:
            result = await run_now(db, Job("night_audit", config.audit_seconds, audit_and_apply))
        except UpstreamError as error:
            print(
                f"nightaudit: the feed at {config.provider_url} cannot be read: {error}; start the provider, or set "
                "DASHBOARD_PROVIDER_URL to its address",
                file=sys.stderr,
            )
            return None
    return sum(await select_difference_counts(db)) == 0 and not result["cut_off"]


def _print_result(result: JobResult) -> None:
    print(f"feed: {', '.join(f'{count} {name}' for name, count in result.items())}".replace("_", " "))


async def _print_differences(db: asyncpg.Pool) -> None:
    """Print the differences that are not applied, each with the id of its event."""
    named = await select_open_differences(db, MAX_NAMED)
    for difference in named:
        print(f"  {_describe(difference)}")
    more = sum(await select_difference_counts(db)) - len(named)
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
