"""Several feeds: each has its own ids, progress, quarantine and audit, and all count into the same figures."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import aiohttp
import asyncpg
import pytest

from common.config import ConfigError, Secret, describe_unknown_variables, read_config
from common.db.pool import transaction
from common.jobs.lease import Job, JobResult, Lease
from common.jobs.scheduler import run_now
from common.upstream import UpstreamError, create_client_session
from common.web.resources import Application
from dashboard import schedule
from dashboard.app import create_app
from dashboard.bookings.cli import AuditOptions, run_audit
from dashboard.bookings.decoding import BookingEvent
from dashboard.bookings.ingestion import Ingestion
from dashboard.bookings.night_audit import NightAudit
from dashboard.bookings.queries.ledger import insert_events
from dashboard.config import Config, FeedSource
from dashboard.feed_client import FeedQuery, create_feed
from dashboard.resources import resources_of
from tests.dashboard.bookings.conftest import LOOKBACK, AssertCountersAgree
from tests.support.databases import waits_for_lock
from tests.support.feeds import MAIN_LEDGER, Event, ForeignFeed, event, serve_feed
from tests.support.waiting import eventually


@dataclass
class Vendor:
    """A feed that is served, and its jobs."""

    name: str
    db: asyncpg.Pool
    served: ForeignFeed
    client: aiohttp.ClientSession

    def ingestion(self) -> Ingestion:
        """A new one, as of another replica."""
        source = FeedSource(self.name, Secret(self.served.url))
        return Ingestion(self.db, create_feed(self.client, source), lookback=LOOKBACK, timezone="UTC")

    def night_audit(self) -> NightAudit:
        source = FeedSource(self.name, Secret(self.served.url))
        return NightAudit(self.db, create_feed(self.client, source), LOOKBACK, "UTC")

    async def run(self, job: str, work: Callable[[Lease], Awaitable[JobResult]]) -> JobResult:
        return await run_now(self.db, Job(job if self.name == "main" else f"{job}:{self.name}", 5, work))

    async def ingest(self, ingestion: Ingestion | None = None) -> JobResult:
        reader = ingestion or self.ingestion()
        return await self.run("ingest_booking_events", lambda lease: reader.run(lease, datetime.now(UTC)))

    async def audit(self) -> JobResult:
        return await self.run("night_audit", self.night_audit().run)

    async def apply(self) -> None:
        async def work(lease: Lease) -> JobResult:
            return {"applied": await self.night_audit().apply_differences(lease, datetime.now(UTC), "asked")}

        await self.run("night_audit", work)


@pytest.fixture
async def vendors(dashboard_db: asyncpg.Pool) -> AsyncIterator[tuple[Vendor, Vendor]]:
    """The feeds `main` and `other`."""
    async with serve_feed(ForeignFeed()) as main, serve_feed(ForeignFeed()) as other, create_client_session() as client:
        yield Vendor("main", dashboard_db, main, client), Vendor("other", dashboard_db, other, client)


@pytest.fixture
def configured(environment: dict[str, str], vendors: tuple[Vendor, Vendor]) -> dict[str, str]:
    main, other = vendors
    return {
        **environment,
        "DASHBOARD_PROVIDER_URL": main.served.url,
        "DASHBOARD_FEEDS": f"other={other.served.url}",
    }


def hourly(first: int, last: int, **fields: Any) -> list[Event]:
    return [
        event(number, f"2024-01-{1 + number // 24:02}T{number % 24:02}:00:00.000000Z", **fields)
        for number in range(first, last + 1)
    ]


async def net_of(app: Application, hotel_id: int) -> int:
    response = await app.test_client().get(f"/dashboard?hotel_id={hotel_id}&period=year&year=2020")
    return int((await response.get_json())["totals"]["net"])


async def test_the_same_ids_of_two_feeds_are_different_events_and_a_hotel_may_come_from_both(
    vendors: tuple[Vendor, Vendor], counters_agree: AssertCountersAgree, dashboard_db: asyncpg.Pool
) -> None:
    main, other = vendors
    main.served.events = hourly(1, 10)
    other.served.events = [*hourly(1, 5), *hourly(6, 10, hotel_id=2)]

    for vendor in (main, other, main, other):
        await vendor.ingest()
    assert (await main.audit())["repaired"] == 0
    assert (await other.audit())["missing_upstream"] == 0

    await counters_agree(20)
    found = await dashboard_db.fetch("SELECT hotel_id, events FROM hotel_summary ORDER BY hotel_id")
    assert [tuple(row) for row in found] == [(1, 15), (2, 5)]


async def test_a_feed_that_is_down_does_not_stop_another(
    vendors: tuple[Vendor, Vendor], configured: dict[str, str], dashboard_url: Secret, dashboard_db: asyncpg.Pool
) -> None:
    main, other = vendors
    main.served.events, other.served.events = hourly(1, 3), hourly(1, 3)
    main.served.url = "http://127.0.0.1:1"

    reader = main.ingestion()
    for _ in range(12):  # more often than opens the circuit breaker of that feed
        with pytest.raises(UpstreamError):
            await main.ingest(reader)
    assert (await other.ingest())["new"] == 3

    rows = await dashboard_db.fetch("SELECT feed, data_through IS NOT NULL FROM feed_progress ORDER BY feed")
    assert [tuple(row) for row in rows] == [("main", False), ("other", True)]


async def test_a_feed_that_asks_to_wait_makes_no_other_wait(
    vendors: tuple[Vendor, Vendor], dashboard_db: asyncpg.Pool
) -> None:
    main, other = vendors
    await main.ingest()
    await other.ingest()
    await dashboard_db.execute(
        "UPDATE feed_progress SET wait_until = now() + interval '30 minutes' WHERE feed = 'main'"
    )

    with pytest.raises(UpstreamError, match="asked to wait"):
        await main.ingest()
    await other.ingest()


async def test_replicas_and_feeds_that_ingest_at_once_count_every_event_once(
    vendors: tuple[Vendor, Vendor], counters_agree: AssertCountersAgree
) -> None:
    main, other = vendors
    main.served.events = [*hourly(1, 300), *hourly(301, 400, hotel_id=2, status=2)]
    other.served.events = [*hourly(1, 250), *hourly(251, 500, hotel_id=3)]

    await asyncio.gather(*(vendor.ingest() for vendor in (main, other, main, other)))

    await counters_agree(900)


async def test_one_transaction_at_a_time_writes_the_ledger_whichever_feed_it_reads(
    vendors: tuple[Vendor, Vendor], dashboard_db: asyncpg.Pool, counters_agree: AssertCountersAgree
) -> None:
    _, other = vendors
    other.served.events = hourly(1, 3, hotel_id=2)
    async with transaction(dashboard_db) as connection:
        await insert_events(connection, MAIN_LEDGER, [BookingEvent(1, 1, datetime.now(UTC), 1, 1, date(2020, 1, 1))])
        reading = asyncio.create_task(other.ingest())
        await eventually(lambda: is_over_or_waits(reading, dashboard_db))
        assert not reading.done(), "it did not wait for the other feed's transaction"

    assert (await reading)["new"] == 3
    await counters_agree(4)


async def is_over_or_waits(reading: asyncio.Task[JobResult], db: asyncpg.Pool) -> bool:
    return reading.done() or await waits_for_lock(db)


async def test_the_audit_of_a_feed_and_its_corrections_leave_the_other(
    vendors: tuple[Vendor, Vendor], counters_agree: AssertCountersAgree, dashboard_db: asyncpg.Pool
) -> None:
    main, other = vendors
    main.served.events, other.served.events = hourly(1, 20), hourly(1, 20, hotel_id=2)
    await main.ingest()
    await other.ingest()

    main.served.events = [{**main.served.events[0], "night_of_stay": "2020-03-01"}, *main.served.events[2:]]
    other.served.events = other.served.events[:-1]
    of_main, of_other = await main.audit(), await other.audit()

    assert (of_main["changed_upstream"], of_main["missing_upstream"]) == (1, 1)
    assert (of_other["changed_upstream"], of_other["missing_upstream"]) == (0, 1)
    assert (await main.audit())["missing_upstream"] == 1, "the audit of the other feed resolved nothing of this one"

    await main.apply()
    await counters_agree(39)
    rows = await dashboard_db.fetch("SELECT feed, event_id, applied_at IS NULL FROM feed_difference ORDER BY 1, 2")
    assert [tuple(row) for row in rows] == [("main", 1, False), ("main", 2, False), ("other", 20, True)]
    assert await dashboard_db.fetchval("SELECT events FROM hotel_summary WHERE hotel_id = 2") == 20
    await other.apply()
    await counters_agree(38)


async def test_each_feed_has_its_own_quarantine_and_cut_offs(
    vendors: tuple[Vendor, Vendor], configured: dict[str, str], dashboard_url: Secret, dashboard_db: asyncpg.Pool
) -> None:
    for vendor in vendors:
        vendor.served.events = [{**event(1), "status": 7}, *hourly(2, 5)]
        await vendor.ingest()
    now = datetime.now(UTC)
    await dashboard_db.execute("UPDATE quarantined_event SET first_seen = $1", now)
    await dashboard_db.execute(
        "INSERT INTO feed_cut_off VALUES ('other', '2024-03-01 02:00Z', '100 events', $1, $1)", now
    )

    async with serve_dashboard(configured, dashboard_url) as app:
        client = app.test_client()
        page, seen = "/quarantine?limit=1", []
        while page:
            response = await client.get(page)
            seen += [item["feed"] for item in (await response.get_json())["items"]]
            link = response.headers.get("Link", "")
            page = link[1 : link.index(">")] if link else ""
        body = await (await client.get("/hotels")).get_json()
        metrics = await (await client.get("/metrics")).get_data(as_text=True)

    assert seen == ["main", "other"]
    assert [(each["feed"], each["feed_cut_off"]) for each in body["feeds"]] == [("main", 0), ("other", 1)]
    assert body["feed_cut_off"] == 1
    assert '\nfeed_cut_off{feed="main"} 0.0\n' in metrics
    assert '\nfeed_cut_off{feed="other"} 1.0\n' in metrics
    assert 'feed_lag_seconds{feed="other"}' in metrics
    await vendors[0].audit()
    assert await dashboard_db.fetchval("SELECT count(*) FROM feed_cut_off") == 1


@asynccontextmanager
async def serve_dashboard(environment: dict[str, str], url: Secret) -> AsyncIterator[Application]:
    app = create_app(read_config(Config, environment), url)
    async with app.test_app():
        yield app


async def test_all_figures_are_counted_through_the_oldest_time_of_the_configured_feeds(
    vendors: tuple[Vendor, Vendor], configured: dict[str, str], dashboard_url: Secret, dashboard_db: asyncpg.Pool
) -> None:
    main, other = vendors
    main.served.events = hourly(1, 3)
    await dashboard_db.execute("INSERT INTO feed_progress (feed, data_through) VALUES ('forgotten', '2001-01-01Z')")
    async with serve_dashboard(configured, dashboard_url) as app:
        client = app.test_client()
        await main.ingest()

        body = await (await client.get("/hotels")).get_json()
        assert [(each["feed"], each["data_through"] is None) for each in body["feeds"]] == [
            ("main", False),
            ("other", True),
        ]
        assert (body["data_through"], body["lag_seconds"]) == (None, None)
        path = "/dashboard?hotel_id=1&period=month&year=2020"
        assert "X-Data-Through" not in (await client.get(path)).headers

        await other.ingest()
        await dashboard_db.execute("UPDATE feed_progress SET data_through = '2024-02-03Z' WHERE feed = 'other'")
        body = await (await client.get("/hotels")).get_json()
        assert body["data_through"] == "2024-02-03T00:00:00.000000Z"
        assert (await client.get(path)).headers["X-Data-Through"] == "2024-02-03T00:00:00.000000Z"
        assert await net_of(app, 1) == 3


async def test_each_feed_has_jobs_of_its_own(configured: dict[str, str], dashboard_url: Secret) -> None:
    async with serve_dashboard(configured, dashboard_url) as app:
        names = [job.name for job in schedule.booking_jobs(resources_of(app))]

    assert names == [
        "ingest_booking_events",
        "ingest_booking_events:other",
        "night_audit",
        "night_audit:other",
        "recount_hotels",
    ]


async def test_the_command_audits_every_feed_and_names_it(
    vendors: tuple[Vendor, Vendor],
    configured: dict[str, str],
    dashboard_url: Secret,
    capsys: pytest.CaptureFixture[str],
) -> None:
    main, other = vendors
    config = read_config(Config, configured)
    main.served.events, other.served.events = hourly(1, 3), hourly(1, 3)
    await main.ingest()

    assert await run_audit(config, dashboard_url, AuditOptions(feed=True)) == 1
    printed = capsys.readouterr()
    assert "feed main: 4 read" in printed.out
    assert "the feed other has not been read yet" in printed.err

    await other.ingest()
    del other.served.events[0]
    apply = AuditOptions(feed=True, apply=True)
    assert await run_audit(config, dashboard_url, apply) == 2, "there is no reason"
    apply = AuditOptions(feed=True, apply=True, reason="asked")
    assert await run_audit(config, dashboard_url, apply) == 0
    printed = capsys.readouterr()
    assert "feed main: 4 read" in printed.out
    assert "feed other: " in printed.out
    assert "applied main: 0 corrections" in printed.out
    assert "applied other: 1 corrections" in printed.out
    assert "ledger: 5 events" in printed.out


FEEDS = "a=http://a.example; b=https://b.example/feed TOKEN-OF-B"


def test_feeds_have_names_addresses_and_tokens(environment: dict[str, str]) -> None:
    config = read_config(Config, {**environment, "DASHBOARD_FEEDS": FEEDS, "DASHBOARD_FEED_TOKEN": "of-main"})

    assert config.feeds == (
        FeedSource("main", config.provider_url, Secret("of-main")),
        FeedSource("a", Secret("http://a.example")),
        FeedSource("b", Secret("https://b.example/feed"), Secret("TOKEN-OF-B")),
    )
    assert "TOKEN-OF-B" not in repr(config)
    assert "b.example" not in repr(config)


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("a=http://a.example;", "feed 2 is not"),
        ("http://user:s3cr3t@a.example", "feed 1 is not"),
        ("A=http://s3cr3t@a.example", "feed 1 is not"),
        ("a=http://a.example s3cr3t more", "feed 1 is not"),
        ("main=http://a.example s3cr3t", "must not name a feed main"),
        ("a=http://a.example s3cr3t;a=http://b.example", "names the feed a twice"),
        ("a=http://a.example s3cr3t;b=http://a.example/", "gives the feeds a and b the same address"),
        ("a=ftp://s3cr3t@a.example s3cr3t", "has a wrong address of the feed a: it must be a URL"),
        ("a=http://127.0.0.1:9000 s3cr3t", "gives the feed a the address of DASHBOARD_PROVIDER_URL"),
    ],
)
def test_wrong_feeds_are_named_without_their_secrets(environment: dict[str, str], value: str, fault: str) -> None:
    without = {name: text for name, text in environment.items() if name != "DASHBOARD_PROVIDER_URL"}
    with pytest.raises(ConfigError) as error:
        read_config(Config, {**without, "DASHBOARD_FEEDS": value})

    assert "DASHBOARD_FEEDS" in str(error.value)
    assert fault in str(error.value)
    assert "s3cr3t" not in str(error.value)


def test_the_token_of_a_feed_may_be_a_variable_of_its_own_and_commas_separate_feeds(
    environment: dict[str, str],
) -> None:
    feeds = {"DASHBOARD_FEEDS": "harbour=http://a.example/?rooms=1,b=2, hill-top = https://b.example"}
    tokens = {"DASHBOARD_FEED_TOKEN_HARBOUR": "of-harbour", "DASHBOARD_FEED_TOKEN_HILL_TOP": "of-hill-top"}
    config = read_config(Config, {**environment, **feeds, **tokens})

    assert config.feeds[1:] == (
        FeedSource("harbour", Secret("http://a.example/?rooms=1,b=2"), Secret("of-harbour")),
        FeedSource("hill-top", Secret("https://b.example"), Secret("of-hill-top")),
    )
    assert "of-harbour" not in repr(config)
    assert describe_unknown_variables(Config, {**feeds, **tokens}) == []


@pytest.mark.parametrize("feeds", ["", "a=http://a.example", "harbour=http://a.example TOKEN"])
def test_a_token_of_no_feed_or_a_second_one_is_named(environment: dict[str, str], feeds: str) -> None:
    given = {"DASHBOARD_FEEDS": feeds, "DASHBOARD_FEED_TOKEN_HARBOUR": "s3cr3t"}
    with pytest.raises(ConfigError, match="DASHBOARD_FEED_TOKEN_HARBOUR names no feed") as error:
        read_config(Config, {**environment, **given})
    assert "s3cr3t" not in str(error.value)


async def test_each_feed_is_read_with_its_own_token(environment: dict[str, str]) -> None:
    async with serve_feed(ForeignFeed([event(70_001)], token="of-harbour")) as harbour:
        given = {"DASHBOARD_FEEDS": f"harbour={harbour.url}", "DASHBOARD_FEED_TOKEN_HARBOUR": "of-harbour"}
        config = read_config(Config, {**environment, **given, "DASHBOARD_FEED_TOKEN": "of-main"})
        async with create_client_session() as client:
            feed = create_feed(client, config.feeds[1])
            async with feed.read(FeedQuery()) as response:
                batches = [batch async for batch in response.batches]
    assert len(batches) == 1
