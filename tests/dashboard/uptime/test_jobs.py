"""Pulling the store files from a fake service and from a directory."""

import gzip
import lzma
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest
import structlog
from aioresponses import CallbackResult, aioresponses
from yarl import URL

import dashboard.app
import dashboard.config
from common.config import Secret, read_config
from common.db.pool import Connection
from common.jobs.lease import Job, JobResult, Lease, LeaseLostError
from common.jobs.scheduler import run_now
from common.upstream import UpstreamError
from common.web.errors import Invalid
from dashboard.uptime import corrections, jobs
from dashboard.uptime.intake.local_files import find_store_files
from dashboard.uptime.intake.parse import StoreFile
from dashboard.uptime.intake.sources import DirectorySource, source_at
from dashboard.uptime.jobs import PullOptions, pull_store_files
from dashboard.uptime.queries.imports import select_newest_poll
from tests.dashboard.uptime.conftest import HOURS, STATUS, ZONES
from tests.dashboard.uptime.fleet import utc

BASE = "http://stores.example/stores"
NOW = utc("2023-01-26 00:00")
OVERLAP = timedelta(hours=48)
POLL = "1,active,2023-01-23 16:14:00 UTC\n"


class FakeService:
    """A service of three files with ETags. faults: an exception or response instead of a file."""

    def __init__(self) -> None:
        self.files = {
            "timezones.csv": ZONES + "1,Europe/London\n",
            "business_hours.csv": HOURS + "1,0,09:00:00,12:00:00\n",
            "status.csv": STATUS + POLL,
        }
        self.faults: dict[str, CallbackResult | Exception] = {}
        self.requests: list[tuple[str, str | None, int]] = []

    def answer(self, url: URL, **request: Any) -> CallbackResult:
        name = url.name
        fault = self.faults.get(name)
        if isinstance(fault, Exception):
            raise fault
        if fault is not None:
            return fault
        etag = f'"{hash(self.files[name])}"'
        unchanged = (request.get("headers") or {}).get("If-None-Match") == etag
        params = request.get("params") or {}
        self.requests.append((name, params.get("since"), 304 if unchanged else 200))
        body = b"" if unchanged else self.files[name].encode()
        return CallbackResult(status=304 if unchanged else 200, body=body, headers={"ETag": etag})


@pytest.fixture
def service() -> Iterator[FakeService]:
    fake = FakeService()
    with aioresponses() as mocked:
        mocked.get(re.compile(rf"^{re.escape(BASE)}/.*$"), callback=fake.answer, repeat=True)
        yield fake


async def pull(db: asyncpg.Pool, location: str = BASE, now: datetime = NOW, *, read_all: bool = False) -> JobResult:
    """Run the job once; returns its result."""
    options = PullOptions(OVERLAP, read_all=read_all)
    async with aiohttp.ClientSession() as client:

        async def run(lease: Lease) -> JobResult:
            return await pull_store_files(db, lease, source_at(client, location), now, options)

        return await run_now(db, Job("pull_stores", 3600, run))


async def test_three_files_are_imported_once(dashboard_db: asyncpg.Pool, service: FakeService) -> None:
    assert await pull(dashboard_db) == {"files": 3, "unchanged": 0, "rows": 3, "new": 3, "rejected": 0, "not_read": 0}
    again = await pull(dashboard_db)
    assert again == {"files": 1, "unchanged": 2, "rows": 1, "new": 0, "rejected": 0, "not_read": 0}
    third = await pull(dashboard_db)
    assert third == {"files": 0, "unchanged": 3, "rows": 0, "new": 0, "rejected": 0, "not_read": 0}
    since = (utc("2023-01-23 16:14") - OVERLAP).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert [request for request in service.requests if request[0] == "status.csv"] == [
        ("status.csv", None, 200),
        ("status.csv", since, 200),
        ("status.csv", since, 304),
    ]
    sources = await dashboard_db.fetch("SELECT DISTINCT source FROM store_import ORDER BY source")
    assert sources[0]["source"] == f"{BASE}/business_hours.csv"


async def test_late_and_new_polls_are_imported(dashboard_db: asyncpg.Pool, service: FakeService) -> None:
    await pull(dashboard_db)
    service.files["status.csv"] += "2,active,2023-01-23 02:00:00 UTC\n1,inactive,2023-01-23 17:00:00 UTC\n"
    assert (await pull(dashboard_db))["new"] == 2


async def test_polls_that_were_deleted_are_not_pulled_again(dashboard_db: asyncpg.Pool, service: FakeService) -> None:
    await pull(dashboard_db)
    wrong = utc("2023-01-23 16:14")
    change = corrections.Change("1", "request from 127.0.0.1", NOW)
    assert await corrections.delete_polls(dashboard_db, change, wrong, wrong + timedelta(minutes=1)) == 1
    service.files["status.csv"] += "1,inactive,2023-01-23 17:00:00 UTC\n"

    assert (await pull(dashboard_db, read_all=True))["new"] == 1

    assert await dashboard_db.fetchval("SELECT array_agg(polled_at) FROM store_poll") == [utc("2023-01-23 17:00")]


async def test_polls_that_are_made_after_a_deletion_are_pulled(
    dashboard_db: asyncpg.Pool, service: FakeService
) -> None:
    """Whatever the end of the deleted span was: by the clock of a caller it may be a few minutes ahead."""
    await pull(dashboard_db)
    change = corrections.Change("1", "request from 127.0.0.1", NOW)
    with pytest.raises(Invalid):
        await corrections.delete_polls(dashboard_db, change, NOW - OVERLAP, NOW + timedelta(days=365))
    ahead = NOW + timedelta(minutes=9)
    assert await corrections.delete_polls(dashboard_db, change, NOW - 2 * OVERLAP, ahead) == 1
    service.files["status.csv"] += "1,active,2023-01-26 00:00:00 UTC\n1,active,2023-01-26 00:05:00 UTC\n"

    assert (await pull(dashboard_db, now=NOW + timedelta(hours=1), read_all=True))["new"] == 2


async def test_a_poll_dated_in_the_future_hides_no_poll_of_today(
    dashboard_db: asyncpg.Pool, service: FakeService
) -> None:
    service.files["status.csv"] += "1,active,2150-01-01 00:00:00 UTC\n"
    await pull(dashboard_db)
    await pull(dashboard_db)
    since = (utc("2023-01-23 16:14") - OVERLAP).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert service.requests[-1][:2] == ("status.csv", since)


@pytest.mark.parametrize(
    "fault",
    [
        CallbackResult(status=500),
        CallbackResult(status=404),
        CallbackResult(status=304),
        CallbackResult(status=200, body=b"<html>not a file</html>"),
        CallbackResult(status=200, body=b""),
        aiohttp.ClientPayloadError("Response payload is not completed"),
        aiohttp.ClientConnectionError("no route"),
        TimeoutError(),
    ],
    ids=["500", "404", "304", "a page", "empty", "cut off", "no route", "too slow"],
)
async def test_a_file_that_fails_is_reported_and_the_others_are_imported(
    dashboard_db: asyncpg.Pool, service: FakeService, fault: CallbackResult | Exception
) -> None:
    service.faults["business_hours.csv"] = fault
    with pytest.raises(UpstreamError, match=r"business_hours\.csv"):
        await pull(dashboard_db)
    assert await dashboard_db.fetchval("SELECT count(*) FROM store_poll") == 1
    assert await dashboard_db.fetchval("SELECT count(*) FROM store_hours") == 0
    assert await dashboard_db.fetchval("SELECT last_outcome FROM job WHERE name = 'pull_stores'") == "failed"
    service.faults.clear()
    await pull(dashboard_db)
    assert await dashboard_db.fetchval("SELECT count(*) FROM store_hours") == 1


async def test_a_source_without_polls_is_asked_again_soon(dashboard_db: asyncpg.Pool, service: FakeService) -> None:
    service.files["status.csv"] = STATUS
    with pytest.raises(UpstreamError, match="no polls yet"):
        await pull(dashboard_db)


async def test_the_first_pull_waits_for_a_source_that_is_filling_up(
    dashboard_db: asyncpg.Pool, service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a source does that was started at the same time. Once there are polls, a pull fails at once."""
    monkeypatch.setattr(jobs, "PAUSE_SECONDS", 0)
    whole, service.files["status.csv"] = service.files["status.csv"], STATUS
    service.faults["timezones.csv"] = aiohttp.ClientConnectionError("not started yet")
    pauses: list[float] = []

    async def run(lease: Lease) -> JobResult:
        async with aiohttp.ClientSession() as client:
            return await pull_store_files(
                dashboard_db, lease, source_at(client, BASE), NOW, PullOptions(OVERLAP, patience=60)
            )

    async def start_meanwhile(_: Connection, now: datetime) -> datetime | None:
        pauses.append(0)
        if len(pauses) == 3:
            service.faults.clear()
        if len(pauses) == 5:
            service.files["status.csv"] = whole
        return await select_newest_poll(dashboard_db, now)

    monkeypatch.setattr(jobs, "select_newest_poll", start_meanwhile)
    job = Job("pull_stores", 3600, run)
    assert (await run_now(dashboard_db, job))["new"] == 1
    service.faults["business_hours.csv"] = CallbackResult(status=404)
    asked = len(service.requests)
    with pytest.raises(UpstreamError):
        await run_now(dashboard_db, job)
    assert len(service.requests) == asked + 2


async def test_an_owner_whose_lease_was_lost_imports_nothing(dashboard_db: asyncpg.Pool, service: FakeService) -> None:
    async with aiohttp.ClientSession() as client:
        lease, source = Lease("pull_stores", "nobody", 7), source_at(client, BASE)
        with pytest.raises(LeaseLostError):
            await pull_store_files(dashboard_db, lease, source, NOW, PullOptions(OVERLAP))
    assert await dashboard_db.fetchval("SELECT count(*) FROM store_import") == 0
    assert await dashboard_db.fetchval("SELECT count(*) FROM store_file_pull") == 0


async def test_only_changed_files_of_a_directory_are_read_compressed_or_not(
    dashboard_db: asyncpg.Pool, tmp_path: Path
) -> None:
    (tmp_path / "store_status_full.csv.xz").write_bytes(lzma.compress((STATUS + POLL).encode()))
    (tmp_path / "business_hours.csv.gz").write_bytes(gzip.compress((HOURS + "1,0,09:00:00,12:00:00\n").encode()))
    (tmp_path / "timezones.csv").write_text(ZONES + "1,Europe/London\n1,Nowhere\n")
    (tmp_path / "notes.txt").write_text("not a store file")
    first = await pull(dashboard_db, str(tmp_path))
    assert first == {"files": 3, "unchanged": 0, "rows": 4, "new": 3, "rejected": 1, "not_read": 0}
    (tmp_path / "status_2023-01-24.csv").write_text(STATUS + "1,active,2023-01-24 16:14:00 UTC\n")
    second = await pull(dashboard_db, str(tmp_path))
    assert second == {"files": 1, "unchanged": 3, "rows": 1, "new": 1, "rejected": 0, "not_read": 0}


async def test_the_first_of_the_rejected_rows_is_logged(dashboard_db: asyncpg.Pool, tmp_path: Path) -> None:
    (tmp_path / "timezones.csv").write_text(ZONES + "1,Europe/London\n1,Nowhere\n2,Elsewhere\n3,Somewhere\n")
    (tmp_path / "store_status.csv").write_text(STATUS + POLL)

    with structlog.testing.capture_logs() as logs:
        await pull(dashboard_db, str(tmp_path))

    (rejected,) = (entry for entry in logs if entry["event"] == "store_rows_rejected")
    assert (rejected["line"], rejected["total"]) == (3, 3)
    assert "Nowhere" in rejected["reason"]


async def test_a_directory_that_cannot_be_read_is_an_error(dashboard_db: asyncpg.Pool, tmp_path: Path) -> None:
    with pytest.raises(UpstreamError, match="No such file"):
        await pull(dashboard_db, str(tmp_path / "nowhere"))
    with pytest.raises(UpstreamError, match="no store files"):
        await pull(dashboard_db, str(tmp_path))
    (tmp_path / "status.csv.gz").write_bytes(gzip.compress((STATUS + POLL).encode())[:-9])
    with pytest.raises(UpstreamError, match="ends in the middle"):
        await pull(dashboard_db, str(tmp_path))


def test_a_path_is_a_directory() -> None:
    assert isinstance(source_at(None, "/data/stores"), DirectorySource)  # type: ignore[arg-type]  # a directory needs no client


async def test_the_pull_runs_at_start_up_even_if_it_is_not_due(
    dashboard_db: asyncpg.Pool, environment: dict[str, str], tmp_path: Path, dashboard_url: Secret
) -> None:
    (tmp_path / "status.csv").write_text(STATUS + POLL)
    environment = environment | {"DASHBOARD_STORES_URL": str(tmp_path), "DASHBOARD_STORES_SECONDS": "3600"}
    due = datetime.now(UTC) + timedelta(hours=1)
    await dashboard_db.execute("INSERT INTO job (name, interval_seconds, owner, epoch, due_at)"
                               " VALUES ('pull_stores', 3600, 'before', 1, $1)", due)  # fmt: skip
    app = dashboard.app.create_app(read_config(dashboard.config.Config, environment), dashboard_url)
    async with app.test_app():
        while not await dashboard_db.fetchval("SELECT count(*) FROM store_poll"):
            assert (await app.test_client().get("/livez")).status_code == 200


async def test_a_poll_that_comes_later_than_the_overlap_is_found_by_a_pull_of_everything(
    dashboard_db: asyncpg.Pool, service: FakeService
) -> None:
    await pull(dashboard_db)
    await pull(dashboard_db)
    assert (await pull(dashboard_db, read_all=True))["unchanged"] == 0
    assert service.requests[-1] == ("status.csv", None, 200)


@pytest.mark.parametrize("secret", ["operator:pa55word@", ""])
async def test_credentials_in_the_address_of_the_source_are_used_and_shown_nowhere(
    dashboard_db: asyncpg.Pool, secret: str
) -> None:
    service = FakeService()
    address = f"http://{secret}stores.example/stores?sig=Zm9v&x=1"
    called: list[Any] = []

    def answer(url: URL, **request: Any) -> CallbackResult:
        called.append((url, request.get("params")))
        if url.name == "timezones.csv":
            raise aiohttp.ClientConnectionError(f"no route to {url}?sig=Zm9v&x=1")
        return service.answer(url, **request)

    with aioresponses() as mocked:
        mocked.get(re.compile(r"^http://.*stores\.example/stores/.*$"), callback=answer, repeat=True)
        with pytest.raises(UpstreamError) as failed:
            await pull(dashboard_db, address)
    assert {params["sig"] for _, params in called} == {"Zm9v"}
    assert all((url.user, url.password) == (("operator", "pa55word") if secret else (None, None)) for url, _ in called)
    shown = [str(failed.value)]
    shown += [row["source"] for row in await dashboard_db.fetch("SELECT source FROM store_import")]
    shown += [row["url"] for row in await dashboard_db.fetch("SELECT url FROM store_file_pull")]
    shown.append(await dashboard_db.fetchval("SELECT last_error FROM job WHERE name = 'pull_stores'"))
    assert len(shown) == 6
    assert not any(word in text for text in shown for word in ("pa55word", "Zm9v", "operator"))


async def test_files_are_told_by_their_headers_and_each_other_table_is_named(
    dashboard_db: asyncpg.Pool, tmp_path: Path
) -> None:
    """With the names that the source gives its files."""
    (tmp_path / "store status.csv").write_text(STATUS + POLL)
    (tmp_path / "Menu hours.csv").write_text("store_id,day,start_time_local,end_time_local\n1,0,09:00:00,12:00:00\n")
    (tmp_path / "bq-results-20230125-202210-1674678181880.csv").write_text(ZONES + "1,Europe/London\n")
    (tmp_path / "menu.csv").write_text("dish;price\n")
    (tmp_path / "broken.csv.gz").write_bytes(b"no gzip")
    (tmp_path / ".status.csv").write_text(STATUS)
    (tmp_path / "status.pdf").write_text(STATUS)
    result = await pull(dashboard_db, str(tmp_path))
    assert (result["files"], result["new"], result["not_read"]) == (3, 3, 2)
    found = find_store_files(tmp_path)
    assert [kind for kind, _ in found.files] == [StoreFile.TIMEZONES, StoreFile.BUSINESS_HOURS, StoreFile.STATUS]
    assert found.unread["menu.csv"].endswith("it is 'dish;price'")
    assert list(found.unread) == ["broken.csv.gz", "menu.csv"]
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "x.csv").write_text("dish\n")
    with pytest.raises(UpstreamError, match=r"no store files; x\.csv: .* it is 'dish'"):
        await pull(dashboard_db, str(tmp_path / "others"))


async def test_a_file_that_cannot_be_parsed_does_not_stop_the_others(
    dashboard_db: asyncpg.Pool, service: FakeService
) -> None:
    for text in ('"store_id"|"timezone_str"\n1,x\n', '"store_id,timezone_str\n', ZONES + "1,Nowhere\n"):
        service.files["timezones.csv"] = text
        with pytest.raises(UpstreamError, match=r"timezones\.csv: The file was refused"):
            await pull(dashboard_db)
    assert await dashboard_db.fetchval("SELECT count(*) FROM store_poll") == 1
