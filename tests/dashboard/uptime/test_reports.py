"""Reports: requested, made, interrupted, requested again."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import asyncpg
import pytest

from common.config import Secret
from dashboard.uptime import service
from dashboard.uptime.queries import fleet, reports
from tests.dashboard.uptime.fleet import Store, every_day, load, utc
from tests.support.databases import waits_for_lock
from tests.support.waiting import eventually

AS_OF = utc("2023-01-23 11:00")


@pytest.fixture
async def db(dashboard_db: asyncpg.Pool) -> asyncpg.Pool:
    """A database with two stores: one that went down 1.5 seconds before the end, and one with business hours."""
    await load(
        dashboard_db,
        {
            "9": Store([(utc("2023-01-23 01:00"), True), (AS_OF - timedelta(seconds=1.5), False)]),
            "10": Store([(utc("2023-01-22 10:00"), True), (AS_OF, False)], every_day("09:00", "11:00"), "UTC"),
        },
    )
    return dashboard_db


async def import_data(db: asyncpg.Pool) -> None:
    """Record an import that changed data."""
    await db.execute(
        "INSERT INTO store_import (kind, source, rows, new, changed, rejected_total, rejected, started_at)"
        " VALUES ('status', 'a test', 1, 1, true, 0, '[]', now())"
    )


async def test_a_report_has_the_version_of_its_data(db: asyncpg.Pool) -> None:
    await import_data(db)
    report_id = await service.request_report(db, None)
    running = await service.find_report(db, str(report_id))
    assert running is not None
    assert (running.status, running.as_of, running.data_version) == ("Running", None, None)
    assert 0 <= running.progress < 1
    assert await service.make_report(db, report_id)
    report = await service.find_report(db, str(report_id))
    assert report is not None
    version = await db.fetchval("SELECT max(import_id) FROM store_import")
    assert (report.status, report.as_of, report.data_version, report.stores) == ("Complete", AS_OF, version, 2)


async def test_figures_are_rounded_away_from_zero_and_ordered_by_the_bytes_of_the_id(db: asyncpg.Pool) -> None:
    report_id = await service.request_report(db, None)
    await service.make_report(db, report_id)
    lines: list[bytes] = []

    async def output(data: bytes) -> None:
        lines.append(data)

    async with db.acquire() as connection:
        await reports.copy_report_rows(connection, report_id, output)
    # 1.5 s are 0.025 minutes: half a hundredth, rounded up, on both sides of the account
    assert b"".join(lines) == b"10,60.00,2.00,14.00,0.00,0.00,0.00\n9,59.98,24.00,168.00,0.03,0.00,0.00\n"


async def test_requests_for_the_same_report_share_one(db: asyncpg.Pool) -> None:
    first = await asyncio.gather(*(service.request_report(db, None) for _ in range(5)))
    assert len(set(first)) == 1
    other = await service.request_report(db, AS_OF - timedelta(hours=1))
    assert other not in first
    await import_data(db)
    assert await service.request_report(db, None) not in first
    await service.make_report(db, other)
    assert await service.request_report(db, AS_OF - timedelta(hours=1)) != other


async def test_a_report_that_is_being_made_is_shared_without_waiting_for_it(db: asyncpg.Pool) -> None:
    report_id = await service.request_report(db, None)
    async with db.acquire() as making, making.transaction():
        assert await reports.claim_report(making, report_id)
        assert await asyncio.wait_for(service.request_report(db, None), 20) == report_id
        other = await service.request_report(db, AS_OF)
        assert other != report_id
        assert await service.request_report(db, AS_OF) == other


async def test_concurrent_calls_make_a_report_once(db: asyncpg.Pool) -> None:
    report_id = await service.request_report(db, None)
    assert sum(await asyncio.gather(*(service.make_report(db, report_id) for _ in range(4)))) == 1
    assert not await service.make_report(db, report_id)
    assert await db.fetchval("SELECT count(*) FROM uptime_report_row") == 2


async def test_a_report_whose_process_died_is_made_by_the_next(db: asyncpg.Pool, dashboard_url: Secret) -> None:
    report_id = await service.request_report(db, None)
    dying = await asyncpg.connect(dashboard_url.reveal())
    await dying.execute("BEGIN")
    assert await reports.claim_report(dying, report_id)
    await reports.complete_report(dying, report_id)
    assert await service.make_waiting_reports(db) == 0
    pid = dying.get_server_pid()
    dying.terminate()
    await eventually(lambda: db.fetchval("SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)", pid))
    assert await service.make_waiting_reports(db) == 1
    assert await db.fetchval("SELECT count(*) FROM uptime_report_row WHERE report_id = $1", report_id) == 2


async def test_requests_during_a_report_are_no_attempts(db: asyncpg.Pool) -> None:
    """A report that many processes ask for must not fail as interrupted too often."""
    report_id = await service.request_report(db, None)
    async with db.acquire() as making, making.transaction():
        assert await reports.claim_report(making, report_id)
        for _ in range(2):
            asked = [service.make_report(db, report_id) for _ in range(service.MAX_ATTEMPTS)]
            assert not any(await asyncio.gather(*asked))
        assert await service.make_waiting_reports(db) == 0
    assert await service.make_report(db, report_id)
    assert await db.fetchval("SELECT attempts FROM uptime_report") == 1


async def test_an_attempt_stays_counted_when_its_transaction_is_rolled_back(db: asyncpg.Pool) -> None:
    report_id = await service.request_report(db, None)
    async with db.acquire() as blocker, blocker.transaction():
        await blocker.execute("LOCK TABLE uptime_report_row IN EXCLUSIVE MODE")
        making = asyncio.create_task(service.make_report(db, report_id))
        await eventually(lambda: waits_for_lock(db))
        making.cancel()
        assert isinstance((await asyncio.gather(making, return_exceptions=True))[0], asyncio.CancelledError)
    assert await service.make_report(db, report_id)
    assert await db.fetchval("SELECT attempts FROM uptime_report") == 2


async def test_a_report_is_made_at_the_last_permitted_attempt(db: asyncpg.Pool) -> None:
    report_id = await service.request_report(db, None)
    for _ in range(service.MAX_ATTEMPTS - 1):
        assert await reports.update_report_attempt(db, report_id)
    assert await service.make_report(db, report_id)


async def test_a_report_that_is_always_interrupted_fails(db: asyncpg.Pool) -> None:
    report_id = await service.request_report(db, None)
    for _ in range(service.MAX_ATTEMPTS):
        assert await reports.update_report_attempt(db, report_id)
    assert not await service.make_report(db, report_id)
    report = await service.find_report(db, str(report_id))
    assert report is not None
    assert (report.status, report.reason) == ("Failed", "The report was interrupted 5 times.")
    assert await service.make_waiting_reports(db) == 0


async def test_a_report_that_the_database_refuses_fails_with_the_reason(db: asyncpg.Pool) -> None:
    await db.execute("UPDATE store SET timezone = 'Mars/Olympus' WHERE store_id = '10'")
    report_id = await service.request_report(db, None)
    assert not await service.make_report(db, report_id)
    report = await service.find_report(db, str(report_id))
    assert report is not None
    assert (report.status, report.reason) == ("Failed", "The database refused the report: InvalidParameterValueError.")


async def test_a_change_during_a_report_is_not_in_it(db: asyncpg.Pool) -> None:
    """One statement is one snapshot, even if it waits for a lock."""
    await import_data(db)
    before = await db.fetchval("SELECT max(import_id) FROM store_import")
    report_id = await service.request_report(db, None)
    async with db.acquire() as blocker, blocker.transaction():
        await blocker.execute("LOCK TABLE uptime_report_row IN EXCLUSIVE MODE")
        making = asyncio.create_task(service.make_report(db, report_id))
        await eventually(lambda: waits_for_lock(db))
        # it waits before or after its snapshot was taken: in both cases it must be of one state
        await import_data(db)
        await db.execute("UPDATE store_poll SET active = false")
    assert await making
    report = await service.find_report(db, str(report_id))
    assert report is not None
    downtime = await db.fetchval("SELECT sum(downtime_last_week) FROM uptime_report_row WHERE store_id = '10'")
    assert (report.data_version == before) == (downtime == timedelta())


async def test_an_empty_fleet_has_an_empty_report(dashboard_db: asyncpg.Pool) -> None:
    report_id = await service.request_report(dashboard_db, None)
    assert await service.make_report(dashboard_db, report_id)
    report = await service.find_report(dashboard_db, str(report_id))
    assert report is not None
    assert (report.status, report.as_of, report.data_version, report.stores) == ("Complete", None, 0, 0)
    assert await dashboard_db.fetchval("SELECT count(*) FROM uptime_report_row") == 0


async def test_reports_are_listed_in_pages_latest_first(db: asyncpg.Pool) -> None:
    report_ids = [await service.request_report(db, AS_OF - timedelta(hours=hours)) for hours in range(5)]
    first = await reports.select_reports(db, None, None, 2)
    last = first[-1]
    position = (last.requested_at, report_ids[3])
    rest = await reports.select_reports(db, None, position, 10)
    assert [report.report_id for report in first + rest] == [str(report_id) for report_id in reversed(report_ids)]


async def test_an_unknown_report_is_none(db: asyncpg.Pool) -> None:
    report_id = await service.request_report(db, None)
    for unknown in ("", "x", str(uuid4()), str(report_id).upper(), report_id.hex):
        assert await service.find_report(db, unknown) is None


async def test_stores_are_ordered_by_downtime_or_share_in_pages(db: asyncpg.Pool) -> None:
    stores = {
        f"s{number}": Store([(AS_OF - timedelta(minutes=10 * (number % 4)), False), (AS_OF - timedelta(days=9), True)])
        for number in range(8)
    }
    stores["closed"] = Store([(AS_OF, True)], [(2, utc("2023-01-01 09:00").time(), None)], "UTC")
    await load(db, stores)
    report_id = await service.request_report(db, None)
    await service.make_report(db, report_id)
    await service.make_report(
        db, await service.request_report(db, AS_OF + timedelta(days=1))
    )  # not as of the newest poll
    assert (await fleet.select_latest_report(db)) == await service.find_report(db, str(report_id))
    orders = {
        "store_id": ["closed", "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7"],
        "downtime": ["s3", "s7", "s2", "s6", "s1", "s5", "closed", "s0", "s4"],
        "uptime": ["s3", "s7", "s2", "s6", "s1", "s5", "s0", "s4", "closed"],
    }
    for order, names in orders.items():
        found: list[str] = []
        after = None
        selection = fleet.StoreSelection(report_id, "hour", order)  # type: ignore[arg-type]  # a key of `orders`
        while page := await fleet.select_store_uptimes(db, selection, after, 2):
            found += [store.store_id for store in page]
            last = page[-1]
            value = {"store_id": 0.0, "downtime": last.downtime_seconds, "uptime": last.uptime_share}[order]
            after = (value, last.store_id)
        assert found == names
    below = await fleet.select_store_uptimes(db, fleet.StoreSelection(report_id, "hour", "uptime", below=0.6), None, 10)
    assert [store.store_id for store in below] == ["s3", "s7"]
    summary = await fleet.select_sla_summary(db, report_id, "hour", 0.9)
    assert (summary.stores, summary.breaches) == (8, 6)
