"""The three CSV files over HTTP."""

import csv
import io
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from common.web.resources import Application
from provider.store_polls import jobs

NOW = datetime(2023, 3, 5, 10, 17, tzinfo=UTC)
HEADERS = {
    "status.csv": ["store_id", "status", "timestamp_utc"],
    "business_hours.csv": ["store_id", "dayOfWeek", "start_time_local", "end_time_local"],
    "timezones.csv": ["store_id", "timezone_str"],
}


async def polled(db: asyncpg.Pool, now: datetime = NOW) -> int:
    return await jobs.poll_fleet(db, None, now, stores=10)


@pytest.mark.parametrize("name", HEADERS)
async def test_a_file_is_csv_with_a_header_before_and_after_the_first_polls(
    provider_app: Application, provider_db: asyncpg.Pool, name: str
) -> None:
    client = provider_app.test_client()
    empty = await client.get(f"/stores/{name}")
    assert empty.status_code == 200
    assert (await empty.get_data(as_text=True)).splitlines() == [",".join(HEADERS[name])]
    await polled(provider_db)
    response = await client.get(f"/stores/{name}", headers={"If-None-Match": empty.headers["ETag"]})
    assert response.status_code == 200
    assert response.content_type == "text/csv; charset=utf-8"
    header, *rows = csv.reader(io.StringIO(await response.get_data(as_text=True)))
    assert header == HEADERS[name]
    assert rows
    head = await client.head(f"/stores/{name}")
    assert (head.status_code, head.headers["ETag"]) == (200, response.headers["ETag"])


@pytest.mark.parametrize("name", HEADERS)
async def test_an_unchanged_file_is_not_sent_again(
    provider_app: Application, provider_db: asyncpg.Pool, name: str
) -> None:
    await polled(provider_db)
    client = provider_app.test_client()
    etag = (await client.get(f"/stores/{name}")).headers["ETag"]
    for if_none_match in (etag, f'"other", W/{etag}', "*"):
        again = await client.get(f"/stores/{name}", headers={"If-None-Match": if_none_match})
        assert again.status_code == 304
        assert await again.get_data() == b""
        assert again.headers["ETag"] == etag


async def test_new_polls_change_the_file(provider_app: Application, provider_db: asyncpg.Pool) -> None:
    await polled(provider_db)
    client = provider_app.test_client()
    first = await client.get("/stores/status.csv")
    whole = list(csv.DictReader(io.StringIO(await first.get_data(as_text=True))))
    await polled(provider_db, NOW.replace(hour=12))
    second = await client.get("/stores/status.csv", headers={"If-None-Match": first.headers["ETag"]})
    assert second.status_code == 200
    grown = list(csv.DictReader(io.StringIO(await second.get_data(as_text=True))))
    assert grown[: len(whole)] == whole
    since = whole[-1]["timestamp_utc"].replace(" UTC", "Z").replace(" ", "T")
    response = await client.get(f"/stores/status.csv?since={since}")
    late = list(csv.DictReader(io.StringIO(await response.get_data(as_text=True))))
    assert late == grown[len(whole) - 1 :]


async def test_polls_that_a_clock_ahead_of_time_made_are_not_sent_before_their_time(
    provider_app: Application, provider_db: asyncpg.Pool
) -> None:
    await polled(provider_db, datetime.now(UTC) + timedelta(days=2))
    client = provider_app.test_client()
    text = await (await client.get("/stores/status.csv")).get_data(as_text=True)
    instants = [line["timestamp_utc"].replace(" UTC", "Z") for line in csv.DictReader(io.StringIO(text))]
    assert instants
    assert max(map(datetime.fromisoformat, instants)) <= datetime.now(UTC)
    assert await provider_db.fetchval("SELECT max(polled_at) FROM store_poll") > datetime.now(UTC)


@pytest.mark.parametrize("query", ["since=yesterday", "since=2026-01-01", "until=2026-01-01T00:00:00Z"])
async def test_an_invalid_query_is_refused(provider_app: Application, query: str) -> None:
    client = provider_app.test_client()
    assert (await client.get(f"/stores/status.csv?{query}")).status_code == 400
    assert (await client.get("/stores/timezones.csv?since=2026-01-01T00:00:00Z")).status_code == 400
    assert (await client.post("/stores/status.csv")).status_code == 405
