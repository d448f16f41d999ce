"""How far the first reading of the feeds is, for the page that is shown meanwhile."""

import asyncpg
import pytest
from aioresponses import aioresponses

from common.upstream import UpstreamError
from dashboard.bookings import feed_reader
from dashboard.bookings.models.feed_progress import ReadingProgress
from dashboard.bookings.queries import feed_progress
from dashboard.bookings.queries.feed_progress import select_reading_progress
from tests.dashboard.bookings.conftest import FEED_URL, IngestionOf, RunOnce
from tests.dashboard.bookings.test_ingestion import lines, respond
from tests.dashboard.bookings.test_ingestion import upstream as upstream
from tests.support.feeds import event

EVENTS = [event(number, f"2019-01-01T00:{number // 60:02}:{number % 60:02}Z") for number in range(1, 100)]
WHOLE = lines(*EVENTS)
READ = ReadingProgress(0, None, is_reading_the_past=False)


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_reader, "EVENTS_PER_PAGE", 10)


async def test_before_the_first_contact_the_past_is_being_read(dashboard_db: asyncpg.Pool) -> None:
    assert await select_reading_progress(dashboard_db, ["main", "new"]) == ReadingProgress(0, None, True)


async def test_the_progress_is_what_was_counted_of_about_as_many_events_as_the_feed_says(
    upstream: aioresponses, ingestion_of: IngestionOf, ingest: RunOnce, dashboard_db: asyncpg.Pool
) -> None:
    respond(upstream, "", WHOLE[: len(WHOLE) // 2], **{"X-Feed-Events": "97"})
    with pytest.raises(UpstreamError, match="truncated"):
        await ingest(ingestion_of(FEED_URL))

    counted = await dashboard_db.fetchval("SELECT count(*) FROM ledger_event")
    assert counted > 0
    assert await select_reading_progress(dashboard_db, ["main"]) == ReadingProgress(counted, 97, True)

    respond(upstream, WHOLE, "", WHOLE)
    await ingest(ingestion_of(FEED_URL))
    assert await select_reading_progress(dashboard_db, ["main"]) == READ
    assert await dashboard_db.fetchval("SELECT past_events FROM feed_progress") == 99


@pytest.mark.parametrize("about", ["", "-1", "1e3", "٣", "9" * 16])
async def test_a_feed_that_does_not_say_how_many_events_it_has_leaves_the_total_unknown(
    upstream: aioresponses, ingestion_of: IngestionOf, ingest: RunOnce, dashboard_db: asyncpg.Pool, about: str
) -> None:
    respond(upstream, "", WHOLE[: len(WHOLE) // 2], **{"X-Feed-Events": about})
    with pytest.raises(UpstreamError, match="truncated"):
        await ingest(ingestion_of(FEED_URL))

    progress = await select_reading_progress(dashboard_db, ["main"])
    assert progress.counted > 0
    assert progress.about is None


async def test_the_total_is_never_less_than_what_is_counted(dashboard_db: asyncpg.Pool) -> None:
    await feed_progress.update_about_events(dashboard_db, "main", 10)
    await feed_progress.update_past_events(dashboard_db, "main", 25)

    assert await select_reading_progress(dashboard_db, ["main"]) == ReadingProgress(25, 25, True)


async def test_only_feeds_that_are_read_for_the_first_time_are_part_of_the_progress(
    dashboard_db: asyncpg.Pool,
) -> None:
    for feed, about, counted in (("main", 1000, 990), ("harbour", 50, 20), ("quay", 30, 10)):
        await feed_progress.insert_feed(dashboard_db, feed)
        await feed_progress.update_about_events(dashboard_db, feed, about)
        await feed_progress.update_past_events(dashboard_db, feed, counted)
    await feed_progress.update_first_reading_end(dashboard_db, "main")
    feeds = ["main", "harbour", "quay"]

    assert await select_reading_progress(dashboard_db, feeds) == ReadingProgress(30, 80, True)
    assert await select_reading_progress(dashboard_db, [*feeds, "silent"]) == ReadingProgress(30, None, True)
    assert await select_reading_progress(dashboard_db, ["main"]) == READ


async def test_later_readings_do_not_add_to_the_past(
    upstream: aioresponses, ingestion_of: IngestionOf, ingest: RunOnce, dashboard_db: asyncpg.Pool
) -> None:
    reader = ingestion_of(FEED_URL)
    respond(upstream, "", lines(EVENTS[0]), "", **{"X-Feed-Events": "7"})
    await ingest(reader)
    ended = await dashboard_db.fetchval("SELECT first_read_at FROM feed_progress")

    respond(upstream, WHOLE, "", **{"X-Feed-Events": "99"})
    await ingest(reader)

    (row,) = await dashboard_db.fetch("SELECT past_events, about_events, first_read_at FROM feed_progress")
    assert tuple(row) == (1, 7, ended)
