"""The night audit names what the feed has changed or no longer has, and a command applies it."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from common.devstack.embedded import Server
from common.jobs.lease import Job, JobResult, Lease, LeaseLostError
from common.jobs.scheduler import run_now
from common.upstream import Upstream, UpstreamError, create_client_session
from common.web.resources import Application
from dashboard import feed_client
from dashboard.bookings import feed_reader, night_audit
from dashboard.bookings.decoding import BookingEvent
from dashboard.bookings.ingestion import Ingestion
from dashboard.bookings.night_audit import NightAudit
from dashboard.bookings.queries.counters import select_differences
from dashboard.bookings.queries.ledger import insert_events
from dashboard.feed_client import BookingFeed
from tests.dashboard.bookings.conftest import FEED_URL, LOOKBACK, AssertCountersAgree, FeedAt, IngestionOf, RunOnce
from tests.support.databases import cloned
from tests.support.feeds import MAIN_LEDGER, Event, ForeignFeed, event, serve_feed

START = datetime(2024, 1, 1, tzinfo=UTC)
NOTHING_FOUND = {"repaired": 0, "changed_upstream": 0, "missing_upstream": 0, "rejected": 0, "cut_off": 0}


def hourly(count: int, **fields: Any) -> list[Event]:
    return [event(number, (START + timedelta(hours=number)).isoformat(), **fields) for number in range(1, count + 1)]


@pytest.fixture
def apply(dashboard_db: asyncpg.Pool, feed_at: FeedAt) -> Callable[[str], Awaitable[int]]:
    """Applies the differences that the audits found."""

    async def run(reason: str) -> int:
        async def work(lease: Lease) -> JobResult:
            night_audit = NightAudit(dashboard_db, feed_at(FEED_URL), LOOKBACK, "UTC")
            return {"corrected": await night_audit.apply_differences(lease, datetime.now(UTC), reason)}

        return int((await run_now(dashboard_db, Job("night_audit", 86_400, work)))["corrected"])

    return run


async def differences(db: asyncpg.Pool) -> dict[int, str]:
    """The differences that are not applied: event to kind."""
    rows = await db.fetch("SELECT event_id, kind FROM feed_difference WHERE applied_at IS NULL ORDER BY event_id")
    return {row["event_id"]: row["kind"] for row in rows}


async def test_events_that_a_foreign_feed_back_dated_are_added(
    ingestion_of: IngestionOf, ingest: RunOnce, audit: RunOnce, counters_agree: AssertCountersAgree
) -> None:
    async with serve_feed(ForeignFeed([event(1, "2024-05-01T00:00:00Z")])) as feed:
        reader = ingestion_of(feed.url)
        await ingest(reader)
        feed.events += [event(2, "2023-01-01T00:00:00Z"), event(3, "1998-01-01T00:00:00Z")]
        assert (await ingest(reader))["new"] == 0

        result = await audit(feed.url)

    assert result == {**NOTHING_FOUND, "read": result["read"], "repaired": 2}
    await counters_agree(3)


@pytest.mark.parametrize("cap", [None, 10])
async def test_events_that_the_feed_no_longer_has_are_named_and_stay_counted(
    ingestion_of: IngestionOf,
    ingest: RunOnce,
    audit: RunOnce,
    counters_agree: AssertCountersAgree,
    dashboard_db: asyncpg.Pool,
    cap: int | None,
) -> None:
    async with serve_feed(ForeignFeed(hourly(60), cap=cap)) as feed:
        await ingest(ingestion_of(feed.url))
        assert (await audit(feed.url))["missing_upstream"] == 0
        gone = {1, 2, 30, 31, 45, 60}
        feed.events = [each for each in feed.events if each["id"] not in gone]

        first = await audit(feed.url)
        found = await dashboard_db.fetch("SELECT event_id, first_found FROM feed_difference ORDER BY event_id")
        again = await audit(feed.url)

    assert first == {**NOTHING_FOUND, "read": first["read"], "missing_upstream": 6}
    assert again["missing_upstream"] == 6
    assert await differences(dashboard_db) == dict.fromkeys(sorted(gone), "missing")
    same = await dashboard_db.fetch("SELECT event_id, first_found FROM feed_difference ORDER BY event_id")
    assert same == found, "each is reported once"
    await counters_agree(60)


async def test_a_feed_that_lost_everything_is_told_event_by_event(
    ingestion_of: IngestionOf,
    ingest: RunOnce,
    audit: RunOnce,
    counters_agree: AssertCountersAgree,
    dashboard_db: asyncpg.Pool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(night_audit, "EVENTS_PER_SEARCH", 7)
    async with serve_feed(ForeignFeed(hourly(40))) as feed:
        await ingest(ingestion_of(feed.url))
        feed.events.clear()
        assert (await audit(feed.url))["missing_upstream"] == 40
    assert len(await differences(dashboard_db)) == 40
    await counters_agree(40)


@pytest.mark.parametrize(
    "change",
    [
        {"hotel_id": 7},
        {"status": 2},
        {"room_id": "7b"},
        {"night_of_stay": "2024-02-29"},
        {"event_timestamp": "2024-01-01T20:00:00.000001Z"},
        {"event_timestamp": "1999-06-01T00:00:00Z"},
        {"event_timestamp": "2025-06-01T00:00:00Z"},
    ],
)
async def test_a_changed_event_counts_as_one_difference_however_often_it_is_read(
    ingestion_of: IngestionOf,
    ingest: RunOnce,
    audit: RunOnce,
    counters_agree: AssertCountersAgree,
    dashboard_db: asyncpg.Pool,
    change: Event,
) -> None:
    """Overlapping windows read it twice, and at its old time it is missing."""
    async with serve_feed(ForeignFeed(hourly(50), cap=10)) as feed:
        await ingest(ingestion_of(feed.url))
        feed.events[19] |= change

        result = await audit(feed.url)

    assert (result["changed_upstream"], result["missing_upstream"]) == (1, 0)
    assert await differences(dashboard_db) == {20: "changed"}
    assert await dashboard_db.fetchval("SELECT count(*) FROM quarantined_event") == 0
    await counters_agree(50)


async def test_an_event_that_returns_or_is_as_before_is_no_longer_a_difference(
    ingestion_of: IngestionOf, ingest: RunOnce, audit: RunOnce, dashboard_db: asyncpg.Pool
) -> None:
    events = hourly(20)
    async with serve_feed(ForeignFeed([*events[1:], {**events[0], "room_id": 8}])) as feed:
        feed.events = list(events)
        await ingest(ingestion_of(feed.url))
        feed.events = [{**events[0], "room_id": 8}, *events[2:]]
        await audit(feed.url)
        assert await differences(dashboard_db) == {1: "changed", 2: "missing"}
        feed.events = [*events[1:]]
        await audit(feed.url)
        assert await differences(dashboard_db) == {1: "missing"}
        feed.events = list(events)
        await audit(feed.url)
    assert await differences(dashboard_db) == {}


async def test_an_event_counted_while_the_audit_runs_is_not_missing(
    ingestion_of: IngestionOf, ingest: RunOnce, audit: RunOnce, dashboard_db: asyncpg.Pool
) -> None:
    """It enters feed and ledger after the audit has read its window, and before it compares."""
    late = event(500, (START + timedelta(hours=3, minutes=1)).isoformat())

    class Growing(ForeignFeed):
        grows = False

        async def answer(self, request: web.Request) -> web.StreamResponse:
            response = await super().answer(request)
            if self.grows and b'"id": 5,' in response.body and late not in self.events:  # type: ignore[attr-defined]  # ForeignFeed answers with a Response, which has one
                self.events.append(late)
                counted = BookingEvent(500, 1, datetime.fromisoformat(late["event_timestamp"]), 1, 1, START.date())
                async with dashboard_db.acquire() as connection, connection.transaction():
                    await insert_events(connection, MAIN_LEDGER, [counted])
            return response

    async with serve_feed(Growing(hourly(10))) as feed:
        await ingest(ingestion_of(feed.url))
        feed.grows = True
        result = await audit(feed.url)
    assert late in feed.events
    assert result["missing_upstream"] == 0


async def test_what_may_be_cut_off_is_not_missing(
    ingestion_of: IngestionOf, ingest: RunOnce, audit: RunOnce, dashboard_db: asyncpg.Pool
) -> None:
    tie = [event(number, "2024-03-01T00:00:00Z") for number in range(1, 41)]
    async with serve_feed(ForeignFeed([event(999, "2023-01-01T00:00:00Z"), *tie])) as feed:
        await ingest(ingestion_of(feed.url))
        feed.cap = 20
        result = await audit(feed.url)
    assert (result["missing_upstream"], result["cut_off"]) == (0, 1)


async def test_a_complete_feed_is_compared_page_by_page(
    ingestion_of: IngestionOf,
    ingest: RunOnce,
    audit: RunOnce,
    dashboard_db: asyncpg.Pool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In pages that end within an instant."""
    monkeypatch.setattr(feed_reader, "EVENTS_PER_PAGE", 7)
    monkeypatch.setattr(feed_client, "READ_BYTES", 500)

    class Complete(ForeignFeed):
        async def answer(self, request: web.Request) -> web.StreamResponse:
            response = await super().answer(request)
            response.headers["X-Feed"] = "complete"
            return response

    instants = [START + timedelta(hours=number // 5) for number in range(60)]
    events = [event(number, at.isoformat()) for number, at in enumerate(instants, start=1)]
    async with serve_feed(Complete(events)) as feed:
        await ingest(ingestion_of(feed.url))
        feed.requests.clear()
        assert (await audit(feed.url))["missing_upstream"] == 0
        assert len(feed.requests) == 2, "nothing is read twice unless it seems to be missing"
        feed.events = [each for each in events if each["id"] % 6]
        assert (await audit(feed.url))["missing_upstream"] == 10
    assert list(await differences(dashboard_db)) == list(range(6, 61, 6))


async def test_a_feed_that_lies_about_its_order_makes_no_event_missing(
    ingestion_of: IngestionOf,
    ingest: RunOnce,
    audit: RunOnce,
    dashboard_db: asyncpg.Pool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feed_reader, "EVENTS_PER_PAGE", 10)
    monkeypatch.setattr(feed_client, "READ_BYTES", 500)

    class Shuffled(ForeignFeed):
        async def answer(self, request: web.Request) -> web.StreamResponse:
            response = await super().answer(request)
            response.headers["X-Feed"] = "complete"
            return response

    async with serve_feed(Shuffled(hourly(60), shuffled=True)) as feed:
        await ingest(ingestion_of(feed.url))
        assert (await audit(feed.url))["missing_upstream"] == 0
        del feed.events[10]
        assert (await audit(feed.url))["missing_upstream"] == 1
    assert await differences(dashboard_db) == {11: "missing"}


async def test_an_audit_without_its_lease_writes_nothing(
    ingestion_of: IngestionOf, ingest: RunOnce, feed_at: FeedAt, dashboard_db: asyncpg.Pool
) -> None:
    tables = ("feed_progress", "feed_difference", "feed_cut_off", "quarantined_event", "ledger_event")

    async def contents() -> list[list[asyncpg.Record]]:
        return [await dashboard_db.fetch(f"SELECT * FROM {table}") for table in tables]

    async with serve_feed(ForeignFeed(hourly(20))) as feed:
        await ingest(ingestion_of(feed.url))
        feed.events = [{**feed.events[0], "room_id": 9}, *feed.events[2:], event(99, "2023-01-01T00:00:00Z"), event(0)]
        before = await contents()
        stalled = Lease("night_audit", "stalled", 41)

        with pytest.raises(LeaseLostError):
            await NightAudit(dashboard_db, feed_at(feed.url), LOOKBACK, "UTC").run(stalled)
        await dashboard_db.execute("UPDATE feed_progress SET audited_through = '2024-01-01 05:00Z'")
        before[0] = (await contents())[0]
        with pytest.raises(LeaseLostError):
            await NightAudit(dashboard_db, feed_at(feed.url), LOOKBACK, "UTC").run(stalled)
        night_audit = NightAudit(dashboard_db, feed_at(feed.url), LOOKBACK, "UTC")
        with pytest.raises(LeaseLostError):
            await night_audit.apply_differences(stalled, datetime.now(UTC), "why")

    assert await contents() == before


class FailingFeed(ForeignFeed):
    """It fails for requests that begin at a time or later."""

    fails_from = "9"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("updated__gte", "") >= self.fails_from:
            return web.Response(status=500)
        return await super().answer(request)


async def test_an_interrupted_audit_continues_where_it_stopped(
    ingestion_of: IngestionOf, ingest: RunOnce, audit: RunOnce, dashboard_db: asyncpg.Pool
) -> None:
    async with serve_feed(FailingFeed(hourly(60), cap=10)) as feed:
        await ingest(ingestion_of(feed.url))
        feed.events = [each for each in feed.events if each["id"] not in (5, 55)]
        feed.fails_from = "2024-01-02"
        with pytest.raises(UpstreamError, match="500"):
            await audit(feed.url)
        assert await differences(dashboard_db) == {5: "missing"}
        reached = await dashboard_db.fetchval("SELECT audited_through FROM feed_progress")
        assert START < reached < START + timedelta(days=2)

        feed.fails_from = "9"
        feed.requests.clear()
        assert (await audit(feed.url))["missing_upstream"] == 2
    assert all(request.get("updated__gte", "") >= "2024-01-01" for request in feed.requests)
    assert await dashboard_db.fetchval("SELECT (audited_through, audit_started_at) IS NULL FROM feed_progress")


async def test_the_end_of_the_first_reading_makes_the_audit_due_and_later_readings_do_not(
    ingestion_of: IngestionOf, ingest: RunOnce, audit: RunOnce, dashboard_db: asyncpg.Pool
) -> None:
    """An audit that runs when the dashboard starts has nothing to compare, and the next would come a day later."""

    async def is_due() -> bool:
        return bool(
            await dashboard_db.fetchval("SELECT due_at <= clock_timestamp() FROM job WHERE name = 'night_audit'")
        )

    async with serve_feed(ForeignFeed(hourly(3))) as feed:
        assert (await audit(feed.url))["read"] == 0
        assert not await is_due()
        await ingest(ingestion_of(feed.url))
        assert await is_due()

        assert (await audit(feed.url))["read"] > 0
        feed.events = hourly(4)
        await ingest(ingestion_of(feed.url))
        assert not await is_due()


async def test_nothing_is_audited_while_the_past_of_the_feed_is_read(
    ingestion_of: IngestionOf, ingest: RunOnce, audit: RunOnce, dashboard_db: asyncpg.Pool
) -> None:
    """Else both would store the same events, and the page would count the past as read by neither."""
    async with serve_feed(FailingFeed(hourly(60), cap=10)) as feed:
        feed.fails_from = "2024-01-02"
        with pytest.raises(UpstreamError, match="500"):
            await ingest(ingestion_of(feed.url))
        assert await dashboard_db.fetchval("SELECT data_through IS NOT NULL FROM feed_progress")
        feed.requests.clear()

        assert await audit(feed.url) == {**NOTHING_FOUND, "read": 0}
        assert feed.requests == []


async def test_nothing_is_audited_before_the_feed_was_read(audit: RunOnce, dashboard_db: asyncpg.Pool) -> None:
    async with serve_feed(ForeignFeed(hourly(3))) as feed:
        assert await audit(feed.url) == {**NOTHING_FOUND, "read": 0}
    assert feed.requests == []


async def test_applied_differences_correct_ledger_and_counters_and_keep_the_reason(
    ingestion_of: IngestionOf,
    ingest: RunOnce,
    audit: RunOnce,
    apply: Callable[[str], Awaitable[int]],
    counters_agree: AssertCountersAgree,
    dashboard_db: asyncpg.Pool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(night_audit, "EVENTS_PER_CORRECTION", 2)
    only_event = event(900, "2024-01-05T00:00:00Z", hotel_id=9)
    async with serve_feed(ForeignFeed([*hourly(20), only_event])) as feed:
        await ingest(ingestion_of(feed.url))
        feed.events = [{**each, "hotel_id": 3} if each["id"] < 4 else each for each in feed.events[:-3]]
        await audit(feed.url)
        assert await apply("the hotel merged") == 6
        await counters_agree(18)
        hotels = await dashboard_db.fetch("SELECT hotel_id, events FROM hotel_summary ORDER BY 1")
        assert [tuple(hotel) for hotel in hotels] == [(1, 15), (3, 3)]
        assert {**await audit(feed.url), "read": 0} == {**NOTHING_FOUND, "read": 0}
        assert await apply("again") == 0

        feed.events.append(only_event)  # it comes back, and goes again
        await audit(feed.url)
        feed.events.pop()
        await audit(feed.url)
        assert await apply("gone again") == 1
    kept = await dashboard_db.fetch("SELECT reason FROM feed_difference WHERE event_id = 900 ORDER BY first_found")
    assert [row["reason"] for row in kept] == ["the hotel merged", "gone again"]
    await counters_agree(18)


async def test_differences_are_listed_in_pages(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, ingestion_of: IngestionOf, ingest: RunOnce, audit: RunOnce
) -> None:
    async with serve_feed(ForeignFeed(hourly(4))) as feed:
        await ingest(ingestion_of(feed.url))
        feed.events = [{**feed.events[0], "room_id": 9}, feed.events[1]]
        await audit(feed.url)
    client = dashboard_app.test_client()

    first = await client.get("/audits?limit=2")
    link = first.headers["Link"]
    second = await client.get(link[link.index("/audits") : link.index(">")])

    body = await first.get_json()
    assert (body["changed"], body["missing"]) == (1, 2)
    items = body["items"] + (await second.get_json())["items"]
    assert [(item["event_id"], item["kind"]) for item in items] == [(1, "changed"), (3, "missing"), (4, "missing")]
    assert (items[0]["counted"]["room_id"], items[0]["found"]["room_id"]) == ("1", 9)
    assert items[1]["found"] is None
    assert items[1]["counted"]["night_of_stay"] == "2020-01-05"
    assert {item["applied_at"] for item in items} == {item["reason"] for item in items} == {None}
    assert "Link" not in second.headers


feed_events = st.lists(
    st.builds(
        lambda number, hour, hotel, status, day: event(
            number,
            (START + timedelta(hours=hour)).isoformat(),
            hotel_id=hotel,
            status=status,
            night=f"2024-02-{day:02}",
        ),
        st.integers(1, 25),
        st.integers(0, 60),
        st.sampled_from([1, 2]),
        st.sampled_from([1, 2]),
        st.sampled_from([1, 2, 29]),
    ),
    max_size=25,
    unique_by=lambda each: each["id"],
)


def test_after_an_audit_that_is_applied_the_ledger_is_the_feed(postgres: Server, templates: dict[str, str]) -> None:
    """For any two states of the feed."""

    async def check(db: asyncpg.Pool, before: list[Event], after: list[Event]) -> None:
        await db.execute(
            """
            TRUNCATE ledger_event, hotel_summary, night_counter, day_counter, feed_difference;
            UPDATE feed_progress SET watermark = '2023-12-31', window_seconds = 86400 * 64
            """
        )
        async with serve_feed(ForeignFeed(before)) as served, create_client_session() as client:
            feed = BookingFeed(Upstream(client, "booking_feed", served.url))
            reader = Ingestion(db, feed, lookback=LOOKBACK, timezone="UTC")
            await run_now(db, Job("ingest_booking_events", 5, lambda lease: reader.run(lease, datetime.now(UTC))))
            served.events = after

            async def audit_and_apply(lease: Lease) -> JobResult:
                night_audit = NightAudit(db, feed, LOOKBACK, "UTC")
                result = await night_audit.run(lease)
                await night_audit.apply_differences(lease, datetime.now(UTC), "the feed is right")
                return result

            result = await run_now(db, Job("night_audit", 86_400, audit_and_apply))
        held, has = {each["id"]: each for each in before}, {each["id"]: each for each in after}
        assert result["missing_upstream"] == len(held.keys() - has.keys())
        assert result["changed_upstream"] == sum(held[number] != has[number] for number in held.keys() & has.keys())
        rows = await db.fetch("SELECT id, hotel_id, event_timestamp, status, night_of_stay FROM ledger_event")
        assert {tuple(row) for row in rows} == {
            (
                each["id"],
                each["hotel_id"],
                datetime.fromisoformat(each["event_timestamp"]),
                each["status"],
                datetime.fromisoformat(each["night_of_stay"]).date(),
            )
            for each in after
        }
        assert dict(await select_differences(db)) == {
            "events": len(after),
            "night_counters": 0,
            "day_counters": 0,
            "hotels": 0,
        }

    with asyncio.Runner() as runner:
        clone = cloned(postgres, templates["dashboard"])
        url = runner.run(clone.__aenter__())

        async def connect() -> asyncpg.Pool:
            return await asyncpg.create_pool(url.reveal(), min_size=0, max_size=4, server_settings={"timezone": "UTC"})

        db = runner.run(connect())
        try:
            settings(max_examples=15, deadline=None)(
                given(feed_events, feed_events)(lambda before, after: runner.run(check(db, before, after)))
            )()
        finally:
            runner.run(db.close())
            runner.run(clone.__aexit__(None, None, None))
