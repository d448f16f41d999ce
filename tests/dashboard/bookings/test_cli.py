"""`python -m dashboard audit`: its output and its exit status."""

from datetime import UTC, datetime

import asyncpg
import pytest

from common.config import Secret, read_config
from dashboard.bookings.cli import AuditOptions, run_audit
from dashboard.config import Config
from tests.dashboard.bookings.conftest import IngestionOf, RunOnce
from tests.support.feeds import ForeignFeed, event, serve_feed


@pytest.fixture
async def feed(dashboard_db: asyncpg.Pool) -> ForeignFeed:
    return ForeignFeed(
        [event(1, "2024-05-01T00:00:00.000000Z"), event(2, "2024-05-02T00:00:00.000000Z", night="2024-06-01")]
    )


async def test_a_feed_that_has_not_been_read_cannot_be_audited(
    dashboard_url: Secret, environment: dict[str, str], feed: ForeignFeed, capsys: pytest.CaptureFixture[str]
) -> None:
    async with serve_feed(feed):
        config = read_config(Config, {**environment, "DASHBOARD_PROVIDER_URL": feed.url})
        assert await run_audit(config, dashboard_url, AuditOptions(feed=True)) == 1

    printed = capsys.readouterr()
    assert (printed.out, "has not been read yet" in printed.err) == ("", True)


async def test_missing_events_are_added_and_wrong_counters_are_counted(
    dashboard_db: asyncpg.Pool,
    dashboard_url: Secret,
    environment: dict[str, str],
    ingestion_of: IngestionOf,
    ingest: RunOnce,
    feed: ForeignFeed,
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with serve_feed(feed):
        config = read_config(Config, {**environment, "DASHBOARD_PROVIDER_URL": feed.url})
        await ingest(ingestion_of(feed.url), datetime.now(UTC))
        feed.events.append(event(3, "1999-01-01T00:00:00.000000Z"))

        assert await run_audit(config, dashboard_url, AuditOptions(feed=True)) == 0
        assert "1 repaired" in capsys.readouterr().out

    await dashboard_db.execute("UPDATE night_counter SET bookings = bookings + 1 WHERE night_of_stay = '2024-06-01'")
    assert await run_audit(config, dashboard_url, AuditOptions()) == 1
    assert capsys.readouterr().out == "ledger: 3 events\ncounters: 1 night counters differ\n"


async def test_a_feed_that_requires_a_token_is_audited(
    dashboard_url: Secret, environment: dict[str, str], ingestion_of: IngestionOf, ingest: RunOnce, feed: ForeignFeed
) -> None:
    async with serve_feed(feed):
        await ingest(ingestion_of(feed.url), datetime.now(UTC))
        feed.token = "s3cret"
        of_feed = {**environment, "DASHBOARD_PROVIDER_URL": feed.url}
        config = read_config(Config, {**of_feed, "DASHBOARD_FEED_TOKEN": feed.token})
        assert await run_audit(config, dashboard_url, AuditOptions(feed=True)) == 0
        assert await run_audit(read_config(Config, of_feed), dashboard_url, AuditOptions(feed=True)) == 1


async def test_what_the_feed_no_longer_has_is_named_and_applied_only_on_request(
    dashboard_db: asyncpg.Pool,
    dashboard_url: Secret,
    environment: dict[str, str],
    ingestion_of: IngestionOf,
    ingest: RunOnce,
    feed: ForeignFeed,
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with serve_feed(feed):
        config = read_config(Config, {**environment, "DASHBOARD_PROVIDER_URL": feed.url})
        await ingest(ingestion_of(feed.url), datetime.now(UTC))
        del feed.events[0]
        feed.events[0] = {**feed.events[0], "room_id": "7\u202e"}

        assert await run_audit(config, dashboard_url, AuditOptions(feed=True)) == 1
        printed = capsys.readouterr().out
        assert "1 changed upstream, 1 missing upstream" in printed
        assert "event 1: the feed no longer has it\n" in printed
        assert "event 2: room_id was 1, is 7\\u202e\n" in printed
        assert "counters: equal to the recount" in printed
        assert await dashboard_db.fetchval("SELECT count(*) FROM ledger_event") == 2

        apply = AuditOptions(feed=True, apply=True, reason="the hotel called")
        assert await run_audit(config, dashboard_url, apply) == 0
        assert "applied: 2 corrections" in capsys.readouterr().out

        assert await run_audit(config, dashboard_url, AuditOptions(feed=True)) == 0
    (event_left,) = await dashboard_db.fetch("SELECT id, room_id FROM ledger_event")
    assert tuple(event_left) == (2, "7\u202e")
    assert await dashboard_db.fetchval("SELECT array_agg(DISTINCT reason) FROM feed_difference") == ["the hotel called"]


@pytest.mark.parametrize(
    "options", [AuditOptions(apply=True, reason="why"), AuditOptions(feed=True, apply=True, reason=" ")]
)
async def test_apply_needs_the_feed_and_a_reason(
    dashboard_url: Secret, environment: dict[str, str], options: AuditOptions, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run_audit(read_config(Config, environment), dashboard_url, options) == 2
    assert "--apply needs --feed" in capsys.readouterr().err


async def test_a_feed_that_cannot_be_read_is_named(
    dashboard_db: asyncpg.Pool,
    dashboard_url: Secret,
    environment: dict[str, str],
    ingestion_of: IngestionOf,
    ingest: RunOnce,
    feed: ForeignFeed,
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with serve_feed(feed):
        config = read_config(Config, {**environment, "DASHBOARD_PROVIDER_URL": feed.url})
        await ingest(ingestion_of(feed.url), datetime.now(UTC))

    assert await run_audit(config, dashboard_url, AuditOptions(feed=True)) == 1
    assert f"the feed at {feed.url} cannot be read" in capsys.readouterr().err
