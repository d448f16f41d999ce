"""`python -m dashboard audit`: its output and its exit status."""

from datetime import UTC, datetime

import asyncpg
import pytest

from common.config import Secret, read_config
from dashboard.bookings.cli import run_audit
from dashboard.config import Config
from tests.dashboard.bookings.conftest import IngestionOf, RunOnce
from tests.support.feeds import ForeignFeed, event, serve_feed


@pytest.fixture
async def feed(dashboard_db: asyncpg.Pool) -> ForeignFeed:
    return ForeignFeed([event(1, "2024-05-01T00:00:00Z"), event(2, "2024-05-02T00:00:00Z", night="2024-06-01")])


async def test_a_feed_that_has_not_been_read_cannot_be_audited(
    dashboard_url: Secret, environment: dict[str, str], feed: ForeignFeed, capsys: pytest.CaptureFixture[str]
) -> None:
    async with serve_feed(feed):
        config = read_config(Config, {**environment, "DASHBOARD_PROVIDER_URL": feed.url})
        assert await run_audit(config, dashboard_url, feed=True) == 1

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
        feed.events.append(event(3, "1999-01-01T00:00:00Z"))

        assert await run_audit(config, dashboard_url, feed=True) == 0
        assert "1 repaired" in capsys.readouterr().out

    await dashboard_db.execute("UPDATE night_counter SET bookings = bookings + 1 WHERE night_of_stay = '2024-06-01'")
    assert await run_audit(config, dashboard_url, feed=False) == 1
    assert capsys.readouterr().out == "ledger: 3 events\ncounters: 1 night counters differ\n"
