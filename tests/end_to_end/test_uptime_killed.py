"""A report whose process is killed is completed after the restart, with the same content."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import aiohttp
import asyncpg
import pytest

from common.config import Secret
from tests.end_to_end.conftest import start
from tests.support.applications import ApplicationProcess
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

HOURS = "store_id,dayOfWeek,start_time_local,end_time_local\n1,0,09:00:00,12:00:00\n"
POLLS = "store_id,status,timestamp_utc\n1,active,2023-01-23 16:14:00 UTC\n1,inactive,2023-01-23 17:15:00 UTC\n"
NEXT_POLL = "store_id,status,timestamp_utc\n1,active,2023-01-23 17:45:00 UTC\n"
AS_OF = datetime(2023, 1, 23, 17, 15, tzinfo=UTC) + timedelta(hours=1)


async def test_a_report_whose_process_is_killed_is_completed_after_the_restart(
    make_application: Callable[..., ApplicationProcess], dashboard_url: Secret, dashboard_db: asyncpg.Pool
) -> None:
    dashboard = make_application("dashboard", dashboard_url)

    async def put(kind: str, text: str) -> None:
        async with (
            aiohttp.ClientSession(dashboard.url, headers={"Content-Type": "text/csv"}) as client,
            client.put(f"/stores/{kind}", data=text) as answer,
        ):
            assert answer.status == 200

    async def trigger() -> str:
        async with (
            aiohttp.ClientSession(dashboard.url) as client,
            client.post("/trigger_report", params={"as_of": AS_OF.isoformat()}) as answer,
        ):
            assert answer.status == 202
            report_id: str = (await answer.json())["report_id"]
            return report_id

    async def rows(report_id: str) -> list[str] | None:
        async with (
            aiohttp.ClientSession(dashboard.url) as client,
            client.get("/get_report", params={"report_id": report_id}) as answer,
        ):
            assert answer.status == 200
            return (await answer.text()).splitlines() if answer.headers["X-Report-Status"] == "Complete" else None

    await start(dashboard)
    await put("business-hours", HOURS)
    await put("status", POLLS)
    async with dashboard_db.acquire() as blocker, blocker.transaction():
        await blocker.execute("LOCK TABLE uptime_report_row IN EXCLUSIVE MODE")
        report_id = await trigger()
        await eventually(lambda: blocker.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))
        assert await rows(report_id) is None
        dashboard.kill()
    assert await dashboard_db.fetchval("SELECT status FROM uptime_report") == "running"
    await start(dashboard)
    # Open on Monday from 9 to 12 in Chicago, down since the poll at 11:15; the report is of 12:15.
    header, row = await eventually(lambda: rows(report_id))
    assert row == "1,0.00,2.25,2.25,45.00,0.75,0.75"
    assert await dashboard_db.fetchval("SELECT attempts FROM uptime_report_progress") == 2
    await put("status", NEXT_POLL)
    assert await rows(report_id) == [header, row], "a complete report does not change"
    other = await trigger()
    _, after = await eventually(lambda: rows(other))
    assert after == "1,15.00,2.50,2.50,30.00,0.50,0.50"
