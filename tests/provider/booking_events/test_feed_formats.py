"""GET /events: media types and pages."""

import csv
import io
import json
from typing import Any

import asyncpg
import openpyxl
import pytest
from quart.typing import TestClientProtocol as Client

from common.tables import XLSX
from common.web.pagination import encode_cursor
from tests.support.feeds import Event, event

UUID = "6F1c2b1e-9a51-4c3f-8f57-0d5b7f5a2c11"
EVENTS = [
    event(8, "2020-01-01T00:00:00.000000Z"),
    event(9, "2020-01-01T00:00:00.000000Z", room_id=UUID),
    event(7, "2020-01-01T00:00:00.250000Z", room_id=2**63 - 1, hotel_id=2**63 - 1),
    event(3, "2020-01-02T00:00:00.000000Z", status=2),
]


@pytest.fixture
async def feed(client: Client) -> Client:
    """A client of a feed that holds EVENTS."""
    assert (await client.post("/events/batch", json=EVENTS)).status_code == 201
    return client


def as_rows(events: list[Event]) -> list[list[str]]:
    return [list(map(str, each.values())) for each in events]


@pytest.mark.parametrize("accept", ["image/png", "nonsense;;q=x", "text/csv;q=0, application/xml"])
async def test_an_accept_header_that_no_form_of_the_feed_satisfies_is_406(feed: Client, accept: str) -> None:
    answer = await feed.get("/events", headers={"Accept": accept})
    assert (answer.status_code, answer.content_type) == (406, "application/problem+json")


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("application/json", "application/json"),
        ("application/x-ndjson", "application/x-ndjson"),
        ("text/csv", "text/csv; charset=utf-8"),
        ("text/*", "text/csv; charset=utf-8"),
        ("text/csv;q=0.1, application/json;q=0.2", "application/json"),
        ("text/csv;q=0.9, application/json;q=0.2, */*;q=0.1", "text/csv; charset=utf-8"),
        ("text/html, application/x-ndjson;q=0.5", "application/x-ndjson"),
    ],
)
async def test_the_media_type_follows_the_accept_header(feed: Client, accept: str | None, media_type: str) -> None:
    answer = await feed.get("/events", headers={"Accept": accept} if accept else {})

    assert answer.status_code == 200
    assert answer.content_type == media_type
    assert "Accept" in answer.headers["Vary"]
    text = await answer.get_data(as_text=True)
    if media_type == "application/json":
        assert json.loads(text) == EVENTS
    elif media_type == "application/x-ndjson":
        assert [json.loads(line) for line in text.splitlines()] == EVENTS
    else:
        assert list(csv.reader(io.StringIO(text))) == [list(EVENTS[0]), *as_rows(EVENTS)]


@pytest.mark.parametrize(
    ("accept", "body"), [("application/json", b"[]\n"), ("application/x-ndjson", b""), ("text/csv", None)]
)
async def test_an_empty_feed_is_valid_in_each_media_type(client: Client, accept: str, body: bytes | None) -> None:
    answer = await client.get("/events", headers={"Accept": accept})

    assert answer.status_code == 200
    assert await answer.get_data() == (",".join(EVENTS[0]).encode() + b"\n" if body is None else body)


async def test_head_is_answered_like_get_without_a_body(feed: Client) -> None:
    get, head = await feed.get("/events"), await feed.head("/events")

    assert head.status_code == 200
    assert head.content_type == get.content_type
    assert await head.get_data() == b""
    assert (await feed.head("/events?hotel_id=x")).status_code == 400


async def pages(client: Client, path: str, accept: str = "application/json") -> list[bytes]:
    """The bodies of all pages, found only by the Link headers."""
    found = []
    following: str | None = path
    while following is not None:
        answer = await client.get(following, headers={"Accept": accept})
        assert answer.status_code == 200
        found.append(await answer.get_data(as_text=False))
        link = answer.headers.get("Link")
        assert link is None or link.endswith('; rel="next"')
        following = None if link is None else link.partition(">")[0].removeprefix("<")
    return found


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 10_000])
async def test_the_pages_together_are_the_whole_feed(feed: Client, limit: int) -> None:
    found = [json.loads(body) for body in await pages(feed, f"/events?limit={limit}")]

    assert [len(page) for page in found[:-1]] == [limit] * (len(found) - 1)
    assert 1 <= len(found[-1]) <= limit
    assert [each for page in found for each in page] == EVENTS


async def test_pages_keep_their_filters_and_media_type(feed: Client) -> None:
    path = "/events?limit=1&updated__lte=2020-01-01T01:00:00+01:00&hotel_id=1"

    assert [json.loads(line) for line in await pages(feed, path, "application/x-ndjson")] == EVENTS[:2]
    tables = [list(csv.reader(io.StringIO(page.decode()))) for page in await pages(feed, path, "text/csv")]
    assert tables == [[list(EVENTS[0]), row] for row in as_rows(EVENTS[:2])]


async def test_a_page_continues_after_the_previous_one_although_events_were_added(feed: Client) -> None:
    first = await feed.get("/events?limit=2")
    assert await first.get_json() == EVENTS[:2]
    before, after = event(10, "2019-01-01T00:00:00.000000Z"), event(1, "2020-01-01T00:00:00.000001Z")
    for each in (before, after):
        assert (await feed.post("/events", json=each)).status_code == 201

    following = first.headers["Link"].partition(">")[0].removeprefix("<")
    second = await (await feed.get(following)).get_json()

    assert second == [after, EVENTS[2]]


@pytest.mark.parametrize(
    "position",
    [
        ("2020-01-01T00:00:00.000000Z", 2**64 - 1),
        ("2020-01-01T00:00:00.000000Z", -1),
        ("2020-01-01T00:00:00.000000Z", "1"),
        ("2020-01-01T00:00:00", 1),
        ("0001-01-01T00:00:00+14:00", 1),
        (1, 1),
        ("2020-01-01T00:00:00.000000Z",),
        (),
    ],
)
async def test_a_forged_cursor_is_refused(feed: Client, position: tuple[Any, ...]) -> None:
    async with feed.app.test_request_context("/events"):  # as this list would seal it
        cursor = encode_cursor(*position)
    answer = await feed.get("/events", query_string={"limit": "1", "cursor": cursor})

    assert answer.status_code == 400
    assert [fault["field"] for fault in (await answer.get_json())["errors"]] == ["cursor"]


async def test_one_event_by_its_id(feed: Client, provider_db: asyncpg.Pool) -> None:
    for each in EVENTS:
        assert await (await feed.get(f"/events/{each['id']}")).get_json() == each
    for missing in ("1", str(2**63 - 1), str(2**63), "0", "-1", "x", "8.0"):
        answer = await feed.get(f"/events/{missing}")
        assert answer.status_code == 404
        assert answer.content_type == "application/problem+json"


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/events", "/events/8"])
async def test_an_event_cannot_be_changed(feed: Client, method: str, path: str) -> None:
    answer = await feed.open(path, method=method, json=EVENTS[0])

    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]
    assert await (await feed.get("/events")).get_json() == EVENTS


async def sheet(answer: Any) -> list[list[Any]]:
    book = openpyxl.load_workbook(io.BytesIO(await answer.get_data(as_text=False)))
    return [list(row) for row in book.worksheets[0].iter_rows(values_only=True)]


async def test_a_workbook_has_every_event_with_its_ids_as_texts(feed: Client) -> None:
    """Spreadsheets keep 15 digits of a number."""
    for answer in (await feed.get("/events?format=xlsx"), await feed.get("/events", headers={"Accept": XLSX})):
        assert answer.content_type == XLSX
        header, *rows = await sheet(answer)
        assert header == list(EVENTS[0])
        assert [[str(cell) for cell in row] for row in rows] == [
            [*row[:5], f"{row[5]} 00:00:00"] for row in as_rows(EVENTS)
        ]
        assert all(isinstance(row[place], str) for row in rows for place in (0, 1, 4))
    assert (await feed.get("/events?format=csv", headers={"Accept": "application/json"})).mimetype == "text/csv"
    assert (await feed.get("/events?format=ods")).status_code == 400


async def test_a_workbook_of_a_streamed_feed_is_whole_or_refused(feed: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provider.booking_events.feed.MAX_UNSTREAMED_EVENTS", 1)
    _, *rows = await sheet(await feed.get("/events?format=xlsx"))
    assert [row[0] for row in rows] == [str(each["id"]) for each in EVENTS]
    monkeypatch.setattr("common.tables.MAX_SHEET_ROWS", 3)
    answer = await feed.get("/events?format=xlsx")
    assert answer.status_code == 400
    (fault,) = (await answer.get_json())["errors"]
    assert fault == {"field": "format", "message": "a workbook holds 3 rows; use csv, or page with `limit`"}
    assert len(await sheet(await feed.get("/events?format=xlsx&limit=3"))) == 4
