"""A feed that ignores filters, cuts off its responses or invents events can neither hide events nor keep us busy."""

import asyncio
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from aiohttp import web

from common.upstream import UpstreamError
from common.web.resources import Application
from dashboard import feed_client
from dashboard.bookings import feed_reader, feed_walk, instant_parts
from dashboard.bookings.decoding import RejectedEvent
from dashboard.bookings.feed_reader import CutOff, IgnoredFilterError, Page, RequestLimitError
from dashboard.bookings.ingestion import CutOffError, LedgerSink
from dashboard.bookings.queries import cut_offs, ledger, quarantine
from tests.dashboard.bookings.conftest import AssertCountersAgree, IngestionOf, RunOnce
from tests.support.feeds import Event, ForeignFeed, event, filter_events, serve_feed

START = datetime(2024, 1, 1, tzinfo=UTC)
INSTANT = "2024-03-01T02:00:00Z"


def hourly(count: int) -> list[Event]:
    return [event(number, (START + timedelta(hours=number)).isoformat()) for number in range(1, count + 1)]


def of_one_instant(count: int, *, hotels: int = 1, rooms: int = 1, first_id: int = 1) -> list[Event]:
    """Bookings of one night, all at one instant; hotel and room change from event to event."""
    return [
        event(first_id + number, INSTANT, hotel_id=1 + number % hotels, room_id=1 + number // hotels % rooms)
        for number in range(count)
    ]


@pytest.mark.parametrize("events", [1, 5, 10, 300])
@pytest.mark.parametrize("ignored", ["updated__gte", "updated__lte"])
async def test_a_feed_that_ignores_a_bound_of_time_is_a_fault_that_names_it(
    ingestion_of: IngestionOf,
    ingest: RunOnce,
    counters_agree: AssertCountersAgree,
    dashboard_db: asyncpg.Pool,
    events: int,
    ignored: str,
) -> None:
    async with serve_feed(ForeignFeed(hourly(events), ignored=frozenset({ignored}))) as feed:
        for _ in range(2):
            with pytest.raises(IgnoredFilterError, match=f"ignores {ignored}: asked for 2"):
                await ingest(ingestion_of(feed.url))
    assert len(feed.requests) < 300
    counted = await dashboard_db.fetchval("SELECT count(*) FROM ledger_event")
    assert (counted > 0) == (ignored == "updated__gte"), "events within the range that was asked for are counted"
    await counters_agree(counted)


async def test_a_run_is_limited_in_requests_and_the_next_run_continues(
    ingestion_of: IngestionOf,
    ingest: RunOnce,
    counters_agree: AssertCountersAgree,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feed_reader, "MAX_REQUESTS", 40)
    async with serve_feed(ForeignFeed(hourly(900), cap=10)) as feed:
        for _ in range(20):
            before = len(feed.requests)
            try:
                await ingest(ingestion_of(feed.url))
            except RequestLimitError:
                assert len(feed.requests) - before == 40
            else:
                break
        else:
            pytest.fail("the runs do not reach the end")
    await counters_agree(900)


async def test_a_feed_that_invents_an_event_for_each_request_ends_with_the_limit(
    ingestion_of: IngestionOf, ingest: RunOnce, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Inventive(ForeignFeed):
        async def answer(self, request: web.Request) -> web.StreamResponse:
            self.requests.append(dict(request.query))
            at = request.query.get("updated__gte", "1999-01-01T00:00:00Z")
            return web.json_response([event(len(self.requests), at)])

    monkeypatch.setattr(feed_reader, "MAX_REQUESTS", 100)
    async with serve_feed(Inventive()) as feed:
        with pytest.raises(RequestLimitError):
            await ingest(ingestion_of(feed.url))
    assert len(feed.requests) == 100


async def test_an_instant_with_more_events_than_a_response_is_read_hotel_by_hotel_and_counts_as_cut_off(
    ingestion_of: IngestionOf,
    ingest: RunOnce,
    audit: RunOnce,
    counters_agree: AssertCountersAgree,
    dashboard_db: asyncpg.Pool,
) -> None:
    before = event(999, "2023-01-01T00:00:00Z")
    async with serve_feed(ForeignFeed([before, *of_one_instant(350, hotels=5, rooms=70)], cap=100)) as feed:
        reader = ingestion_of(feed.url)
        with pytest.raises(CutOffError, match="more events than it sent"):
            await ingest(reader)
        await counters_agree(351)
        reason = await dashboard_db.fetchval("SELECT reason FROM feed_cut_off")
        assert "all 5 known hotels, but another one may have events too" in reason

        assert (await ingest(reader))["new"] == 0, "an old instant does not fail every run"
        assert (await audit(feed.url))["cut_off"] == 1

        feed.cap = None
        assert (await audit(feed.url))["cut_off"] == 0


async def test_hotels_of_the_ledger_divide_an_instant_too(
    ingestion_of: IngestionOf, ingest: RunOnce, counters_agree: AssertCountersAgree
) -> None:
    """The first responses show only hotel 1."""
    known = [event(number, "2023-01-01T00:00:00Z", hotel_id=number) for number in (1, 2, 3)]
    hidden = [event(1000 + number, INSTANT, hotel_id=1 + number // 60) for number in range(180)]
    async with serve_feed(ForeignFeed(known + hidden, cap=50)) as feed:
        reader = ingestion_of(feed.url)
        with pytest.raises(CutOffError):
            await ingest(reader)
    # each hotel has 60 events of room 1, of which the feed sends 50
    await counters_agree(3 + 3 * 50)


async def test_rooms_divide_an_instant_of_one_hotel(
    ingestion_of: IngestionOf, ingest: RunOnce, counters_agree: AssertCountersAgree, dashboard_db: asyncpg.Pool
) -> None:
    """The rooms of the first response, and those of the ledger."""
    known = [event(number, "2023-01-01T00:00:00Z", room_id=number) for number in (1, 2, 3)]
    hidden = [event(1000 + number, INSTANT, room_id=1 + number // 30) for number in range(90)]
    async with serve_feed(ForeignFeed(known + hidden, cap=40)) as feed:
        with pytest.raises(CutOffError):
            await ingest(ingestion_of(feed.url))
    await counters_agree(93)
    assert await dashboard_db.fetchval("SELECT count(*) FROM feed_cut_off") == 1


async def test_nights_before_and_after_the_only_one_of_a_full_response_are_read(
    ingestion_of: IngestionOf, ingest: RunOnce, counters_agree: AssertCountersAgree
) -> None:
    shown = of_one_instant(20, rooms=20)
    hidden = [event(100 + number, INSTANT, night=f"2020-01-0{4 + 2 * (number % 2)}") for number in range(20)]
    async with serve_feed(ForeignFeed(shown + hidden, cap=20)) as feed:
        with pytest.raises(CutOffError):
            await ingest(ingestion_of(feed.url))
    await counters_agree(40)


async def test_events_that_no_filter_divides_are_cut_off(
    ingestion_of: IngestionOf, ingest: RunOnce, counters_agree: AssertCountersAgree, dashboard_db: asyncpg.Pool
) -> None:
    async with serve_feed(ForeignFeed(of_one_instant(60), cap=20)) as feed:
        with pytest.raises(CutOffError):
            await ingest(ingestion_of(feed.url))
        assert len(feed.requests) < 300
    await counters_agree(20)
    (row,) = await dashboard_db.fetch("SELECT * FROM feed_cut_off")
    assert row["event_timestamp"] == datetime.fromisoformat(INSTANT)
    assert row["reason"].startswith("20 events or more of one instant")


@pytest.mark.parametrize("cap", [20, 30, 59, 60, 61])
async def test_an_instant_that_statuses_and_nights_divide_is_read_completely(
    ingestion_of: IngestionOf,
    ingest: RunOnce,
    counters_agree: AssertCountersAgree,
    dashboard_db: asyncpg.Pool,
    cap: int,
) -> None:
    events = [
        event(number, INSTANT, status=1 + number % 2, night=f"2024-0{4 + number % 3}-{1 + number % 20:02}")
        for number in range(1, 61)
    ]
    later = event(99, "2024-03-01T02:00:00.000001Z")
    async with serve_feed(ForeignFeed([*events, later], cap=cap)) as feed:
        await ingest(ingestion_of(feed.url))
    await counters_agree(61)
    assert await dashboard_db.fetchval("SELECT count(*) FROM feed_cut_off") == 0


@pytest.mark.parametrize("how", ["ignored", "refused"])
@pytest.mark.parametrize("parameter", ["rpg_status", "night_of_stay__gte", "hotel_id", "room_id"])
async def test_a_filter_that_the_feed_does_not_know_cuts_off_and_does_not_stop_the_reading(
    ingestion_of: IngestionOf,
    ingest: RunOnce,
    counters_agree: AssertCountersAgree,
    dashboard_db: asyncpg.Pool,
    parameter: str,
    how: str,
) -> None:
    events = of_one_instant(100, hotels=2, rooms=50)
    for each in events[::2]:
        each["status"] = 2
    events += [event(900 + number, INSTANT, night="2024-05-01") for number in range(15)]
    after = event(999, "2024-03-02T00:00:00Z")
    feed = ForeignFeed([*events, after], cap=15)
    setattr(feed, how, frozenset({parameter}))
    async with serve_feed(feed):
        with pytest.raises(CutOffError):
            await ingest(ingestion_of(feed.url))
    assert await dashboard_db.fetchval("SELECT count(*) FROM ledger_event WHERE id = 999") == 1
    assert await dashboard_db.fetchval("SELECT count(*) FROM feed_cut_off") == 1
    await counters_agree(await dashboard_db.fetchval("SELECT count(*) FROM ledger_event"))


async def test_an_instant_may_not_use_up_the_requests_of_a_run(
    ingestion_of: IngestionOf,
    ingest: RunOnce,
    dashboard_db: asyncpg.Pool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(instant_parts, "MAX_REQUESTS_PER_INSTANT", 30)
    after = event(9999, "2024-03-02T00:00:00Z")
    async with serve_feed(ForeignFeed([*of_one_instant(400, hotels=100, rooms=4), after], cap=50)) as feed:
        with pytest.raises(CutOffError):
            await ingest(ingestion_of(feed.url))
    assert "30 requests were not enough" in await dashboard_db.fetchval("SELECT reason FROM feed_cut_off")
    assert await dashboard_db.fetchval("SELECT count(*) FROM ledger_event WHERE id = 9999") == 1


@pytest.mark.parametrize("before", ["2024-03-01T01:00:00Z", "2024-02-01T00:00:00Z", "2001-01-01T00:00:00Z"])
async def test_a_group_that_books_at_once_is_not_cut_off_by_a_feed_that_can_send_more(
    ingestion_of: IngestionOf,
    ingest: RunOnce,
    counters_agree: AssertCountersAgree,
    dashboard_db: asyncpg.Pool,
    before: str,
) -> None:
    """Its rooms share instant, night, status and hotel."""
    async with serve_feed(ForeignFeed([event(999, before), *of_one_instant(30, rooms=30)])) as feed:
        await ingest(ingestion_of(feed.url))
    await counters_agree(31)
    assert await dashboard_db.fetchval("SELECT count(*) FROM feed_cut_off") == 0


async def test_an_instant_within_the_look_back_is_divided_again_until_it_is_old(
    ingestion_of: IngestionOf, ingest: RunOnce, counters_agree: AssertCountersAgree
) -> None:
    """An event of that instant that becomes visible late must not hide behind the cap."""
    at = datetime.now(UTC)
    events = [event(number, at.isoformat(), night=f"2024-05-{number:02}") for number in range(1, 13)]
    async with serve_feed(ForeignFeed(events, cap=12)) as feed:
        reader = ingestion_of(feed.url)
        await ingest(reader, at + timedelta(seconds=1))
        feed.events.append(event(77, at.isoformat(), night="2024-06-01"))
        assert (await ingest(reader, at + timedelta(seconds=2)))["new"] == 1
        await counters_agree(13)
        await ingest(reader, at + timedelta(minutes=6))
        before = len(feed.requests)
        await ingest(reader, at + timedelta(minutes=7))
        assert len(feed.requests) - before <= 4


async def test_values_without_a_time_that_fill_a_response_are_cut_off(
    ingestion_of: IngestionOf, ingest: RunOnce, dashboard_db: asyncpg.Pool
) -> None:
    class Undated(ForeignFeed):
        async def answer(self, request: web.Request) -> web.StreamResponse:
            return web.json_response([{"id": number, "event_timestamp": "1.2.2024 10:00"} for number in range(12)])

    async with serve_feed(Undated()) as feed:
        with pytest.raises(CutOffError):
            await ingest(ingestion_of(feed.url))
    assert "12 values without a valid time" in await dashboard_db.fetchval("SELECT reason FROM feed_cut_off LIMIT 1")


async def test_more_invalid_events_of_one_instant_than_the_cap_do_not_hide_later_events(
    ingestion_of: IngestionOf, ingest: RunOnce, dashboard_db: asyncpg.Pool
) -> None:
    bad = [{**event(number, INSTANT), "room_id": None} for number in range(1, 40)]
    async with serve_feed(ForeignFeed([*bad, event(99, "2024-03-01T02:00:00.5Z")], cap=20)) as feed:
        with pytest.raises(CutOffError):
            await ingest(ingestion_of(feed.url))
    assert await dashboard_db.fetchval("SELECT id FROM ledger_event") == 99


@pytest.mark.parametrize("at", ["9999-12-29T00:00:00Z", "9998-01-01T00:00:00Z"])
async def test_an_event_at_the_end_of_the_calendar_ends_the_reading_and_not_the_process(
    ingestion_of: IngestionOf, ingest: RunOnce, counters_agree: AssertCountersAgree, at: str
) -> None:
    async with serve_feed(ForeignFeed([*hourly(3), event(9, at)])) as feed:
        result = await ingest(ingestion_of(feed.url))
    assert result["new"] == 3
    assert result["rejected"] > 0
    await counters_agree(3)


async def test_an_invalid_value_dated_beyond_its_window_does_not_end_the_reading(
    ingestion_of: IngestionOf, ingest: RunOnce, counters_agree: AssertCountersAgree
) -> None:
    class WithJunk(ForeignFeed):
        async def answer(self, request: web.Request) -> web.StreamResponse:
            found = filter_events(self.events, request.query)
            return web.json_response([*found, {"id": 0, "event_timestamp": "9998-01-01T00:00:00Z"}])

    async with serve_feed(WithJunk([event(9, "1999-01-01T00:00:00Z"), *hourly(3)])) as feed:
        await ingest(ingestion_of(feed.url))
    await counters_agree(4)


async def test_a_feed_that_fails_on_windows_over_a_day_is_read_in_the_end(
    ingestion_of: IngestionOf, ingest: RunOnce, counters_agree: AssertCountersAgree, dashboard_db: asyncpg.Pool
) -> None:
    class Slow(ForeignFeed):
        async def answer(self, request: web.Request) -> web.StreamResponse:
            start = datetime.fromisoformat(request.query["updated__gte"])
            end = datetime.fromisoformat(request.query.get("updated__lte", datetime.now(UTC).isoformat()))
            if end - start > timedelta(days=1):
                return web.Response(status=504)
            return await super().answer(request)

    now = datetime.now(UTC)
    events = [event(number, (now - timedelta(hours=13 * number)).isoformat()) for number in range(1, 60)]
    await dashboard_db.execute(
        "UPDATE feed_progress SET watermark = now() - interval '40 days', window_seconds = 64 * 86400"
    )
    async with serve_feed(Slow(events)) as feed:
        reader, failures = ingestion_of(feed.url), 0
        while True:
            try:
                await ingest(reader, now)
            except UpstreamError:
                failures += 1
                assert failures < 10, "it never ends"
            else:
                break
    assert failures >= 3
    await counters_agree(59)


async def test_windows_grow_again_some_time_after_a_failure(
    ingestion_of: IngestionOf, ingest: RunOnce, dashboard_db: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_walk, "STEADY_WINDOWS", 5)

    class FailingOnce(ForeignFeed):
        async def answer(self, request: web.Request) -> web.StreamResponse:
            if not self.requests:
                self.requests.append(dict(request.query))
                return web.Response(status=500)
            return await super().answer(request)

    async with serve_feed(FailingOnce(hourly(3))) as feed:
        reader = ingestion_of(feed.url)
        with pytest.raises(UpstreamError):
            await ingest(reader)
        assert await dashboard_db.fetchval("SELECT window_seconds FROM feed_progress") == 86_400 / 4
        await ingest(reader)
    assert await dashboard_db.fetchval("SELECT window_seconds FROM feed_progress") == 64 * 86_400


async def test_an_ingestion_and_an_audit_at_once_count_every_event_once(
    ingestion_of: IngestionOf,
    ingest: RunOnce,
    audit: RunOnce,
    counters_agree: AssertCountersAgree,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They share neither the windows nor what they remember, and the audit takes no new event for a missing one."""
    monkeypatch.setattr(feed_reader, "EVENTS_PER_PAGE", 20)
    async with serve_feed(ForeignFeed(hourly(300), cap=40)) as feed:
        reader = ingestion_of(feed.url)
        await ingest(reader)
        for number in range(1, 6):
            late = START + timedelta(hours=40 * number, minutes=30)
            feed.events.append(event(2000 + number, late.isoformat(), hotel_id=2))
            feed.events.append(event(3000 + number, datetime.now(UTC).isoformat(), hotel_id=3))
            result, _ = await asyncio.gather(audit(feed.url), ingest(reader))
            assert (result["missing_upstream"], result["changed_upstream"]) == (0, 0)
    await counters_agree(310)


async def test_neither_invalid_values_nor_cut_offs_fill_the_database(
    dashboard_db: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is already stored is still counted."""
    monkeypatch.setattr(quarantine, "MAX_QUARANTINED", 3)
    monkeypatch.setattr(cut_offs, "MAX_CUT_OFFS", 3)
    for number in [0, 1, 2, 3, 4, 0]:
        await quarantine.upsert_quarantine(dashboard_db, "main", [RejectedEvent(f"raw {number}", "not an event")])
        cut = CutOff(START + timedelta(hours=number), f"reason {number}")
        await cut_offs.upsert_cut_off(dashboard_db, "main", cut, START + timedelta(days=1))

    quarantined = await dashboard_db.fetch("SELECT raw, times FROM quarantined_event ORDER BY raw")
    assert [tuple(row) for row in quarantined] == [("raw 0", 2), ("raw 1", 1), ("raw 2", 1)]
    assert await dashboard_db.fetchval("SELECT count(*) FROM feed_cut_off") == 3


async def test_long_invalid_values_are_stored_in_small_pages(
    ingestion_of: IngestionOf, ingest: RunOnce, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there are, few of them are in memory."""
    pages: list[int] = []
    store = LedgerSink.store

    async def noting(self: LedgerSink, page: Page) -> int:
        pages.append(len(page.rejected))
        return await store(self, page)

    monkeypatch.setattr(LedgerSink, "store", noting)
    monkeypatch.setattr(feed_reader, "REJECTED_PER_PAGE", 20)
    monkeypatch.setattr(feed_client, "READ_BYTES", 4096)
    bad = [{**event(number, "1999-06-01T00:00:00Z"), "status": 7} for number in range(1, 200)]
    async with serve_feed(ForeignFeed(bad)) as feed:
        assert (await ingest(ingestion_of(feed.url)))["rejected"] >= 199
    assert max(pages) < 60


async def test_responses_are_decoded_and_rows_made_off_the_event_loop(
    ingestion_of: IngestionOf, ingest: RunOnce, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: dict[str, set[threading.Thread]] = {"decode": set(), "copy_rows_of": set()}

    def noting(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            threads[name].add(threading.current_thread())
            return function(*arguments)

        return call

    monkeypatch.setattr(feed_reader, "decode_requested", noting("decode", feed_reader.decode_requested))
    monkeypatch.setattr(ledger, "copy_rows_of", noting("copy_rows_of", ledger.copy_rows_of))
    async with serve_feed(ForeignFeed(hourly(50))) as feed:
        await ingest(ingestion_of(feed.url))
    assert all(used and threading.current_thread() not in used for used in threads.values())


async def test_what_may_be_cut_off_shows_in_the_list_of_hotels_on_the_page_and_as_a_metric(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    client = dashboard_app.test_client()
    assert (await (await client.get("/hotels")).get_json())["feed_cut_off"] == 0
    assert "cut off" not in await (await client.get("/")).get_data(as_text=True)

    await dashboard_db.execute(
        "INSERT INTO feed_cut_off VALUES ('main', '2024-03-01 02:00Z', '100 events or more', now(), now())"
    )

    assert (await (await client.get("/hotels")).get_json())["feed_cut_off"] == 1
    assert "may have cut off" in await (await client.get("/")).get_data(as_text=True)
    assert '\nfeed_cut_off{feed="main"} 1.0\n' in await (await client.get("/metrics")).get_data(as_text=True)
