"""GET /events: the selection of events and their order."""

import random
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from urllib.parse import quote, urlencode

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from quart.typing import TestClientProtocol as Client

from tests.support.feeds import Event, event, parse_instant

LARGEST = 2**63 - 1
UUIDS = ["6f1c2b1e-9a51-4c3f-8f57-0d5b7f5a2c11", "6F1C2B1E-9A51-4C3F-8F57-0D5B7F5A2C12"]

HOTELS = [1, 2, LARGEST]
ROOMS: list[int | str] = [1, 12, LARGEST, *UUIDS]
NIGHTS = ["2020-02-28", "2020-02-29", "2020-03-01"]
INSTANTS = [
    "2019-12-31T23:59:59.999999Z",
    "2020-01-01T00:00:00.000000Z",
    "2020-01-01T00:00:00.000001Z",
    "2020-01-01T12:30:00.500000Z",
    "2020-01-01T23:59:59.999999Z",
    "2020-01-02T00:00:00.000000Z",
]


def sample() -> list[Event]:
    """Events with every value above, many of them at one instant, with ids that do not follow the time."""
    dice = random.Random(20_000)
    ids = [*dice.sample(range(1, 10**6), 148), LARGEST - 1, LARGEST]
    return [
        event(
            number,
            dice.choice(INSTANTS),
            hotel_id=dice.choice(HOTELS),
            status=dice.choice([1, 2]),
            room_id=dice.choice(ROOMS),
            night=dice.choice(NIGHTS),
        )
        for number in ids
    ]


EVENTS = sample()


@pytest.fixture
async def feed(client: Client, provider_db: asyncpg.Pool) -> Client:
    """A client of a feed that holds EVENTS."""
    assert (await client.post("/events/batch", json=EVENTS)).status_code == 201
    return client


def matching(query: dict[str, str]) -> list[Event]:
    """The contract of the parameters, in plain Python."""

    def fits(each: Event) -> bool:
        at = datetime.fromisoformat(each["event_timestamp"])
        return (
            each["hotel_id"] == int(query.get("hotel_id") or each["hotel_id"])
            and at >= parse_instant(query.get("updated__gte", "2000-01-01"), end=False)
            and at <= parse_instant(query.get("updated__lte", "2100-01-01"), end=True)
            and each["status"] == int(query.get("rpg_status") or each["status"])
            and str(each["room_id"]).lower() == query.get("room_id", str(each["room_id"])).lower()
            and query.get("night_of_stay__gte", "") <= each["night_of_stay"] <= query.get("night_of_stay__lte", "9")
        )

    return sorted(filter(fits, EVENTS), key=lambda each: (datetime.fromisoformat(each["event_timestamp"]), each["id"]))


def inverted(query: dict[str, str]) -> set[str]:
    """The ranges that end before they begin."""
    found = set()
    if {"updated__gte", "updated__lte"} <= set(query) and parse_instant(
        query["updated__gte"], end=False
    ) > parse_instant(query["updated__lte"], end=True):
        found.add("updated__gte")
    if query.get("night_of_stay__gte", "") > query.get("night_of_stay__lte", "9"):
        found.add("night_of_stay__gte")
    return found


def _elsewhere(instant: str, hours: int) -> str:
    return datetime.fromisoformat(instant).astimezone(timezone(timedelta(hours=hours))).isoformat()


instants = st.one_of(
    st.sampled_from(INSTANTS),
    st.builds(_elsewhere, st.sampled_from(INSTANTS), st.integers(-12, 14)),
    st.dates(date(2019, 12, 30), date(2020, 1, 3)).map(str),
    st.timedeltas(timedelta(hours=-2), timedelta(hours=26)).map(
        lambda since: (datetime(2020, 1, 1, tzinfo=UTC) + since).isoformat()
    ),
)
queries = st.fixed_dictionaries(
    {},
    optional={
        "hotel_id": st.sampled_from([*HOTELS, 3]).map(str),
        "updated__gte": instants,
        "updated__lte": instants,
        "rpg_status": st.sampled_from(["1", "2"]),
        "room_id": st.sampled_from([*ROOMS, 2, UUIDS[0].upper()]).map(str),
        "night_of_stay__gte": st.sampled_from([*NIGHTS, "2020-03-02"]),
        "night_of_stay__lte": st.sampled_from(["2020-02-27", *NIGHTS]),
    },
)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=queries, plus=st.sampled_from(["", "+"]))
async def test_the_feed_returns_the_matching_events_in_order(feed: Client, query: dict[str, str], plus: str) -> None:
    text = "&".join(f"{name}={quote(value, safe=plus)}" for name, value in query.items())
    answer = await feed.get(f"/events?{text}")

    if wrong := inverted(query):
        assert answer.status_code == 400
        assert {fault["field"] for fault in (await answer.get_json())["errors"]} == wrong
    else:
        assert answer.status_code == 200
        assert await answer.get_json() == matching(query)


@pytest.mark.parametrize("name", ["updated", "night_of_stay"])
async def test_both_ends_of_a_range_are_included(feed: Client, name: str) -> None:
    value = {"updated": INSTANTS[3], "night_of_stay": NIGHTS[1]}[name]
    query = {f"{name}__gte": value, f"{name}__lte": value}

    found = await (await feed.get("/events", query_string=query)).get_json()

    assert found
    assert found == matching(query)


async def test_a_date_as_the_upper_end_means_the_whole_day(feed: Client) -> None:
    found = await (await feed.get("/events?updated__gte=2020-01-01&updated__lte=2020-01-01")).get_json()

    assert {each["event_timestamp"] for each in found} == set(INSTANTS[1:5])


async def test_no_matching_event_is_an_empty_array(feed: Client) -> None:
    answer = await feed.get("/events?hotel_id=3")

    assert answer.status_code == 200
    assert await answer.get_json() == []


WRONG: list[tuple[str, set[str]]] = [
    ("hotel_id=0", {"hotel_id"}),
    ("hotel_id=9223372036854775808", {"hotel_id"}),
    ("hotel_id=1.0", {"hotel_id"}),
    ("hotel_id=", {"hotel_id"}),
    ("hotel_id=one", {"hotel_id"}),
    ("hotel_id=%D9%A1", {"hotel_id"}),
    ("hotel_id=1&hotel_id=2", {"hotel_id"}),
    ("hotel_id=1&hotel_id=1", {"hotel_id"}),
    ("hotel_id[]=1", {"hotel_id[]"}),
    ("rpg_status=0", {"rpg_status"}),
    ("rpg_status=3", {"rpg_status"}),
    ("rpg_status=booking", {"rpg_status"}),
    ("status=1", {"status"}),
    ("room_id=0", {"room_id"}),
    ("room_id=9223372036854775808", {"room_id"}),
    ("room_id=a", {"room_id"}),
    ("room_id=%00", {"room_id"}),
    ("updated__gte=2020-02-30", {"updated__gte"}),
    ("updated__gte=2020-01-01T00:00:00", {"updated__gte"}),
    ("updated__gte=2020-01-01T25:00:00.000000Z", {"updated__gte"}),
    ("updated__lte=15778368000", {"updated__lte"}),
    ("updated__lte=yesterday", {"updated__lte"}),
    ("updated__gte=0001-01-01T00:00:00%2B14:00", {"updated__gte"}),
    ("updated__gte=2020-01-02&updated__lte=2020-01-01", {"updated__gte"}),
    ("updated__gt=2020-01-02", {"updated__gt"}),
    ("night_of_stay__gte=2020-1-1", {"night_of_stay__gte"}),
    ("night_of_stay__gte=20200101", {"night_of_stay__gte"}),
    ("night_of_stay__lte=2020-01-01T00:00:00.000000Z", {"night_of_stay__lte"}),
    ("night_of_stay__gte=2020-01-02&night_of_stay__lte=2020-01-01", {"night_of_stay__gte"}),
    ("recorded__gte=2020-01-02&recorded__lte=2020-01-01", {"recorded__gte"}),
    ("limit=0", {"limit"}),
    ("limit=10001", {"limit"}),
    ("limit=-1", {"limit"}),
    ("cursor=abc&limit=1", {"cursor"}),
    ("cursor=&limit=1", {"cursor"}),
    ("hotel=1", {"hotel"}),
    ("hotel_id=0&rpg_status=3&night_of_stay__gte=x&page=2", {"hotel_id", "rpg_status", "night_of_stay__gte", "page"}),
]


async def test_every_invalid_parameter_is_named(client: Client) -> None:
    found = []
    for text, _ in WRONG:
        answer = await client.get(f"/events?{text}")
        assert answer.status_code == 400, text
        assert answer.content_type == "application/problem+json"
        found.append((text, {fault["field"] for fault in (await answer.get_json())["errors"]}))

    assert found == WRONG


async def test_a_cursor_without_a_limit_is_refused(client: Client) -> None:
    answer = await client.get("/events?cursor=abc")

    assert answer.status_code == 400
    assert [fault["field"] for fault in (await answer.get_json())["errors"]] == ["cursor"]


async def test_the_recorded_time_is_a_filter_and_not_a_field(client: Client, provider_db: asyncpg.Pool) -> None:
    stored: list[datetime] = []
    for number in (3, 1, 2):  # back-dated: recorded in another order than they happened
        await client.post("/events", json=event(number, f"2020-01-0{number}T00:00:00.000000Z"))
        stored.append(await provider_db.fetchval("SELECT recorded_at FROM booking_event WHERE id = $1", number))

    async def ids(**query: Any) -> list[int]:
        answer = await client.get(f"/events?{urlencode(query)}")
        found = await answer.get_json()
        assert all("recorded_at" not in each for each in found)
        return [each["id"] for each in found]

    second = stored[1].isoformat()
    assert await ids(recorded__gte=second) == [1, 2]
    assert await ids(recorded__lte=second) == [1, 3]
    assert await ids(recorded__gte=second, recorded__lte=second) == [1]
    assert await ids(recorded__gte=second, updated__gte="2020-01-02") == [2]
    assert await ids(recorded__lte=datetime.now(UTC).date().isoformat()) == [1, 2, 3]
