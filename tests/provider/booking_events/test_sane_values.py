"""Nights and instants outside the accepted ranges are refused, whichever way an event comes in."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from quart.typing import TestClientProtocol as Client

from common.config import Secret
from provider.booking_events.cli import import_event_file
from tests.support.feeds import Event, event

Send = Callable[[Event], Awaitable[bool]]
"""Sends an event and returns whether it was accepted."""


@pytest.fixture(params=["one", "array", "lines", "file"])
def send(request: pytest.FixtureRequest, client: Client, provider_url: Secret, tmp_path: Path) -> Send:
    async def as_one(each: Event) -> bool:
        return (await client.post("/events", json=each)).status_code == 201

    async def as_array(each: Event) -> bool:
        return (await client.post("/events/batch", json=[each])).status_code == 201

    async def as_lines(each: Event) -> bool:
        headers = {"Content-Type": "application/x-ndjson"}
        return (await client.post("/events/batch", data=json.dumps(each), headers=headers)).status_code == 201

    async def as_file(each: Event) -> bool:
        path = tmp_path / "events.csv"
        path.write_text(",".join(each) + "\n" + ",".join(map(str, each.values())) + "\n")
        return await import_event_file(provider_url, path) == 0

    ways: dict[Any, Send] = {"one": as_one, "array": as_array, "lines": as_lines, "file": as_file}
    return ways[request.param]


@pytest.mark.parametrize(
    "change",
    [
        {"night": "1899-12-31"},
        {"night": "2200-01-01"},
        {"night": "9998-05-05"},
        {"at": "1899-12-31T23:59:59.999999Z"},
        {"at": "1900-01-01T00:30:00+01:00"},
        {"hotel_id": 0},
        {"hotel_id": 2**63},
        {"room_id": 0},
        {"room_id": 2**63},
    ],
)
async def test_values_outside_the_ranges_are_refused(send: Send, provider_db: asyncpg.Pool, change: Any) -> None:
    assert not await send(event(1, **change))
    assert await provider_db.fetchval("SELECT count(*) FROM booking_event") == 0


@pytest.mark.parametrize(
    "change",
    [
        {"night": "1900-01-01"},
        {"night": "2199-12-31"},
        {"at": "1900-01-01T00:00:00.000000Z"},
        {"hotel_id": 2**63 - 1, "room_id": 2**63 - 1},
    ],
)
async def test_the_ends_of_the_ranges_are_accepted(send: Send, provider_db: asyncpg.Pool, change: Any) -> None:
    assert await send(event(1, **change))
    assert await provider_db.fetchval("SELECT count(*) FROM booking_event") == 1


async def test_a_sender_may_be_a_day_ahead_and_not_more(send: Send) -> None:
    now = datetime.now(UTC)

    assert await send(event(1, (now + timedelta(hours=23, minutes=59)).isoformat()))
    assert not await send(event(2, (now + timedelta(days=1, minutes=5)).isoformat()))
