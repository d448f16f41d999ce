"""How many uploads and new reports an address may ask for in an hour."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from common.web.rate_limit import Policy
from dashboard.uptime.report_runner import ReportRunner
from dashboard.uptime.routes import imports, reports
from tests.dashboard.uptime.conftest import HOURS, MONDAY, STATUS, ZONES, Stores
from tests.support.callers import sent_from

HOUR = timedelta(hours=1)


def test_uploads_and_new_reports_are_limited_to_60_an_hour() -> None:
    assert (imports.UPLOADS.limit, imports.UPLOADS.per) == (60, HOUR)
    assert (reports.NEW_REPORTS.limit, reports.NEW_REPORTS.per) == (60, HOUR)


async def upload(stores: Stores, kind: str, text: str, address: str = "192.0.2.1") -> Any:
    headers = {"Content-Type": "text/csv"}
    return await stores.client.put(f"/stores/{kind}", data=text, headers=headers, scope_base=sent_from(address))


async def use_up(stores: Stores, policy: Policy, left: int) -> None:
    """Leave so many tokens in the only bucket of a policy."""
    pool = stores.app.resources.pools.requests
    await pool.execute(
        "UPDATE rate_limit SET full_at = clock_timestamp() + $2::interval WHERE policy = $1",
        policy.name,
        policy.per - policy.refill * left,
    )


async def test_uploads_of_all_kinds_count_together_for_each_address(stores: Stores) -> None:
    files = {"status": MONDAY, "business-hours": HOURS + "1,0,09:00:00,12:00:00\n", "timezones": ZONES + "1,UTC\n"}
    assert (await upload(stores, "status", MONDAY)).status_code == 200
    await use_up(stores, imports.UPLOADS, 3)

    answers = [await upload(stores, kind, text) for kind, text in files.items()]
    refused = await upload(stores, "status", MONDAY)

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert (await upload(stores, "status", MONDAY, address="192.0.2.2")).status_code == 200


async def test_a_refused_upload_stores_nothing(stores: Stores) -> None:
    await upload(stores, "status", MONDAY)
    await use_up(stores, imports.UPLOADS, 0)

    refused = await upload(stores, "status", STATUS + "9,active,2023-01-23 16:14:00 UTC\n")

    assert refused.status_code == 429
    assert len(await stores.get("/stores/imports")) == 1


async def trigger(stores: Stores, as_of: datetime | None, method: str = "POST", address: str = "192.0.2.1") -> Any:
    query = {} if as_of is None else {"as_of": as_of.isoformat()}
    call = {"GET": stores.client.get, "POST": stores.client.post}[method]
    return await call("/trigger_report", query_string=query, scope_base=sent_from(address))


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_new_report_counts_and_is_not_stored_beyond_the_limit(stores: Stores, method: str) -> None:
    await stores.load_monday()
    as_of = datetime(2023, 1, 23, 17, tzinfo=UTC)
    assert (await trigger(stores, as_of, method)).status_code == 202
    await use_up(stores, reports.NEW_REPORTS, 1)

    admitted = await trigger(stores, as_of + HOUR, method)
    refused = await trigger(stores, as_of + 2 * HOUR, method)

    assert (admitted.status_code, refused.status_code) == (202, 429)
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert len(await stores.get("/reports")) == 2
    assert (await trigger(stores, as_of + 2 * HOUR, method, address="192.0.2.2")).status_code == 202


async def test_requests_that_share_a_running_report_do_not_count(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def make_nothing(_: ReportRunner) -> int:
        return 0

    monkeypatch.setattr(reports, "start_making", lambda _: None)
    monkeypatch.setattr(ReportRunner, "make_waiting", make_nothing)  # the job that resumes reports
    await stores.load_monday()

    answers = await asyncio.gather(*(trigger(stores, None) for _ in range(100)))

    assert {answer.status_code for answer in answers} == {202}
    assert len({(await answer.get_json())["report_id"] for answer in answers}) == 1
    first = next(answer for answer in answers if "RateLimit" in answer.headers)
    assert first.headers["RateLimit"].startswith('"new-reports";r=59;')
    assert sum("RateLimit" in answer.headers for answer in answers) == 1
