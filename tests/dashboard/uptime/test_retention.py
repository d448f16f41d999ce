"""Old reports, polls and imports are deleted in batches; what must stay, stays."""

import asyncio
import io
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from common.config import ConfigError, read_config
from common.jobs.cleanup import forget_old
from common.jobs.scheduler import run_now
from common.web.errors import Invalid
from dashboard import schedule
from dashboard.config import Config
from dashboard.uptime import service
from dashboard.uptime.intake.load import Intake, import_file
from dashboard.uptime.intake.parse import StoreFile
from dashboard.uptime.models.imports import ImportSummary
from dashboard.uptime.queries import imports, reports
from dashboard.uptime.queries.retention import delete_old_imports, delete_old_polls, delete_old_reports
from dashboard.uptime.queries.stores import select_days, select_incidents, select_polls_since, select_timeline
from tests.dashboard.uptime.fleet import Store, every_day, load, utc, window
from tests.support.databases import waits_for_lock
from tests.support.waiting import eventually

AS_OF = utc("2023-01-23 11:00")
NOW = AS_OF + timedelta(days=1)
MONTH = timedelta(days=30)
KEEP = timedelta(days=400)
LAST = utc("2024-06-10 18:00")
"""The last poll of the stores of `hourly`."""


async def make_reports(db: asyncpg.Pool, ages: list[timedelta]) -> list[str]:
    """Make reports on two stores, requested so long ago; returns their ids in the order of `ages`."""
    await load(db, {"1": Store([(AS_OF, True)]), "2": Store([(AS_OF, False)])})
    made = []
    for age in ages:
        report_id = await service.request_report(db, None, NOW)
        assert await service.make_report(db, report_id, NOW)
        await db.execute(
            "UPDATE uptime_report SET requested_at = clock_timestamp() - $2::interval WHERE report_id = $1",
            report_id,
            age,
        )
        made.append(str(report_id))
    return made


async def report_ids(db: asyncpg.Pool) -> set[str]:
    return {report.report_id for report in await reports.select_reports(db, None, None, 1000)}


async def test_reports_of_more_than_a_month_are_deleted_but_not_the_newest_ten(dashboard_db: asyncpg.Pool) -> None:
    old = await make_reports(dashboard_db, [MONTH + timedelta(days=n) for n in range(12)])
    running = await service.request_report(dashboard_db, AS_OF, NOW)
    await dashboard_db.execute(
        "UPDATE uptime_report SET requested_at = clock_timestamp() - INTERVAL '99 days' WHERE report_id = $1", running
    )
    assert await delete_old_reports(dashboard_db, MONTH, 1000) == 2 * 3
    assert await report_ids(dashboard_db) == {*old[:10], str(running)}
    assert await dashboard_db.fetchval("SELECT count(*) FROM uptime_report_row") == 20
    assert await dashboard_db.fetchval("SELECT count(*) FROM uptime_report_progress") == 10
    assert await delete_old_reports(dashboard_db, MONTH, 1000) == 0


async def test_a_report_of_less_than_a_month_stays_however_many_are_newer(dashboard_db: asyncpg.Pool) -> None:
    recent = await make_reports(dashboard_db, [timedelta(days=29)] * 11)
    assert await delete_old_reports(dashboard_db, MONTH, 1000) == 0
    assert await report_ids(dashboard_db) == set(recent)


async def test_reports_are_deleted_the_oldest_first_in_batches_of_at_least_one(dashboard_db: asyncpg.Pool) -> None:
    made = await make_reports(dashboard_db, [timedelta()] * 10 + [MONTH + timedelta(days=n) for n in range(1, 4)])
    assert await delete_old_reports(dashboard_db, MONTH, 1) == 3
    assert await report_ids(dashboard_db) == set(made[:12])
    assert await delete_old_reports(dashboard_db, MONTH, 6) == 6
    assert await report_ids(dashboard_db) == set(made[:10])


def hourly(first: datetime, last: datetime) -> list[tuple[datetime, bool]]:
    """A poll every hour; the store is down on every third day."""
    hours = int((last - first) / timedelta(hours=1))
    instants = [first + timedelta(hours=n) for n in range(hours + 1)]
    return [(at, at.toordinal() % 3 != 0) for at in instants]


async def test_old_polls_are_deleted_and_the_figures_of_their_days_stay(dashboard_db: asyncpg.Pool) -> None:
    polls = hourly(LAST - timedelta(days=405), LAST)
    await load(
        dashboard_db,
        {
            "open": Store(polls),
            "hours": Store(polls, every_day("09:00", "17:30"), "Australia/Lord_Howe"),
            "retired": Store([(at - timedelta(days=900), active) for at, active in polls[-2000:]]),
        },
    )
    days = {name: await select_days(dashboard_db, name, 400, (LAST - KEEP).date(), LAST) for name in ("open", "hours")}
    assert len(days["open"]) > 5
    deleted = [await delete_old_polls(dashboard_db, KEEP, 50) for _ in range(3)]
    assert [number > 0 for number in deleted] == [True, True, False], "a store in each call, since each has over 50"
    assert await dashboard_db.fetchval("SELECT count(*) FROM store_poll") == 2 * len(polls) + 2000 - sum(deleted)
    for name, expected in days.items():
        kept_since = await select_polls_since(dashboard_db, name)
        assert kept_since is not None
        assert LAST - KEEP - timedelta(hours=25) < kept_since <= LAST - KEEP
        oldest = await dashboard_db.fetchval("SELECT min(polled_at) FROM store_poll WHERE store_id = $1", name)
        assert kept_since - timedelta(hours=24) < oldest <= kept_since, "the last poll that counts before it stays"
        assert await select_days(dashboard_db, name, 400, (LAST - KEEP).date(), LAST) == expected
    assert await select_polls_since(dashboard_db, "retired") is None, "each store keeps so many days of its polls"


async def test_a_poll_of_the_future_deletes_nothing(dashboard_db: asyncpg.Pool) -> None:
    await load(dashboard_db, {"s": Store([(LAST, True), (utc("2199-01-01 00:00"), True)])})
    assert await delete_old_polls(dashboard_db, KEEP, 1000) == 0
    assert await dashboard_db.fetchval("SELECT count(*) FROM store_poll") == 2


async def test_the_days_of_a_store_whose_time_zone_changes_lose_no_time(dashboard_db: asyncpg.Pool) -> None:
    first = LAST - timedelta(days=420)
    await load(dashboard_db, {"s": Store(hourly(first, LAST), (), "UTC")})
    await delete_old_polls(dashboard_db, KEEP + timedelta(days=10), 10_000)
    for zone in ("Asia/Tokyo", "America/New_York"):
        await dashboard_db.execute("UPDATE store SET timezone = $1", zone)
        await delete_old_polls(dashboard_db, KEEP, 10_000)
        kept_since = await select_polls_since(dashboard_db, "s")
        assert kept_since is not None
        kept = await dashboard_db.fetchval("SELECT sum(open_time) FROM store_day")
        assert kept == kept_since - datetime.combine(first.date(), datetime.min.time(), UTC)


async def test_a_window_before_the_polls_that_are_kept_is_refused_and_one_after_it_is_right(
    dashboard_db: asyncpg.Pool,
) -> None:
    polls = hourly(LAST - timedelta(days=402), LAST)
    await load(dashboard_db, {"s": Store(polls)})
    since = LAST - timedelta(days=399)
    before = await select_timeline(dashboard_db, "s", window(since, LAST))
    assert await delete_old_polls(dashboard_db, KEEP, 1000) > 0
    assert await select_timeline(dashboard_db, "s", window(since, LAST)) == before
    kept_since = await select_polls_since(dashboard_db, "s")
    assert kept_since is not None
    resolved = await service.resolve_store_window(dashboard_db, "s", kept_since, since, LAST)
    assert resolved.start == kept_since
    with pytest.raises(Invalid) as refused:
        await service.resolve_store_window(dashboard_db, "s", kept_since - timedelta(microseconds=1), since, LAST)
    assert refused.value.errors[0].field == "from"


async def test_an_incident_that_began_before_the_polls_that_are_kept_starts_with_them(
    dashboard_db: asyncpg.Pool,
) -> None:
    polls = [(at, False) for at, _ in hourly(LAST - timedelta(days=405), LAST - timedelta(days=398))]
    await load(dashboard_db, {"s": Store([*polls, (LAST, True)])})
    assert await delete_old_polls(dashboard_db, KEEP, 1000) > 0
    kept_since = await select_polls_since(dashboard_db, "s")
    assert kept_since is not None
    (found,) = await select_incidents(dashboard_db, "s", window(kept_since + timedelta(days=1), LAST), None, 10)
    assert (found.start, found.end) == (kept_since, LAST)


async def import_polls(db: asyncpg.Pool, *lines: str) -> ImportSummary:
    file = io.BytesIO("\n".join(("store_id,status,timestamp_utc", *lines, "")).encode())
    return await import_file(db, Intake(StoreFile.STATUS, file, "a test", datetime.now(UTC), "a test"))


async def test_polls_of_days_that_are_kept_as_figures_are_not_imported_again(dashboard_db: asyncpg.Pool) -> None:
    lines = [f"s,active,{at:%Y-%m-%d %H:%M:%S} UTC" for at, _ in hourly(LAST - timedelta(days=402), LAST)]
    first = await import_polls(dashboard_db, *lines)
    assert first.new == len(lines)
    assert await delete_old_polls(dashboard_db, KEEP, 100_000) > 0
    left = await dashboard_db.fetchval("SELECT count(*) FROM store_poll")
    again = await import_polls(dashboard_db, *lines, "t,active,2020-01-01 00:00:00 UTC")
    assert (again.rows, again.new, again.rejected_total) == (len(lines) + 1, 1, 0)
    assert await dashboard_db.fetchval("SELECT count(*) FROM store_poll") == left + 1
    assert await delete_old_polls(dashboard_db, KEEP, 100_000) == 0


async def test_an_import_waits_while_old_polls_are_deleted(dashboard_db: asyncpg.Pool) -> None:
    await load(dashboard_db, {"s": Store(hourly(LAST - timedelta(days=402), LAST))})
    async with dashboard_db.acquire() as deleting, deleting.transaction():
        assert await delete_old_polls(deleting, KEEP, 1000) > 0
        line = f"s,active,{LAST - timedelta(days=402):%Y-%m-%d} 00:30:00Z"
        late = asyncio.create_task(import_polls(dashboard_db, line))
        await eventually(lambda: waits_for_lock(dashboard_db))
        assert not late.done()
    assert (await late).new == 0


async def test_the_nightly_job_deletes_old_reports_polls_and_imports(dashboard_db: asyncpg.Pool) -> None:
    await make_reports(dashboard_db, [timedelta()] * 10 + [MONTH * 2])
    await import_polls(dashboard_db, *(f"s,active,{at.isoformat()}" for at, _ in hourly(LAST - KEEP * 1.01, LAST)))
    await import_polls(dashboard_db, "s,active,2024-06-10 17:00:00 UTC")
    await dashboard_db.execute("UPDATE store_import SET finished_at = finished_at - INTERVAL '91 days'")
    result = await run_now(dashboard_db, forget_old(dashboard_db, schedule.retentions(read_config(Config, {}))))
    assert (result["reports"], result["imports"]) == (3, 1)
    assert 24 < result["polls"] < 5 * 24


def test_a_week_of_polls_is_kept_at_least() -> None:
    """A report is on a week."""
    for days in ("0", "8", "36500"):
        read_config(Config, {"DASHBOARD_KEEP_POLLS_DAYS": days})
    for days in ("1", "7", "-1", "36501", "x"):
        with pytest.raises(ConfigError, match="must be 0 or a whole number from 8 to 36500"):
            read_config(Config, {"DASHBOARD_KEEP_POLLS_DAYS": days})


async def test_imports_are_deleted_but_not_the_one_that_is_the_version_of_the_data(dashboard_db: asyncpg.Pool) -> None:
    for status in ("active", "inactive", "active", "active"):
        await import_polls(dashboard_db, f"1,{status},2023-01-22 12:00:00 UTC")
    version = await imports.select_data_version(dashboard_db)
    listed = await imports.select_imports(dashboard_db, None, 10)
    assert version == listed[2].import_id, "the last two changed nothing"
    await dashboard_db.execute(
        "UPDATE store_import SET finished_at = finished_at - INTERVAL '90 days' WHERE import_id <> $1",
        listed[0].import_id,
    )
    ninety_days = timedelta(days=90) - timedelta(minutes=5)
    assert await delete_old_imports(dashboard_db, ninety_days, 1) == 1
    assert await delete_old_imports(dashboard_db, ninety_days, 10) == 1
    assert await delete_old_imports(dashboard_db, ninety_days, 10) == 0
    left = await imports.select_imports(dashboard_db, None, 10)
    assert [each.import_id for each in left] == [listed[0].import_id, version]
    assert await imports.select_data_version(dashboard_db) == version
