"""The past that the simulated hotels begin with."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import asyncpg
import pytest

from common.config import Secret
from provider.booking_events.queries import analyze_feed, lock_feed, select_last_hotel
from provider.booking_events.service import append_in_bulk
from provider.cli import EMPTY_FEED
from provider.hotel_rooms import NightEvent
from provider.simulated_hotels import demo
from provider.simulated_hotels.demo import EmptyFeed, add_demo_history
from provider.simulated_hotels.models import FeedEvent
from provider.simulated_hotels.simulation import Simulation

NOW = datetime(2026, 11, 29, 9, 30, tzinfo=UTC)


def simulation() -> Simulation:
    return Simulation(3, 3, 5)


async def events(db: asyncpg.Pool) -> list[tuple[int, datetime, int, int, date]]:
    rows = await db.fetch(
        "SELECT hotel_id, event_timestamp, status, room_id::bigint, night_of_stay FROM booking_event"
        " ORDER BY event_timestamp, hotel_id, night_of_stay"
    )
    return [tuple(row) for row in rows]


async def test_an_empty_feed_gets_the_history_of_the_simulated_hotels_up_to_now(
    provider_db: asyncpg.Pool, provider_url: Secret
) -> None:
    stored = await add_demo_history(provider_url, simulation(), 1, NOW, EMPTY_FEED)

    found = await events(provider_db)
    assert found == [tuple(event) for event in simulation().history_through(NOW, 1)]
    assert len(found) == stored > 1000
    assert NOW - timedelta(hours=12) < found[-1][1] <= NOW
    assert {hotel for hotel, *_ in found} == {1, 2, 3}


async def test_the_past_counts_as_recorded_when_it_happened_so_that_readers_do_not_take_it_for_new(
    provider_db: asyncpg.Pool, provider_url: Secret
) -> None:
    await add_demo_history(provider_url, simulation(), 1, NOW, EMPTY_FEED)

    assert await provider_db.fetchval("SELECT count(*) FROM booking_event WHERE recorded_at <> event_timestamp") == 0


async def test_the_live_generator_goes_on_from_the_history_without_selling_a_night_twice(
    provider_db: asyncpg.Pool, provider_url: Secret
) -> None:
    await add_demo_history(provider_url, simulation(), 1, NOW, EMPTY_FEED)

    live = simulation()
    for event in await events(provider_db):
        live.observe(FeedEvent(*event))
    before = {(hotel, room, night) for hotel, room, night, _ in live.booked() if night >= NOW.date()}
    assert before
    for event in live.next_events(NOW, 200):
        night = (event.hotel_id, event.room_id, event.night_of_stay)
        assert (night in before) == (event.status != 1)
        before.symmetric_difference_update({night})


async def test_a_feed_that_has_events_is_never_touched(provider_db: asyncpg.Pool, provider_url: Secret) -> None:
    async with provider_db.acquire() as connection:
        await append_in_bulk(connection, [NightEvent(9, NOW, 1, "1", NOW.date())])

    assert await add_demo_history(provider_url, simulation(), 1, NOW, EMPTY_FEED) == 0

    assert len(await events(provider_db)) == 1


async def test_of_two_starts_at_once_one_writes_the_history(provider_db: asyncpg.Pool, provider_url: Secret) -> None:
    stored = await asyncio.gather(*(add_demo_history(provider_url, simulation(), 1, NOW, EMPTY_FEED) for _ in range(2)))

    assert min(stored) == 0
    assert len(await events(provider_db)) == max(stored)


async def test_a_start_that_fails_in_the_middle_leaves_nothing_and_the_next_writes_all(
    provider_db: asyncpg.Pool, provider_url: Secret, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "CHUNK_EVENTS", 300)
    chunks = 0

    async def append_two(connection: asyncpg.Connection, chunk: Sequence[NightEvent]) -> int:
        nonlocal chunks
        chunks += 1
        if chunks > 2:
            raise ConnectionError("killed")
        return await append_in_bulk(connection, chunk)

    failing = EmptyFeed(lock_feed, select_last_hotel, append_two, analyze_feed)
    with pytest.raises(ConnectionError, match="killed"):
        await add_demo_history(provider_url, simulation(), 1, NOW, failing)
    assert await events(provider_db) == []

    stored = await add_demo_history(provider_url, simulation(), 1, NOW, EMPTY_FEED)
    assert len(await events(provider_db)) == stored > 600


async def test_a_past_that_would_delay_the_start_for_minutes_is_not_written_and_a_line_says_so(
    provider_db: asyncpg.Pool, provider_url: Secret, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await add_demo_history(provider_url, Simulation(1, 100, 60), 2, NOW, EMPTY_FEED) == 0

    assert await events(provider_db) == []
    assert capsys.readouterr().err == (
        "nightaudit: the simulated hotels begin without a past: 2 years of 6000 rooms take too long to write at the "
        "start; set PROVIDER_GENERATOR_YEARS, _HOTELS or _ROOMS to a smaller number\n"
    )
