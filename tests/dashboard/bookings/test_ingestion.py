"""Reading a feed that behaves, and one that does not: every event counts exactly once."""

import json
import random
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import asyncpg
import pytest
from aioresponses import aioresponses

from common.jobs.lease import Lease, LeaseLostError
from common.upstream import UpstreamError
from dashboard.bookings import ingestion as module
from dashboard.bookings.ingestion import Ingestion
from tests.dashboard.bookings.conftest import FEED_URL, Ingest
from tests.support.feeds import Event, event

OURS = {"X-Feed": "complete, cursor, ndjson, recorded", "Date": "Wed, 01 Jan 2020 12:00:00 GMT"}
NDJSON = "application/x-ndjson"

Agree = Callable[[int], Awaitable[None]]
IngestionOf = Callable[[str], Ingestion]


def lines(*events: Event) -> str:
    return "".join(f"{json.dumps(each)}\n" for each in events)


@pytest.fixture
def upstream() -> Any:
    with aioresponses() as mocked:
        yield mocked


def answers(upstream: Any, *bodies: str, content_type: str = NDJSON, **options: Any) -> None:
    """The feed answers the next requests so, whatever they ask for."""
    for body in bodies:
        upstream.get(
            re.compile(rf"{FEED_URL}/events.*"), body=body, headers={**OURS, **options}, content_type=content_type
        )


def asked(upstream: Any) -> list[dict[str, str]]:
    """The parameters of the requests that were made."""
    return [
        dict(call.kwargs["params"]) for (method, _), calls in upstream.requests.items() if method == "GET"
        for call in calls
    ]  # fmt: skip


async def test_events_are_counted_once_and_asked_for_by_their_time(
    upstream: Any, ingestion_of: IngestionOf, ingest: Ingest, counters_agree: Agree, dashboard_db: asyncpg.Pool
) -> None:
    first = event(1001, "2019-12-31T10:00:00Z")
    second = event(1002, "2019-12-31T11:00:00Z", status=2)
    # before 2000, then all of it; at the next tick from the watermark on, then what was recorded
    answers(upstream, "", lines(first, second), lines(second), lines(first, second))
    ingestion = ingestion_of(FEED_URL)

    did = await ingest(ingestion)
    again = await ingest(ingestion)

    assert did == {"read": 2, "new": 2, "refused": 0}
    assert again == {"read": 1, "new": 0, "refused": 0, "read_again": 2, "late": 0}
    assert asked(upstream) == [
        {"updated__lte": "2000-01-01T00:00:00Z"},
        {"updated__gte": "2000-01-01T00:00:00Z"},
        {"updated__gte": "2019-12-31T10:55:00Z"},
        {"recorded__gte": "2020-01-01T11:55:00Z"},
    ]
    await counters_agree(2)
    assert await dashboard_db.fetchval("SELECT data_through FROM feed_progress") == datetime(2020, 1, 1, 12, tzinfo=UTC)


async def test_a_late_event_is_picked_up_by_the_clock_of_the_provider(
    upstream: Any, ingestion_of: IngestionOf, ingest: Ingest, counters_agree: Agree
) -> None:
    now = event(2001, "2019-12-31T10:00:00Z")
    dated_back = event(2002, "2012-01-01T00:00:00Z")
    answers(upstream, "", lines(now), lines(now), lines(dated_back, now))
    ingestion = ingestion_of(FEED_URL)

    await ingest(ingestion)
    did = await ingest(ingestion)

    assert (did["new"], did["late"]) == (0, 1)
    await counters_agree(2)
    assert {"recorded__gte": "2020-01-01T11:55:00Z"} in asked(upstream)


async def test_a_future_event_never_drags_the_watermark_past_now(
    upstream: Any, ingestion_of: IngestionOf, ingest: Ingest, dashboard_db: asyncpg.Pool
) -> None:
    tomorrow = datetime.now(UTC) + timedelta(hours=20)
    answers(upstream, "", lines(event(3001, tomorrow.isoformat())), "")

    await ingest(ingestion_of(FEED_URL))

    assert await dashboard_db.fetchval("SELECT watermark <= now() FROM feed_progress")
    assert await dashboard_db.fetchval("SELECT count(*) FROM ledger_event") == 1


async def test_a_provider_whose_clock_ran_ahead_is_read_on_when_it_is_put_right(
    upstream: Any, ingestion_of: IngestionOf, ingest: Ingest, dashboard_db: asyncpg.Pool
) -> None:
    answers(upstream, "", lines(event(1)), Date="Wed, 01 Jan 2998 12:00:00 GMT")
    answers(upstream, *[lines(event(1))] * 4)
    ingestion = ingestion_of(FEED_URL)

    await ingest(ingestion)
    assert await dashboard_db.fetchval("SELECT data_through <= now() FROM feed_progress")
    await ingest(ingestion)
    await ingest(ingestion)

    assert asked(upstream)[-1] == {"recorded__gte": "2020-01-01T11:55:00Z"}


@pytest.mark.parametrize("date", ["Fri, 31 Dec 9999 23:59:59 -1200", "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"])
async def test_a_date_that_is_none_leaves_our_clock(
    upstream: Any, ingestion_of: IngestionOf, ingest: Ingest, counters_agree: Agree, date: str
) -> None:
    answers(upstream, "", lines(event(1)), Date=date)
    await ingest(ingestion_of(FEED_URL))
    await counters_agree(1)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 404, 301])
async def test_an_error_of_the_feed_stores_nothing_and_the_next_run_goes_on(
    upstream: Any, ingestion_of: IngestionOf, ingest: Ingest, counters_agree: Agree, status: int
) -> None:
    upstream.get(re.compile(rf"{FEED_URL}/events.*"), status=status, body="<html>")
    ingestion = ingestion_of(FEED_URL)

    with pytest.raises(UpstreamError, match=str(status)):
        await ingest(ingestion)
    await counters_agree(0)

    answers(upstream, "", lines(event(4001)), "")
    assert (await ingest(ingestion))["new"] == 1
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
    ],
)
async def test_an_answer_that_is_cut_off_or_no_json_is_a_failure_and_moves_nothing(
    upstream: Any, ingestion_of: IngestionOf, ingest: Ingest, dashboard_db: asyncpg.Pool, content_type: str, body: str
) -> None:
    answers(upstream, body, content_type=content_type)

    with pytest.raises(UpstreamError):
        await ingest(ingestion_of(FEED_URL))

    assert await dashboard_db.fetchval("SELECT data_through IS NULL OR data_through < '2020-01-02' FROM feed_progress")
    assert await dashboard_db.fetchval("SELECT count(*) FROM ledger_event") <= 1


async def test_events_that_break_the_schema_are_set_aside_and_the_rest_goes_on(
    upstream: Any, ingestion_of: IngestionOf, ingest: Ingest, counters_agree: Agree, dashboard_db: asyncpg.Pool
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
    answers(upstream, "", body, body, body)
    ingestion = ingestion_of(FEED_URL)

    did = await ingest(ingestion)
    await ingest(ingestion)

    assert did["new"] == 2
    assert did["refused"] == len(bad) + 5
    await counters_agree(2)
    reasons = await dashboard_db.fetch("SELECT reason, raw, times FROM quarantined_event")
    assert len(reasons) == len(bad) + 5
    assert {row["times"] for row in reasons} == {3}
    assert any("night_of_stay" in row["reason"] for row in reasons)


async def test_bad_values_in_a_json_array_are_set_aside_too(
    upstream: Any, ingestion_of: IngestionOf, ingest: Ingest, counters_agree: Agree
) -> None:
    bad = [{**event(2), "status": "1"}, 7, None, [event(3)], event(2**63), {**event(5), "hotel_id": 10**4000}]
    bad += [{**event(6), "room_id": "\ud800"}, {**event(7), "night_of_stay": float("nan")}]
    body = json.dumps([event(1), *bad, {**event(4), "more": {"a": [1]}}, event(8, room_id=10**30)])
    answers(upstream, "[]", body, "[]", content_type="application/json")

    did = await ingest(ingestion_of(FEED_URL))

    assert (did["new"], did["refused"]) == (3, len(bad))
    await counters_agree(3)


async def test_a_byte_that_is_no_text_spoils_its_own_event_alone(
    upstream: Any, ingestion_of: IngestionOf, ingest: Ingest, counters_agree: Agree
) -> None:
    import re

    body = json.dumps([event(1), event(2, room_id="?"), event(3)]).encode().replace(b"?", b"\xff")
    for answer in (b"[]", body, b"[]"):
        upstream.get(re.compile(rf"{FEED_URL}/events.*"), body=answer, headers=OURS, content_type="application/json")

    assert (await ingest(ingestion_of(FEED_URL)))["refused"] == 1
    await counters_agree(2)


@pytest.mark.parametrize("body", ["[" * 300_000, f'["{"x" * 2_000_000}"]'])
async def test_an_answer_that_would_fill_the_memory_is_a_failure(
    upstream: Any, ingestion_of: IngestionOf, ingest: Ingest, counters_agree: Agree, body: str
) -> None:
    answers(upstream, body, content_type="application/json")
    with pytest.raises(UpstreamError, match="no JSON array"):
        await ingest(ingestion_of(FEED_URL))
    await counters_agree(0)


async def test_the_same_event_many_times_and_out_of_order_counts_once(
    upstream: Any, ingestion_of: IngestionOf, ingest: Ingest, counters_agree: Agree
) -> None:
    events = [event(number, f"2019-01-01T00:00:{number:02}Z") for number in range(1, 60)]
    shuffled = random.Random(7).sample(events * 3, k=len(events) * 3)
    answers(upstream, "", lines(*shuffled), lines(*shuffled), lines(*events))
    ingestion = ingestion_of(FEED_URL)

    first, second = await ingest(ingestion), await ingest(ingestion)

    assert (first["new"], second["new"] + second["late"]) == (59, 0)
    await counters_agree(59)


async def test_a_connection_lost_in_the_middle_keeps_whole_pages_and_resumes(
    upstream: Any,
    ingestion_of: IngestionOf,
    ingest: Ingest,
    counters_agree: Agree,
    dashboard_db: asyncpg.Pool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "PAGE", 10)
    events = [event(number, f"2019-01-01T00:{number // 60:02}:{number % 60:02}Z") for number in range(1, 100)]
    whole = lines(*events)
    answers(upstream, whole[: len(whole) // 2])
    ingestion = ingestion_of(FEED_URL)

    with pytest.raises(UpstreamError, match="cut off"):
        await ingest(ingestion)
    kept = await dashboard_db.fetchval("SELECT count(*) FROM ledger_event")
    await counters_agree(kept)

    answers(upstream, whole, whole, whole)
    await ingest(ingestion_of(FEED_URL))  # another process: it remembers nothing
    await counters_agree(99)


async def test_an_owner_that_lost_its_lease_writes_nothing(
    upstream: Any, ingestion_of: IngestionOf, dashboard_db: asyncpg.Pool, counters_agree: Agree
) -> None:
    answers(upstream, "", lines(event(1)), lines(event(1)))

    with pytest.raises(LeaseLostError):
        await ingestion_of(FEED_URL).run(Lease("ingest_booking_events", "stalled", 41), datetime.now(UTC))

    await counters_agree(0)


async def test_a_silent_feed_is_a_failure(
    upstream: Any, ingestion_of: IngestionOf, ingest: Ingest, counters_agree: Agree
) -> None:
    upstream.get(re.compile(rf"{FEED_URL}/events.*"), exception=aiohttp.SocketTimeoutError())
    with pytest.raises(UpstreamError):
        await ingest(ingestion_of(FEED_URL))
    await counters_agree(0)


async def test_a_room_is_stored_letter_by_letter(
    upstream: Any, ingestion_of: IngestionOf, ingest: Ingest, counters_agree: Agree, dashboard_db: asyncpg.Pool
) -> None:
    rooms = ["a\tb", "a\nb", "a\rb", "a\\tb", "\\N", "\\.", "\\", " 7 ", '"', "Zimmer Ähre \U0001f6cf", 7]
    body = lines(*({**event(6000 + number), "room_id": room} for number, room in enumerate(rooms)))
    answers(upstream, "", body, "")

    await ingest(ingestion_of(FEED_URL))

    await counters_agree(len(rooms))
    stored = await dashboard_db.fetch("SELECT room_id FROM ledger_event ORDER BY id")
    assert [row["room_id"] for row in stored] == [str(room) for room in rooms]


async def test_of_several_events_with_one_id_the_first_counts(
    upstream: Any, ingestion_of: IngestionOf, ingest: Ingest, counters_agree: Agree, dashboard_db: asyncpg.Pool
) -> None:
    first, second = event(7001, hotel_id=1), event(7001, hotel_id=2)
    answers(upstream, "", lines(first, second), "")

    await ingest(ingestion_of(FEED_URL))

    await counters_agree(1)
    assert await dashboard_db.fetchval("SELECT hotel_id FROM ledger_event") == 1
