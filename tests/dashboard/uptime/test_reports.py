"""Reports: requested, made, interrupted, requested again."""

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from structlog.testing import capture_logs

from common.config import Secret
from common.db.pool import Connection
from common.tables import FORMULA_BEGINS, neutralised
from common.web.errors import Conflict, Invalid, Unavailable
from dashboard.uptime import report_runner, service
from dashboard.uptime.models.fleet import WantedStores
from dashboard.uptime.models.reports import Report
from dashboard.uptime.queries import fleet, report_rows, reports, retention
from dashboard.uptime.report_runner import ReportRunner
from tests.dashboard.uptime.fleet import Store, every_day, load, utc
from tests.support.databases import waits_for_lock
from tests.support.waiting import eventually

AS_OF = utc("2023-01-23 11:00")
NOW = AS_OF + timedelta(days=30)


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
        "INSERT INTO store_import (kind, source, rows, new, changed, rejected_total, rejected, notices, started_at,"
        " made_by) VALUES ('status', 'a test', 1, 1, true, 0, '[]', '{}', now(), 'a test')"
    )


async def test_a_report_has_the_version_of_its_data(db: asyncpg.Pool) -> None:
    await import_data(db)
    report_id = await service.request_report(db, None, NOW)
    running = await service.find_report(db, str(report_id))
    assert running is not None
    assert (running.status, running.as_of, running.data_version) == ("Running", None, None)
    assert 0 <= running.progress < 1
    assert await service.make_report(db, report_id, NOW)
    report = await service.find_report(db, str(report_id))
    assert report is not None
    version = await db.fetchval("SELECT max(import_id) FROM store_import")
    assert (report.status, report.as_of, report.data_version, report.stores) == ("Complete", AS_OF, version, 2)


async def rows_of_a_report(db: asyncpg.Pool) -> bytes:
    """Make a report, and return its rows as CSV."""
    report_id = await service.request_report(db, None, NOW)
    await service.make_report(db, report_id, NOW)
    lines: list[bytes] = []

    async def output(data: bytes) -> None:
        lines.append(data)

    async with db.acquire() as connection:
        await report_rows.copy_report_rows(connection, report_id, "source", output)
    return b"".join(lines)


async def test_figures_are_rounded_away_from_zero_and_ordered_by_the_bytes_of_the_id(db: asyncpg.Pool) -> None:
    # 1.5 s are 0.025 minutes: half a hundredth, rounded up, on both sides of the account
    assert await rows_of_a_report(db) == b"10,60.00,2.00,14.00,0.00,0.00,0.00\n9,59.98,24.00,168.00,0.03,0.00,0.00\n"


async def test_downtimes_are_in_minutes_and_hours(dashboard_db: asyncpg.Pool) -> None:
    """Of a store that was down all the time but for the last third of an hour."""
    await load(
        dashboard_db,
        {"9": Store([(AS_OF - timedelta(days=30), False), (AS_OF - timedelta(minutes=20), True), (AS_OF, True)])},
    )
    assert await rows_of_a_report(dashboard_db) == b"9,20.00,0.33,0.33,40.00,23.67,167.67\n"


async def test_requests_for_the_same_report_share_one(db: asyncpg.Pool) -> None:
    first = await asyncio.gather(*(service.request_report(db, None, NOW) for _ in range(5)))
    assert len(set(first)) == 1
    other = await service.request_report(db, AS_OF - timedelta(hours=1), NOW)
    assert other not in first
    await import_data(db)
    assert await service.request_report(db, None, NOW) not in first
    await service.make_report(db, other, NOW)
    assert await service.request_report(db, AS_OF - timedelta(hours=1), NOW) != other


async def test_a_report_that_is_being_made_is_shared_without_waiting_for_it(db: asyncpg.Pool) -> None:
    report_id = await service.request_report(db, None, NOW)
    async with db.acquire() as making, making.transaction():
        assert await reports.claim_report(making, report_id)
        assert await asyncio.wait_for(service.request_report(db, None, NOW), 20) == report_id
        other = await service.request_report(db, AS_OF, NOW)
        assert other != report_id
        assert await service.request_report(db, AS_OF, NOW) == other


async def test_concurrent_calls_make_a_report_once(db: asyncpg.Pool) -> None:
    report_id = await service.request_report(db, None, NOW)
    assert sum(await asyncio.gather(*(service.make_report(db, report_id, NOW) for _ in range(4)))) == 1
    assert not await service.make_report(db, report_id, NOW)
    assert await db.fetchval("SELECT count(*) FROM uptime_report_row") == 2


async def test_a_report_whose_process_died_is_made_by_the_next(db: asyncpg.Pool, dashboard_url: Secret) -> None:
    report_id = await service.request_report(db, None, NOW)
    dying = await asyncpg.connect(dashboard_url.reveal())
    await dying.execute("BEGIN")
    assert await reports.claim_report(dying, report_id)
    await reports.insert_report_rows(dying, report_id, AS_OF, AS_OF, ["9", "10"])
    await reports.update_report_complete(dying, report_id, AS_OF, AS_OF)
    assert await service.make_waiting_reports(db, NOW) == 0
    pid = dying.get_server_pid()
    dying.terminate()
    await eventually(lambda: db.fetchval("SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)", pid))
    assert await service.make_waiting_reports(db, NOW) == 1
    assert await db.fetchval("SELECT count(*) FROM uptime_report_row WHERE report_id = $1", report_id) == 2


async def test_requests_during_a_report_are_no_attempts(db: asyncpg.Pool) -> None:
    """A report that many processes ask for must not fail as interrupted too often."""
    report_id = await service.request_report(db, None, NOW)
    async with db.acquire() as making, making.transaction():
        assert await reports.claim_report(making, report_id)
        for _ in range(2):
            asked = [service.make_report(db, report_id, NOW) for _ in range(service.MAX_ATTEMPTS)]
            assert not any(await asyncio.gather(*asked))
        assert await service.make_waiting_reports(db, NOW) == 0
    assert await service.make_report(db, report_id, NOW)
    assert await db.fetchval("SELECT attempts FROM uptime_report_progress") == 1


async def test_an_attempt_stays_counted_when_its_transaction_is_rolled_back(db: asyncpg.Pool) -> None:
    report_id = await service.request_report(db, None, NOW)
    async with db.acquire() as blocker, blocker.transaction():
        await blocker.execute("LOCK TABLE uptime_report_row IN EXCLUSIVE MODE")
        making = asyncio.create_task(service.make_report(db, report_id, NOW))
        await eventually(lambda: waits_for_lock(db))
        making.cancel()
        assert isinstance((await asyncio.gather(making, return_exceptions=True))[0], asyncio.CancelledError)
    assert await service.make_report(db, report_id, NOW)
    assert await db.fetchval("SELECT attempts FROM uptime_report_progress") == 2


async def test_the_progress_is_the_share_of_stores_that_are_done(
    db: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another connection sees it while the report is being made; an interrupted report begins again at 0."""
    await load(db, {str(number): Store([(AS_OF, True)]) for number in range(5)})
    monkeypatch.setattr(service, "STORES_PER_STATEMENT", 2)
    insert_report_rows = reports.insert_report_rows
    seen: list[float] = []

    async def insert_and_look(connection: Connection, report_id: UUID, *arguments: Any) -> None:
        await insert_report_rows(connection, report_id, *arguments)
        running = await service.find_report(db, str(report_id))
        assert running is not None
        assert (running.status, running.stores) == ("Running", None)
        seen.append(running.progress)
        if seen == [0, 0.4]:
            raise asyncpg.ConnectionDoesNotExistError("interrupted")

    monkeypatch.setattr(reports, "insert_report_rows", insert_and_look)
    report_id = await service.request_report(db, None, NOW)
    with pytest.raises(asyncpg.ConnectionDoesNotExistError):
        await service.make_report(db, report_id, NOW)
    assert await service.make_waiting_reports(db, NOW) == 1
    assert seen == [0, 0.4, 0, 0.4, 0.8]
    report = await service.find_report(db, str(report_id))
    assert report is not None
    assert (report.status, report.progress, report.stores) == ("Complete", 1, 5)


async def test_a_report_on_many_stores_sees_one_state_of_the_data(
    db: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Polls that come in between two of its statements are in none of its rows, nor is their import its version."""
    await load(db, {name: Store([(AS_OF - timedelta(days=9), True), (AS_OF, True)]) for name in ("a", "b", "c")})
    await import_data(db)
    version = await db.fetchval("SELECT max(import_id) FROM store_import")
    monkeypatch.setattr(service, "STORES_PER_STATEMENT", 1)
    insert_report_rows = reports.insert_report_rows

    async def insert_while_data_change(*arguments: Any) -> None:
        await insert_report_rows(*arguments)
        await db.execute("UPDATE store_poll SET active = false")
        await import_data(db)

    monkeypatch.setattr(reports, "insert_report_rows", insert_while_data_change)
    report_id = await service.request_report(db, None, NOW)
    assert await service.make_report(db, report_id, NOW)
    report = await service.find_report(db, str(report_id))
    assert report is not None
    assert (report.data_version, report.stores) == (version, 3)
    assert await db.fetchval("SELECT sum(downtime_last_week) FROM uptime_report_row") == timedelta()


async def test_a_report_is_not_of_the_future_nor_of_deleted_polls(db: asyncpg.Pool) -> None:
    """An instant that a clock ahead of ours calls now is accepted."""
    await service.request_report(db, NOW + timedelta(minutes=10), NOW)
    with pytest.raises(Invalid):
        await service.request_report(db, NOW + timedelta(minutes=10, microseconds=1), NOW)
    kept_since = AS_OF - timedelta(hours=1)
    await db.execute("UPDATE store SET polls_since = $1 WHERE store_id = '9'", kept_since)
    earliest = kept_since + timedelta(hours=168)
    await service.request_report(db, earliest, NOW)
    with pytest.raises(Invalid) as refused:
        await service.request_report(db, earliest - timedelta(microseconds=1), NOW)
    assert "must not be before 2023-01-30T10:00:00" in refused.value.errors[0].message
    await db.execute("UPDATE store SET first_polled_at = last_polled_at WHERE store_id = '9'")
    await service.request_report(db, AS_OF - timedelta(seconds=2), NOW)  # the store is not in it


async def test_lists_keep_one_report_and_for_ten_minutes_those_that_it_replaced(db: asyncpg.Pool) -> None:
    """Reports that somebody triggered are not touched."""
    runner = ReportRunner(db)
    triggered = str(await service.request_report(db, None, NOW))
    await service.make_report(db, UUID(triggered), NOW)
    made = []
    for number in range(4):
        await import_data(db)
        newest = await runner.newest(NOW)
        assert newest is not None
        made.append(newest.report_id)
        assert (await runner.newest(NOW)) == newest, "no report without new data"
        if number == 2:
            await db.execute("UPDATE uptime_report SET finished_at = finished_at - INTERVAL '11 minutes'")
    assert len(set(made)) == 4
    left = {report.report_id for report in await reports.select_reports(db, None, None, 100)}
    assert left == {triggered, made[3]}
    assert await db.fetchval("SELECT count(*) FROM uptime_report_row") == 4


async def test_a_request_gets_the_first_report_also_if_a_job_makes_it(db: asyncpg.Pool) -> None:
    """The job makes every report that no process is making, so it may take one that a request has just asked for."""
    await import_data(db)
    report_id = await service.request_report(db, None, NOW, for_lists=True)
    async with db.acquire() as job, job.transaction():
        assert await reports.claim_report(job, report_id)
        asked = asyncio.create_task(ReportRunner(db).newest(NOW))
        done, _ = await asyncio.wait([asked], timeout=0.3)
        assert not done
    await service.make_waiting_reports(db, NOW)
    newest = await asked
    assert newest is not None
    assert (newest.report_id, newest.status) == (str(report_id), "Complete")


async def test_a_request_gets_the_report_before_at_once_while_a_job_makes_the_next(db: asyncpg.Pool) -> None:
    before = await ReportRunner(db).newest(NOW)
    await import_data(db)
    report_id = await service.request_report(db, None, NOW, for_lists=True)
    async with db.acquire() as job, job.transaction():
        assert await reports.claim_report(job, report_id)
        async with asyncio.timeout(report_runner.MADE_ELSEWHERE_WAIT_SECONDS):
            assert await ReportRunner(db).newest(NOW) == before


async def test_while_a_job_makes_the_first_report_for_long_a_request_is_told_to_come_again(
    db: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_runner, "MADE_ELSEWHERE_WAIT_SECONDS", 0.2)
    await import_data(db)
    report_id = await service.request_report(db, None, NOW, for_lists=True)
    async with db.acquire() as job, job.transaction():
        assert await reports.claim_report(job, report_id)
        with pytest.raises(Unavailable, match="The first report is being made"):
            await ReportRunner(db).newest(NOW)


async def test_the_lists_have_a_new_report_when_the_time_of_a_stored_poll_has_come(db: asyncpg.Pool) -> None:
    soon = NOW + timedelta(minutes=5)
    await load(db, {"9": Store([(AS_OF, True), (soon, False)])})
    runner = ReportRunner(db)
    before, at_its_time = [await runner.newest(now) for now in (NOW, soon)]
    assert before is not None
    assert at_its_time is not None
    assert before.report_id != at_its_time.report_id
    assert (before.as_of, at_its_time.as_of) == (AS_OF, soon)


async def test_a_report_is_made_at_the_last_permitted_attempt(db: asyncpg.Pool) -> None:
    report_id = await service.request_report(db, None, NOW)
    for _ in range(service.MAX_ATTEMPTS - 1):
        assert await reports.upsert_report_attempt(db, report_id)
    assert await service.make_report(db, report_id, NOW)


async def test_a_report_that_is_always_interrupted_fails(db: asyncpg.Pool) -> None:
    report_id = await service.request_report(db, None, NOW)
    for _ in range(service.MAX_ATTEMPTS):
        assert await reports.upsert_report_attempt(db, report_id)
    assert not await service.make_report(db, report_id, NOW)
    report = await service.find_report(db, str(report_id))
    assert report is not None
    assert (report.status, report.reason) == ("Failed", "The report was interrupted 5 times.")
    assert await service.make_waiting_reports(db, NOW) == 0


async def test_a_report_that_the_database_refuses_fails_with_the_reason(db: asyncpg.Pool) -> None:
    await db.execute("UPDATE store SET timezone = 'Mars/Olympus' WHERE store_id = '10'")
    report_id = await service.request_report(db, None, NOW)
    assert not await service.make_report(db, report_id, NOW)
    report = await service.find_report(db, str(report_id))
    assert report is not None
    assert (report.status, report.reason) == ("Failed", "The database refused the report: InvalidParameterValueError.")


async def test_a_change_during_a_report_is_not_in_it(db: asyncpg.Pool) -> None:
    """One statement is one snapshot, even if it waits for a lock."""
    await import_data(db)
    before = await db.fetchval("SELECT max(import_id) FROM store_import")
    report_id = await service.request_report(db, None, NOW)
    async with db.acquire() as blocker, blocker.transaction():
        await blocker.execute("LOCK TABLE uptime_report_row IN EXCLUSIVE MODE")
        making = asyncio.create_task(service.make_report(db, report_id, NOW))
        await eventually(lambda: waits_for_lock(db))
        # it waits before or after its snapshot was taken: in both cases it must be of one state
        await import_data(db)
        await db.execute("UPDATE store_poll SET active = false")
    assert await making
    report = await service.find_report(db, str(report_id))
    assert report is not None
    downtime = await db.fetchval("SELECT sum(downtime_last_week) FROM uptime_report_row WHERE store_id = '10'")
    assert (report.data_version == before) == (downtime == timedelta())


async def test_the_database_and_python_take_the_same_texts_for_formulas(dashboard_db: asyncpg.Pool) -> None:
    texts = [f"{begin}{rest}" for begin in ("", "x", *FORMULA_BEGINS) for rest in ("", "5", "5.5", "1+1", "5\n", "-5")]
    made = await dashboard_db.fetch(
        f"SELECT {report_rows.neutralised_sql('given')} AS text FROM unnest($1::text[]) AS given", texts
    )
    assert [row["text"] for row in made] == [neutralised(text) for text in texts]


async def test_details_that_two_processes_ask_for_are_made_once(db: asyncpg.Pool) -> None:
    report_id = await service.request_report(db, None, NOW)
    await service.make_report(db, report_id, NOW)
    report = await service.find_report(db, str(report_id))
    assert report is not None
    await asyncio.gather(*(service.make_report_details(db, report) for _ in range(3)))
    assert await db.fetchval("SELECT count(*) FROM uptime_report_detail") == 2


async def complete_report(
    db: asyncpg.Pool, as_of: datetime | None = None, now: datetime = NOW, *, with_details: bool = False
) -> Report:
    report_id = await service.request_report(db, as_of, now, with_details=with_details)
    assert await service.make_report(db, report_id, now)
    report = await service.find_report(db, str(report_id))
    assert report is not None
    return report


async def test_details_that_fail_after_the_request_are_logged_and_the_next_request_gets_the_failure(
    db: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request after that makes them again."""
    monkeypatch.setattr(report_runner, "DETAILS_WAIT_SECONDS", 0.0)
    runner = ReportRunner(db)
    report = await complete_report(db)
    with capture_logs() as logs:
        async with db.acquire() as blocker, blocker.transaction():
            await blocker.execute("ALTER TABLE uptime_report_detail ADD CONSTRAINT poison CHECK (state = '') NOT VALID")
            assert not await runner.has_details(report)
            await eventually(lambda: waits_for_lock(db))
        await eventually(lambda: logs)
    assert [(each["event"], each["report_id"]) for each in logs] == [("report_details_failed", report.report_id)]
    with pytest.raises(asyncpg.CheckViolationError):
        await runner.has_details(report)

    await db.execute("ALTER TABLE uptime_report_detail DROP CONSTRAINT poison")
    assert await eventually(lambda: runner.has_details(report))
    assert await db.fetchval("SELECT count(*) FROM uptime_report_detail") == 2


@pytest.mark.parametrize("with_details", [True, False])
async def test_all_columns_of_a_report_that_ends_after_now_are_made_from_the_polls_up_to_now(
    dashboard_db: asyncpg.Pool, with_details: bool
) -> None:
    """A poll that is dated later counts for no column, also when the details are made after its time has come."""
    soon = [NOW + timedelta(minutes=minutes) for minutes in (-100, 5)]
    await load(dashboard_db, {"9": Store([(soon[0], True), (soon[1], False)])})
    report = await complete_report(dashboard_db, NOW + timedelta(minutes=8), with_details=with_details)
    await service.make_report_details(dashboard_db, report)

    figures = await dashboard_db.fetchrow(
        "SELECT downtime_last_hour, state, round(coverage_last_hour, 2) AS coverage"
        " FROM uptime_report_row JOIN uptime_report_detail USING (report_id, store_id)"
    )
    assert figures is not None
    assert tuple(figures) == (timedelta(), "up", Decimal("0.70"))


async def test_the_full_columns_of_a_report_are_not_made_from_polls_of_which_some_were_deleted(
    dashboard_db: asyncpg.Pool,
) -> None:
    """The deletion of old polls is no new version of the data; details that were made with the report stay."""
    hourly = [(AS_OF + timedelta(hours=hour), hour % 2 == 0) for hour in range(-400, 1)]
    await load(dashboard_db, {"9": Store(hourly)})
    as_of = AS_OF - timedelta(hours=200)
    [made_with, made_without] = [
        await complete_report(dashboard_db, as_of, with_details=with_details) for with_details in (True, False)
    ]
    recent = await complete_report(dashboard_db)

    assert await retention.delete_old_polls(dashboard_db, timedelta(days=9), 1000) > 0

    await service.make_report_details(dashboard_db, made_with)
    await service.make_report_details(dashboard_db, recent)
    with pytest.raises(Conflict) as refused:
        await service.make_report_details(dashboard_db, made_without)
    assert refused.value.problem_code == "data_changed"
    assert await dashboard_db.fetchval("SELECT count(*) FROM uptime_report_detail") == 2


async def test_an_empty_fleet_has_an_empty_report(dashboard_db: asyncpg.Pool) -> None:
    report_id = await service.request_report(dashboard_db, None, NOW)
    assert await service.make_report(dashboard_db, report_id, NOW)
    report = await service.find_report(dashboard_db, str(report_id))
    assert report is not None
    assert (report.status, report.as_of, report.data_version, report.stores) == ("Complete", None, 0, 0)
    assert await dashboard_db.fetchval("SELECT count(*) FROM uptime_report_row") == 0


async def test_reports_are_listed_in_pages_latest_first(db: asyncpg.Pool) -> None:
    report_ids = [await service.request_report(db, AS_OF - timedelta(hours=hours), NOW) for hours in range(5)]
    first = await reports.select_reports(db, None, None, 2)
    last = first[-1]
    position = (last.requested_at, report_ids[3])
    rest = await reports.select_reports(db, None, position, 10)
    assert [report.report_id for report in first + rest] == [str(report_id) for report_id in reversed(report_ids)]


async def test_an_unknown_report_is_none(db: asyncpg.Pool) -> None:
    report_id = await service.request_report(db, None, NOW)
    for unknown in ("", "x", str(uuid4()), str(report_id).upper(), report_id.hex):
        assert await service.find_report(db, unknown) is None


async def test_stores_are_ordered_by_downtime_or_share_in_pages(db: asyncpg.Pool) -> None:
    stores = {
        f"s{number}": Store([(AS_OF - timedelta(minutes=10 * (number % 4)), False), (AS_OF - timedelta(days=9), True)])
        for number in range(8)
    }
    stores["closed"] = Store([(AS_OF, True)], [(2, utc("2023-01-01 09:00").time(), None)], "UTC")
    await load(db, stores)
    report_id = await service.request_report(db, None, NOW)
    await service.make_report(db, report_id, NOW)
    not_as_of_the_newest_poll = await service.request_report(db, AS_OF + timedelta(days=1), NOW)
    await service.make_report(db, not_as_of_the_newest_poll, NOW)
    assert (await fleet.select_latest_report(db)) == await service.find_report(db, str(report_id))
    orders = {
        "store_id": ["closed", "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7"],
        "downtime": ["s3", "s7", "s2", "s6", "s1", "s5", "closed", "s0", "s4"],
        "uptime": ["s3", "s7", "s2", "s6", "s1", "s5", "s0", "s4", "closed"],
    }
    for order, names in orders.items():
        found: list[str] = []
        after = None
        wanted = WantedStores(order)  # type: ignore[arg-type]  # a key of `orders`
        while page := await fleet.select_store_uptimes(db, report_id, "hour", wanted, after, 2, NOW):
            found += [store.store_id for store in page]
            last = page[-1]
            value = {"store_id": 0.0, "downtime": last.downtime_seconds, "uptime": last.uptime_share}[order]
            after = (value, last.store_id)
        assert found == names
    wanted = WantedStores("uptime", below=Decimal("0.6"))
    below = await fleet.select_store_uptimes(db, report_id, "hour", wanted, None, 10, NOW)
    assert [store.store_id for store in below] == ["s3", "s7"]
    summary = await fleet.select_sla_summary(db, report_id, "hour", Decimal("0.9"))
    assert (summary.stores, summary.breaches) == (8, 6)


async def test_a_store_exactly_at_the_target_is_not_a_breach_in_either_list(db: asyncpg.Pool) -> None:
    """Nor by a share that is rounded: 59.4 minutes of 60 are 99 %, of which a binary fraction falls short."""
    hour = timedelta(hours=1)
    down = {
        "at": timedelta(seconds=36),
        "below": timedelta(seconds=36, microseconds=1),
        "above": timedelta(seconds=36) - timedelta(microseconds=1),
    }
    await load(db, {name: Store([(AS_OF - 9 * hour, True), (AS_OF - late, False)]) for name, late in down.items()})
    report_id = await service.request_report(db, AS_OF, NOW)
    await service.make_report(db, report_id, NOW)
    least = Decimal(1).scaleb(-12)
    for target, breaches in (
        (Decimal("0.99"), ["below"]),
        (Decimal("0.99") + least, ["below", "at"]),
        (Decimal("0.99") - least, ["below"]),
        (Decimal("0.9899999997"), []),
        (Decimal("0.9900000003"), ["below", "at", "above"]),
        (Decimal(1), ["below", "at", "above"]),
        (Decimal(0), []),
    ):
        wanted = WantedStores("uptime", below=target)
        found = await fleet.select_store_uptimes(db, report_id, "hour", wanted, None, 10, NOW)
        assert [store.store_id for store in found] == breaches
        assert (await fleet.select_sla_summary(db, report_id, "hour", target)).breaches == len(breaches)
