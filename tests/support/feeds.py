"""A fake booking feed on loopback, whose faults a test can choose."""

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any, TypeVar

from aiohttp import web

from dashboard.bookings.queries.ledger import LedgerFeed

MAIN_LEDGER = LedgerFeed(1, "UTC")
"""The main feed, as the migrations number it."""

Event = dict[str, Any]


def event(
    event_id: int,
    at: str = "2020-01-01T00:00:00.000000Z",
    *,
    hotel_id: int = 1,
    status: int = 1,
    room_id: int | str = 1,
    night: str = "2020-01-05",
) -> Event:
    """Return an event in the format of the feed."""
    return {
        "id": event_id,
        "hotel_id": hotel_id,
        "event_timestamp": at,
        "status": status,
        "room_id": room_id,
        "night_of_stay": night,
    }


def parse_instant(text: str, *, end: bool) -> datetime:
    """Parse an instant, or return the start or the end of a date."""
    if len(text) == 10:
        return datetime.combine(date.fromisoformat(text), time.max if end else time.min, UTC)
    return datetime.fromisoformat(text)


def filter_events(events: Iterable[Event], query: Any) -> list[Event]:
    """Return the events that match the source's parameters, in the order of the feed."""
    found = []
    for each in events:
        at = datetime.fromisoformat(each["event_timestamp"])
        if "hotel_id" in query and each["hotel_id"] != int(query["hotel_id"]):
            continue
        if "updated__gte" in query and at < parse_instant(query["updated__gte"], end=False):
            continue
        if "updated__lte" in query and at > parse_instant(query["updated__lte"], end=True):
            continue
        if "room_id" in query and str(each["room_id"]) != query["room_id"]:
            continue
        if "rpg_status" in query and each["status"] != int(query["rpg_status"]):
            continue
        if "night_of_stay__gte" in query and each["night_of_stay"] < query["night_of_stay__gte"]:
            continue
        if "night_of_stay__lte" in query and each["night_of_stay"] > query["night_of_stay__lte"]:
            continue
        found.append(each)
    return sorted(found, key=lambda each: (datetime.fromisoformat(each["event_timestamp"]), each["id"]))


SOURCE_PARAMETERS = {
    "hotel_id",
    "updated__gte",
    "updated__lte",
    "rpg_status",
    "room_id",
    "night_of_stay__gte",
    "night_of_stay__lte",
}


@dataclass
class ForeignFeed:
    """A provider with the source's parameters only. It answers with a JSON array of at most `cap` events.

    ignored, refused: parameters that it accepts without effect, and those that it answers with 422. token: the bearer
    token that every request must have.
    """

    events: list[Event] = field(default_factory=list)
    cap: int | None = None
    shuffled: bool = False
    ignored: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()
    requests: list[dict[str, str]] = field(default_factory=list)
    url: str = ""
    token: str | None = None

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if self.token is not None and request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.json_response({"detail": "a token is required"}, status=401)
        query = dict(request.query)
        self.requests.append(query)
        if unknown := set(query) - SOURCE_PARAMETERS | set(query) & self.refused:
            return web.json_response({"detail": f"unknown: {unknown}"}, status=422)
        query = {name: value for name, value in query.items() if name not in self.ignored}
        found = filter_events(self.events, query)[: self.cap]
        if self.shuffled:
            found = found[1::2] + found[::2]
        return web.json_response(found, dumps=lambda value: json.dumps(value, indent=1))


Feed = TypeVar("Feed", bound=ForeignFeed)


@asynccontextmanager
async def serve_feed(feed: Feed) -> AsyncIterator[Feed]:
    """Serve a feed on loopback, at `feed.url`."""
    application = web.Application()
    application.router.add_get("/{path:(v2/)?events}", feed.answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    feed.url = f"http://{host}:{port}"
    try:
        yield feed
    finally:
        await runner.cleanup()
