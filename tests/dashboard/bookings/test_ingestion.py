"""The ingestion counts every event exactly once, from a feed that works and from one that fails."""

import json
import random
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import asyncpg
import pytest
from aioresponses import aioresponses

from common.jobs.lease import Lease, LeaseLostError
from common.upstream import UpstreamError
from dashboard import feed_client
from dashboard.bookings import feed_reader
from dashboard.bookings.ingestion import RememberedIds
from dashboard.bookings.queries import feed_progress
from tests.dashboard.bookings.conftest import FEED_URL, LOOKBACK, AssertCountersAgree, IngestionOf, RunOnce
from tests.support.feeds import Event, event

OUR_HEADERS = {"X-Feed": "complete, cursor, ndjson, recorded", "Date": "Wed, 01 Jan 2020 12:00:00 GMT"}
NDJSON = "application/x-ndjson"


def lines(*events: Event) -> str:
    return "".join(f"{json.dumps(each)}\n" for each in events)


@pytest.fixture
def upstream() -> Iterator[aioresponses]:
    with aioresponses() as mocked:
        yield mocked


def respond(upstream: aioresponses, *bodies: str, content_type: str = NDJSON, **options: Any) -> None:
    """Answer the next requests with these bodies, regardless of their parameters."""
    for body in bodies:
        upstream.get(
            re.compile(rf"{FEED_URL}/events.*"),
            body=body,
            headers={**OUR_HEADERS, **options},
            content_type=content_type,
        )


def request_parameters(upstream: aioresponses) -> list[dict[str, str]]:
    """The parameters of the requests so far."""
    return [
        dict(call.kwargs["params"]) for (method, _), calls in upstream.requests.items() if method == "GET"
        for call in calls
    ]  # fmt: skip


async def test_events_are_counted_once_and_requested_by_event_time(
    upstream: aioresponses,
    ingestion_of: IngestionOf,
    ingest: RunOnce,
    counters_agree: AssertCountersAgree,
    dashboard_db: asyncpg.Pool,
) -> None:
    first = event(1001, "2019-12-31T10:00:00.000000Z")
    second = event(1002, "2019-12-31T11:00:00.000000Z", status=2)
    # before 2000, then everything; in the next run from the watermark on, then by recorded time
    respond(upstream, "", lines(first, second), lines(second), lines(first, second))
    reader = ingestion_of(FEED_URL)

    result = await ingest(reader)
    again = await ingest(reader)

    assert result == {"read": 2, "new": 2, "rejected": 0}
    assert again == {"read": 1, "new": 0, "rejected": 0, "read_again": 2, "late": 0}
    assert request_parameters(upstream) == [
        {"updated__lte": "2000-01-01T00:00:00.000000Z"},
        {"updated__gte": "2000-01-01T00:00:00.000000Z"},
        {"updated__gte": "2019-12-31T10:55:00.000000Z"},
        {"recorded__gte": "2020-01-01T11:55:00.000000Z"},
    ]
    await counters_agree(2)
    assert await dashboard_db.fetchval("SELECT data_through FROM feed_progress") == datetime(2020, 1, 1, 12, tzinfo=UTC)


async def test_a_late_event_is_found_by_the_clock_of_the_provider(
    upstream: aioresponses, ingestion_of: IngestionOf, ingest: RunOnce, counters_agree: AssertCountersAgree
) -> None:
    now = event(2001, "2019-12-31T10:00:00.000000Z")
    dated_back = event(2002, "2012-01-01T00:00:00.000000Z")
    respond(upstream, "", lines(now), lines(now), lines(dated_back, now))
    reader = ingestion_of(FEED_URL)

    await ingest(reader)
    result = await ingest(reader)

    assert (result["new"], result["late"]) == (0, 1)
    await counters_agree(2)
    assert {"recorded__gte": "2020-01-01T11:55:00.000000Z"} in request_parameters(upstream)


async def test_a_future_event_never_moves_the_watermark_past_now(
    upstream: aioresponses, ingestion_of: IngestionOf, ingest: RunOnce, dashboard_db: asyncpg.Pool
) -> None:
    tomorrow = datetime.now(UTC) + timedelta(hours=20)
    respond(upstream, "", lines(event(3001, tomorrow.isoformat())), "")

    await ingest(ingestion_of(FEED_URL))

    assert await dashboard_db.fetchval("SELECT watermark <= now() FROM feed_progress")
    assert await dashboard_db.fetchval("SELECT count(*) FROM ledger_event") == 1


async def test_a_provider_whose_clock_was_ahead_is_still_read_after_the_clock_is_corrected(
    upstream: aioresponses, ingestion_of: IngestionOf, ingest: RunOnce, dashboard_db: asyncpg.Pool
) -> None:
    respond(upstream, "", lines(event(1)), Date="Wed, 01 Jan 2998 12:00:00 GMT")
    respond(upstream, *[lines(event(1))] * 4)
    reader = ingestion_of(FEED_URL)

    await ingest(reader)
    assert await dashboard_db.fetchval("SELECT data_through <= now() FROM feed_progress")
    await ingest(reader)
    await ingest(reader)

    assert request_parameters(upstream)[-1] == {"recorded__gte": "2020-01-01T11:55:00.000000Z"}


@pytest.mark.parametrize("date", ["Fri, 31 Dec 9999 23:59:59 -1200", "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"])
async def test_with_an_invalid_date_header_our_own_clock_is_used(
    upstream: aioresponses, ingestion_of: IngestionOf, ingest: RunOnce, counters_agree: AssertCountersAgree, date: str
) -> None:
    respond(upstream, "", lines(event(1)), Date=date)
    await ingest(ingestion_of(FEED_URL))
    await counters_agree(1)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 404, 301])
async def test_an_error_of_the_feed_stores_nothing_and_the_next_run_continues(
    upstream: aioresponses, ingestion_of: IngestionOf, ingest: RunOnce, counters_agree: AssertCountersAgree, status: int
) -> None:
    upstream.get(re.compile(rf"{FEED_URL}/events.*"), status=status, body="<html>")
    reader = ingestion_of(FEED_URL)

    with pytest.raises(UpstreamError, match=str(status)):
        await ingest(reader)
    await counters_agree(0)

    respond(upstream, "", lines(event(4001)), "")
    assert (await ingest(reader))["new"] == 1
    await counters_agree(1)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (NDJSON, lines(event(1)) + '{"id": 2, "hotel_'),
        ("application/json", json.dumps([event(1), event(2)])[:-20]),
        ("application/json", json.dumps([event(1)])[:-1]),
        ("application/json", "<html>no</html>"),
        ("application/json", '{"detail": "not here"}'),
        ("application/json", "null"),
        ("application/json", ""),
        ("application/json", "[{},"),
        ("application/json", json.dumps([event(1)]) + "<html>"),
    ],
)
async def test_a_response_that_is_truncated_or_not_json_is_a_failure_and_moves_no_watermark(
    upstream: aioresponses,
    ingestion_of: IngestionOf,
    ingest: RunOnce,
    dashboard_db: asyncpg.Pool,
    content_type: str,
    body: str,
) -> None:
    respond(upstream, body, content_type=content_type)

    with pytest.raises(UpstreamError):
        await ingest(ingestion_of(FEED_URL))

    assert await dashboard_db.fetchval("SELECT data_through IS NULL OR data_through < '2020-01-02' FROM feed_progress")
    assert await dashboard_db.fetchval("SELECT count(*) FROM ledger_event") <= 1


async def test_events_that_break_the_schema_are_quarantined_and_the_others_counted(
    upstream: aioresponses,
    ingestion_of: IngestionOf,
    ingest: RunOnce,
    counters_agree: AssertCountersAgree,
    dashboard_db: asyncpg.Pool,
) -> None:
    bad = [
        {**event(5001), "status": 3},
        {**event(5002), "hotel_id": 0},
        {**event(5003), "night_of_stay": "2020-02-30"},
        {**event(5004), "event_timestamp": "2020-01-01T00:00:00"},
        {**event(5005), "room_id": None},
        {key: value for key, value in event(5006).items() if key != "night_of_stay"},
        {**event(5007), "id": 2**63},
        {**event(5008), "status": True},
        {**event(5009), "event_timestamp": "0001-01-01T00:00:00+14:00"},
        {**event(5010), "room_id": "a\u0000b"},
    ]
    deep = f'{json.dumps(event(5011))[:-1]}, "more": {"[" * 2000}{"]" * 2000}}}\n'
    body = lines(event(1), *bad) + "[1, 2]\nnull\n7\n" + '{"id": \n' + deep + lines(event(2))
    respond(upstream, "", body, body, body)
    reader = ingestion_of(FEED_URL)

    result = await ingest(reader)
    await ingest(reader)

    assert result["new"] == 2
    assert result["rejected"] == len(bad) + 5
    await counters_agree(2)
    reasons = await dashboard_db.fetch("SELECT reason, raw, times FROM quarantined_event")
    assert len(reasons) == len(bad) + 5
    assert {row["times"] for row in reasons} == {3}
    assert any("night_of_stay" in row["reason"] for row in reasons)


async def test_invalid_values_in_a_json_array_are_quarantined(
    upstream: aioresponses, ingestion_of: IngestionOf, ingest: RunOnce, counters_agree: AssertCountersAgree
) -> None:
    bad = [{**event(2), "status": "1"}, 7, None, [event(3)], event(2**63), {**event(5), "hotel_id": 10**4000}]
    bad += [{**event(6), "room_id": "\ud800"}, {**event(7), "night_of_stay": float("nan")}]
    body = json.dumps([event(1), *bad, {**event(4), "more": {"a": [1]}}, event(8, room_id=10**30)])
    respond(upstream, "[]", body, "[]", content_type="application/json")

    result = await ingest(ingestion_of(FEED_URL))

    assert (result["new"], result["rejected"]) == (3, len(bad))
    await counters_agree(3)


async def test_an_invalid_byte_spoils_only_its_own_event(
    upstream: aioresponses, ingestion_of: IngestionOf, ingest: RunOnce, counters_agree: AssertCountersAgree
) -> None:
    body = json.dumps([event(1), event(2, room_id="?"), event(3)]).encode().replace(b"?", b"\xff")
    for response in (b"[]", body, b"[]"):
        upstream.get(
            re.compile(rf"{FEED_URL}/events.*"), body=response, headers=OUR_HEADERS, content_type="application/json"
        )

    assert (await ingest(ingestion_of(FEED_URL)))["rejected"] == 1
    await counters_agree(2)


@pytest.mark.parametrize("body", ["[" * 300_000, f'["{"x" * 2_000_000}"]'])
async def test_a_response_that_would_fill_the_memory_is_a_failure(
    upstream: aioresponses, ingestion_of: IngestionOf, ingest: RunOnce, counters_agree: AssertCountersAgree, body: str
) -> None:
    respond(upstream, body, content_type="application/json")
    with pytest.raises(UpstreamError, match="not a JSON array"):
        await ingest(ingestion_of(FEED_URL))
    await counters_agree(0)


async def test_the_same_event_many_times_and_out_of_order_counts_once(
    upstream: aioresponses, ingestion_of: IngestionOf, ingest: RunOnce, counters_agree: AssertCountersAgree
) -> None:
    events = [event(number, f"2019-01-01T00:00:{number:02}Z") for number in range(1, 60)]
    shuffled = random.Random(7).sample(events * 3, k=len(events) * 3)
    respond(upstream, "", lines(*shuffled), lines(*shuffled), lines(*events))
    reader = ingestion_of(FEED_URL)

    first, second = await ingest(reader), await ingest(reader)

    assert (first["new"], second["new"] + second["late"]) == (59, 0)
    await counters_agree(59)


async def test_after_a_lost_connection_complete_pages_are_kept_and_the_next_run_resumes(
    upstream: aioresponses,
    ingestion_of: IngestionOf,
    ingest: RunOnce,
    counters_agree: AssertCountersAgree,
    dashboard_db: asyncpg.Pool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feed_reader, "EVENTS_PER_PAGE", 10)
    events = [event(number, f"2019-01-01T00:{number // 60:02}:{number % 60:02}Z") for number in range(1, 100)]
    whole = lines(*events)
    respond(upstream, "", whole[: len(whole) // 2])
    reader = ingestion_of(FEED_URL)

    with pytest.raises(UpstreamError, match="truncated"):
        await ingest(reader)
    kept = await dashboard_db.fetchval("SELECT count(*) FROM ledger_event")
    await counters_agree(kept)

    respond(upstream, whole, "", whole)
    await ingest(ingestion_of(FEED_URL))  # another process, without remembered ids
    await counters_agree(99)


async def test_an_owner_that_lost_its_lease_writes_nothing(
    upstream: aioresponses, ingestion_of: IngestionOf, dashboard_db: asyncpg.Pool, counters_agree: AssertCountersAgree
) -> None:
    respond(upstream, "", lines(event(1)), lines(event(1)))

    with pytest.raises(LeaseLostError):
        await ingestion_of(FEED_URL).run(Lease("ingest_booking_events", "stalled", 41), datetime.now(UTC))

    await counters_agree(0)


async def test_a_silent_feed_is_a_failure(
    upstream: aioresponses, ingestion_of: IngestionOf, ingest: RunOnce, counters_agree: AssertCountersAgree
) -> None:
    upstream.get(re.compile(rf"{FEED_URL}/events.*"), exception=aiohttp.SocketTimeoutError())
    with pytest.raises(UpstreamError):
        await ingest(ingestion_of(FEED_URL))
    await counters_agree(0)


async def test_a_room_id_is_stored_unchanged(
    upstream: aioresponses,
    ingestion_of: IngestionOf,
    ingest: RunOnce,
    counters_agree: AssertCountersAgree,
    dashboard_db: asyncpg.Pool,
) -> None:
    rooms = ["a\tb", "a\nb", "a\rb", "a\\tb", "\\N", "\\.", "\\", " 7 ", '"', "Zimmer Ähre \U0001f6cf", 7]
    body = lines(*({**event(6000 + number), "room_id": room} for number, room in enumerate(rooms)))
    respond(upstream, "", body, "")

    await ingest(ingestion_of(FEED_URL))

    await counters_agree(len(rooms))
    stored = await dashboard_db.fetch("SELECT room_id FROM ledger_event ORDER BY id")
    assert [row["room_id"] for row in stored] == [str(room) for room in rooms]


async def test_of_several_events_with_one_id_the_first_counts(
    upstream: aioresponses,
    ingestion_of: IngestionOf,
    ingest: RunOnce,
    counters_agree: AssertCountersAgree,
    dashboard_db: asyncpg.Pool,
) -> None:
    first, second = event(7001, hotel_id=1), event(7001, hotel_id=2)
    respond(upstream, "", lines(first, second), "")

    await ingest(ingestion_of(FEED_URL))

    await counters_agree(1)
    assert await dashboard_db.fetchval("SELECT hotel_id FROM ledger_event") == 1


def test_counted_ids_are_remembered_for_one_look_back_and_forgotten_after_two() -> None:
    remembered, start = RememberedIds(LOOKBACK), datetime(2020, 1, 1, tzinfo=UTC)

    for number in range(4):
        remembered.add([number], start + number * LOOKBACK)
    assert 2 in remembered
    assert 3 in remembered

    remembered.add([4], start + 6 * LOOKBACK)
    remembered.add([5], start + 8 * LOOKBACK)
    assert [number for number in range(6) if number in remembered] == [4, 5]


def test_few_counted_ids_are_remembered_however_many_are_read() -> None:
    remembered, now = RememberedIds(LOOKBACK), datetime(2020, 1, 1, tzinfo=UTC)

    for first in range(0, 1_000_000, 5_000):
        remembered.add(range(first, first + 5_000), now)
    remembered.add(range(1_000_000, 2_000_000), now)

    assert sum(number in remembered for number in range(2_000_000)) <= 25_000
    assert 999_999 in remembered


async def test_a_later_batch_that_goes_back_in_time_holds_the_watermark(
    upstream: aioresponses,
    ingestion_of: IngestionOf,
    ingest: RunOnce,
    dashboard_db: asyncpg.Pool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The response is cut off, so events between the two batches may be missing."""
    newer, older = lines(event(1, "2019-06-02T00:00:00.000000Z")), lines(event(2, "2019-06-01T00:00:00.000000Z"))
    monkeypatch.setattr(feed_client, "READ_BYTES", len(newer))
    monkeypatch.setattr(feed_reader, "EVENTS_PER_PAGE", 2)
    respond(upstream, "", newer + older + '{"id": 3')

    with pytest.raises(UpstreamError, match="truncated"):
        await ingest(ingestion_of(FEED_URL))

    assert await dashboard_db.fetchval("SELECT watermark FROM feed_progress") < datetime(2019, 1, 1, tzinfo=UTC)


async def test_an_owner_that_lost_its_lease_moves_no_progress(
    upstream: aioresponses, ingestion_of: IngestionOf, ingest: RunOnce, dashboard_db: asyncpg.Pool
) -> None:
    """Neither a reading without events nor a failed one."""
    respond(upstream, "", lines(event(1)), lines(event(1)))
    reader = ingestion_of(FEED_URL)
    await ingest(reader)
    before = await dashboard_db.fetch("SELECT * FROM feed_progress")
    stalled = Lease("ingest_booking_events", "stalled", 41)

    respond(upstream, "", "", "", "")
    with pytest.raises(LeaseLostError):
        await reader.run(stalled, datetime.now(UTC))
    upstream.clear()
    upstream.get(re.compile(rf"{FEED_URL}/events.*"), status=500, repeat=True)
    with pytest.raises(LeaseLostError):
        await reader.run(stalled, datetime.now(UTC))

    assert await dashboard_db.fetch("SELECT * FROM feed_progress") == before


async def test_an_instant_in_any_form_that_names_its_zone_is_counted(
    upstream: aioresponses,
    ingestion_of: IngestionOf,
    ingest: RunOnce,
    counters_agree: AssertCountersAgree,
    dashboard_db: asyncpg.Pool,
) -> None:
    forms = [
        "2019-10-01 10:00:00+00",
        "2019-10-01T12:00:00+0200",
        "2019-10-01 10:00:00 UTC",
        "2019-10-01T10:00:00.000000Z",
        "2019-10-01T10:00:00.000000000Z",
        "2019-10-01 05:00-05",
    ]
    respond(upstream, "", lines(*(event(number, at) for number, at in enumerate(forms, start=1))), "")

    result = await ingest(ingestion_of(FEED_URL))

    assert (result["new"], result["rejected"]) == (len(forms), 0)
    await counters_agree(len(forms))
    found = await dashboard_db.fetch("SELECT DISTINCT event_timestamp FROM ledger_event")
    assert [row["event_timestamp"] for row in found] == [datetime(2019, 10, 1, 10, tzinfo=UTC)]


@pytest.mark.parametrize(
    "at", ["2019-10-01 10:00:00", "2019-10-01T10:00", "2019-10-01", "2019-10-01-05", "yesterday 10:00:00Z", ""]
)
async def test_an_instant_without_a_zone_is_quarantined(
    upstream: aioresponses, ingestion_of: IngestionOf, ingest: RunOnce, at: str
) -> None:
    respond(upstream, "", lines(event(1, at)), "")

    assert (await ingest(ingestion_of(FEED_URL)))["rejected"] == 1


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("night_of_stay", "1899-12-31", "night_of_stay is not from 1900-01-01 to 2199-12-31"),
        ("night_of_stay", "2200-01-01", "night_of_stay is not from 1900-01-01 to 2199-12-31"),
        ("night_of_stay", "9998-06-01", "night_of_stay is not from 1900-01-01 to 2199-12-31"),
        ("event_timestamp", "1899-12-31T23:59:59.999999Z", "event_timestamp is before 1900"),
        ("event_timestamp", "9998-06-01T00:00:00.000000Z", "event_timestamp is more than a day in the future"),
    ],
)
async def test_an_event_beyond_the_sane_values_is_quarantined(
    upstream: aioresponses,
    ingestion_of: IngestionOf,
    ingest: RunOnce,
    dashboard_db: asyncpg.Pool,
    field: str,
    value: str,
    reason: str,
) -> None:
    respond(upstream, "", lines({**event(1), field: value}, event(2)), "")

    result = await ingest(ingestion_of(FEED_URL))

    assert (result["new"], result["rejected"]) == (1, 1)
    assert await dashboard_db.fetchval("SELECT reason FROM quarantined_event") == reason


@pytest.mark.parametrize("night", ["1900-01-01", "2199-12-31"])
async def test_the_first_and_the_last_sane_night_are_counted(
    upstream: aioresponses, ingestion_of: IngestionOf, ingest: RunOnce, counters_agree: AssertCountersAgree, night: str
) -> None:
    respond(upstream, lines(event(1, "1900-01-01T00:00:00.000000Z", night=night)), "")

    assert (await ingest(ingestion_of(FEED_URL)))["new"] == 1
    await counters_agree(1)


async def test_an_event_too_far_ahead_is_counted_when_its_time_is_near(
    upstream: aioresponses, ingestion_of: IngestionOf, ingest: RunOnce, counters_agree: AssertCountersAgree
) -> None:
    now = datetime(2019, 6, 1, 12, tzinfo=UTC)
    body = lines(event(1, "2019-06-02T12:00:00.000000Z"), event(2, "2019-06-02T12:00:00.000001Z"))
    respond(upstream, "", body, body, "")
    reader = ingestion_of(FEED_URL)

    first = await ingest(reader, now)
    second = await ingest(reader, now + timedelta(seconds=1))

    assert (first["new"], first["rejected"], second["new"], second["rejected"]) == (1, 1, 1, 0)
    await counters_agree(2)


async def test_an_event_read_again_from_another_replica_is_looked_up_in_the_ledger(
    upstream: aioresponses, ingestion_of: IngestionOf, ingest: RunOnce, counters_agree: AssertCountersAgree
) -> None:
    body = lines(*(event(number) for number in range(1, 40)))
    respond(upstream, "", body)
    await ingest(ingestion_of(FEED_URL))

    respond(upstream, body, "", body)  # one window, the rest, and by the time of recording
    result = await ingest(ingestion_of(FEED_URL))

    assert (result["read"], result["read_again"], result["new"], result["late"]) == (39, 39, 0, 0)
    await counters_agree(39)


async def test_waits_that_a_feed_asks_for_are_kept(
    upstream: aioresponses,
    ingestion_of: IngestionOf,
    ingest: RunOnce,
    audit: RunOnce,
    dashboard_db: asyncpg.Pool,
) -> None:
    """By every replica and by the night audit."""
    respond(upstream, "", lines(event(1)))
    await ingest(ingestion_of(FEED_URL))
    upstream.get(re.compile(rf"{FEED_URL}/events.*"), status=429, headers={"Retry-After": "120"})
    now = datetime.now(UTC)
    with pytest.raises(UpstreamError, match="429"):
        await ingest(ingestion_of(FEED_URL))
    asked = len(request_parameters(upstream))

    with pytest.raises(UpstreamError, match="asked to wait until"):
        await ingest(ingestion_of(FEED_URL), now + timedelta(seconds=119))
    with pytest.raises(UpstreamError, match="asked to wait until"):
        await audit(FEED_URL)
    assert len(request_parameters(upstream)) == asked

    respond(upstream, lines(event(1), event(2)), "", "")
    assert (await ingest(ingestion_of(FEED_URL), datetime.now(UTC) + timedelta(seconds=121)))["new"] == 1
    assert await dashboard_db.fetchval("SELECT wait_until FROM feed_progress") is None


async def test_no_feed_makes_the_ingestion_wait_longer_than_an_hour(
    upstream: aioresponses, ingestion_of: IngestionOf, ingest: RunOnce, dashboard_db: asyncpg.Pool
) -> None:
    upstream.get(re.compile(rf"{FEED_URL}/events.*"), status=503, headers={"Retry-After": "9" * 30})
    with pytest.raises(UpstreamError, match="503"):
        await ingest(ingestion_of(FEED_URL))

    assert await dashboard_db.fetchval("SELECT wait_until < now() + interval '61 minutes' FROM feed_progress")
    await dashboard_db.execute("UPDATE feed_progress SET wait_until = '2999-01-01'")
    respond(upstream, "", lines(event(1)))
    assert (await ingest(ingestion_of(FEED_URL)))["new"] == 1, "a wait beyond the hour comes from a wrong clock"


async def test_the_counters_show_the_feed_up_to_the_watermark_while_it_is_read_for_the_first_time(
    dashboard_db: asyncpg.Pool,
) -> None:
    first, second, third, end = (datetime(2020, month, 1, tzinfo=UTC) for month in (1, 2, 3, 4))
    for at in (first, second):
        await feed_progress.update_watermark(dashboard_db, "main", at)
        (state,) = await feed_progress.select_feed_states(dashboard_db, ["main"])
        assert state.data_through == at

    await feed_progress.update_after_reading(dashboard_db, "main", end, None, 60.0)
    await feed_progress.update_watermark(dashboard_db, "main", third)
    (state,) = await feed_progress.select_feed_states(dashboard_db, ["main"])
    assert state.data_through == end
    assert await dashboard_db.fetchval("SELECT watermark FROM feed_progress") == third


async def test_the_first_contact_with_a_provider_is_noted_once(dashboard_db: asyncpg.Pool) -> None:
    """Two replicas may both believe that theirs is the first; events recorded after the earlier one are read again."""
    first = datetime(2020, 1, 1, tzinfo=UTC)

    for at in (first, first + timedelta(hours=1)):
        await feed_progress.update_first_contact(dashboard_db, "main", at)

    assert await dashboard_db.fetchval("SELECT recorded_through FROM feed_progress") == first
