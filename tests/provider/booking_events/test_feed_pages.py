"""A page of GET /events reads a bounded number of events, whatever the filters; the pages together hold every match."""

import json
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from quart.typing import TestClientProtocol as Client

from provider.booking_events import feed, queries
from tests.support.feeds import Event, event

UUID = "6f1c2b1e-9a51-4c3f-8f57-0d5b7f5a2c11"
START = datetime.fromisoformat("2020-01-01T00:00:00+00:00")
MOST = 10

EVENTS = [
    event(
        1000 + n,
        (START + timedelta(hours=n // 3)).isoformat().replace("+00:00", "Z"),
        hotel_id=1 + n % 3 // 2,
        status=1 + (n % 20 == 7),
        room_id=UUID if n in (5, 111) else 1 + n % 4,
        night=f"2020-02-{1 + n // 10:02}",
    )
    for n in range(120)
]


@pytest.fixture
async def large(client: Client, provider_db: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch) -> Client:
    """A client of a feed that is large, because a page may read ten events."""
    assert (await client.post("/events/batch", json=EVENTS)).status_code == 201
    monkeypatch.setattr(queries, "MAX_READ_EVENTS", MOST)
    monkeypatch.setattr(queries, "MAX_READ_EVENTS_OF_A_HOTEL", MOST)
    monkeypatch.setattr(queries, "MAX_FEW_EVENTS", MOST)
    monkeypatch.setattr(feed, "MAX_UNSTREAMED_EVENTS", 6)
    return client


def matching(query: dict[str, str]) -> list[Event]:
    return [
        each
        for each in EVENTS
        if str(each["hotel_id"]) == query.get("hotel_id", str(each["hotel_id"]))
        and str(each["room_id"]) == query.get("room_id", str(each["room_id"]))
        and str(each["status"]) == query.get("rpg_status", str(each["status"]))
        and query.get("night_of_stay__gte", "") <= each["night_of_stay"] <= query.get("night_of_stay__lte", "9")
        and each["event_timestamp"] >= query.get("updated__gte", "")
    ]


def ids(events: list[Event]) -> list[int]:
    return [each["id"] for each in events]


async def pages(client: Client, query: dict[str, str], limit: int) -> list[list[Event]]:
    """The pages, found by the Link headers."""
    found = []
    answer = await client.get("/events", query_string={**query, "limit": str(limit)})
    while True:
        assert answer.status_code == 200
        found.append(await answer.get_json())
        link = answer.headers.get("Link")
        if link is None:
            return found
        following = link.partition(">")[0].removeprefix("<")
        answer = await client.get(following[following.index("/events") :])


queries_of_large = st.fixed_dictionaries(
    {},
    optional={
        "hotel_id": st.sampled_from(["1", "2", "3"]),
        "room_id": st.sampled_from(["1", "4", UUID, "9"]),
        "rpg_status": st.sampled_from(["1", "2"]),
        "night_of_stay__gte": st.sampled_from(["2020-02-01", "2020-02-12", "2020-03-01"]),
        "night_of_stay__lte": st.sampled_from(["2020-02-01", "2020-02-11"]),
        "updated__gte": st.sampled_from(["2020-01-01T00:00:00.000000Z", "2020-01-02T07:00:00.000000Z"]),
        "recorded__gte": st.sampled_from(["2020-01-01", "2021-01-01T00:00:00.000000Z"]),
    },
).filter(lambda query: query.get("night_of_stay__gte", "") <= query.get("night_of_stay__lte", "9"))


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=queries_of_large, limit=st.integers(1, 15))
async def test_the_pages_of_a_large_feed_hold_every_match_once_and_in_order(
    large: Client, query: dict[str, str], limit: int
) -> None:
    found = await pages(large, query, limit)

    assert all(len(page) <= limit for page in found)
    assert ids([each for page in found for each in page]) == ids(matching(query))


async def test_a_page_reads_fewer_events_of_one_hotel_than_of_all(
    large: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "MAX_READ_EVENTS", len(EVENTS) + 1)
    for query, has_more in (("room_id=9", False), ("hotel_id=1&room_id=9", True)):
        answer = await large.get(f"/events?{query}&limit=5")
        assert await answer.get_json() == []
        assert ("Link" in answer.headers) == has_more


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=queries_of_large, accept=st.sampled_from(["application/json", "application/x-ndjson"]))
async def test_a_stream_of_a_large_feed_holds_every_match_unless_it_would_read_all_of_it(
    large: Client, query: dict[str, str], accept: str
) -> None:
    answer = await large.get("/events", query_string=query, headers={"Accept": accept})

    if answer.status_code == 400:
        assert "hotel_id" not in query
        assert {"room_id", "night_of_stay__gte", "night_of_stay__lte"} & set(query)
    else:
        assert answer.status_code == 200
        text = await answer.get_data(as_text=True)
        found = json.loads(text) if accept == "application/json" else list(map(json.loads, text.splitlines()))
        assert ids(found) == ids(matching(query))


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("room_id=1", 400),
        (f"room_id={UUID}", 400),
        ("night_of_stay__gte=2020-02-03", 400),
        ("night_of_stay__lte=2020-02-03&rpg_status=2", 400),
        ("night_of_stay__gte=2020-02-03&updated__gte=2020-01-01", 400),
        ("night_of_stay__gte=2020-02-03&updated__gte=2019-12-01&updated__lte=2021-01-03", 200),
        ("night_of_stay__gte=2020-02-03&updated__gte=2019-12-01&updated__lte=2021-01-05", 400),
        ("night_of_stay__gte=2020-02-03&hotel_id=1", 200),
        ("room_id=1&limit=5", 200),
        ("rpg_status=2", 200),
        ("", 200),
    ],
)
async def test_a_room_or_a_night_of_all_hotels_and_times_is_refused_on_a_large_feed(
    large: Client, query: str, status: int
) -> None:
    answer = await large.get(f"/events?{query}")

    assert answer.status_code == status
    if status == 400:
        (fault,) = (await answer.get_json())["errors"]
        assert fault["field"] == "hotel_id"
        assert "`limit`" in fault["message"]


async def test_a_small_feed_refuses_no_filter(client: Client) -> None:
    assert (await client.post("/events/batch", json=EVENTS)).status_code == 201

    for query in ({"room_id": "1"}, {"night_of_stay__lte": "2020-02-11"}, {"room_id": "9"}):
        answer = await client.get("/events", query_string=query)
        assert ids(await answer.get_json()) == ids(matching(query))


async def test_a_page_without_a_match_leads_on(large: Client) -> None:
    answer = await large.get("/events?rpg_status=2&updated__gte=2020-01-01T03:00:00.000000Z&limit=5")

    assert await answer.get_json() == []
    assert answer.headers["Link"].endswith('; rel="next"')


async def test_an_event_stored_between_the_statements_of_a_page_is_not_sent_twice(
    large: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Back-dated events move the end of what was read before the last event of the page."""
    select_end = queries.select_end_of_filtered_page

    async def late(*args: Any) -> Any:
        batch = [event(n, "2020-01-01T00:00:00.000000Z", hotel_id=7) for n in range(1, 6)]
        assert (await large.post("/events/batch", json=batch)).status_code in (201, 200)
        monkeypatch.setattr(queries, "select_end_of_filtered_page", select_end)
        return await select_end(*args)

    monkeypatch.setattr(queries, "select_end_of_filtered_page", late)

    found = await pages(large, {"rpg_status": "1"}, 10)

    assert ids([each for page in found for each in page]) == ids(matching({"rpg_status": "1"}))


@pytest.mark.parametrize("query", ["", "hotel_id=1", "rpg_status=1"])
@pytest.mark.parametrize("accept", ["application/json", "application/x-ndjson", "text/csv"])
async def test_head_has_the_headers_of_get(large: Client, query: str, accept: str) -> None:
    """Of a stream, which HEAD does not begin, and of a page."""
    for path in (f"/events?{query}", f"/events?{query}&limit=4"):
        get = await large.get(path, headers={"Accept": accept})
        head = await large.head(path, headers={"Accept": accept})

        assert head.status_code == get.status_code == 200
        for answer in (get, head):
            del answer.headers["X-Request-ID"]
            answer.headers.pop("Content-Length", None)
        assert dict(head.headers) == dict(get.headers)
        assert head.headers["X-Feed"]
        assert await head.get_data() == b""
