"""The job of the simulated hotels: over HTTP, restarted, on two replicas, and with a provider that fails."""

import json
import random
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import asyncpg
import pytest

from common.config import Secret, read_config
from common.jobs.lease import Lease
from common.upstream import Upstream, UpstreamError, create_client_session
from common.web.resources import Application
from provider import schedule
from provider.booking_events.inputs import EventInput
from provider.config import Config
from provider.resources import resources_of
from provider.simulated_hotels.jobs import Generator
from provider.simulated_hotels.simulation import Simulation
from tests.support.applications import run_process
from tests.support.served import Served

NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)
"""In the past, and far enough from midnight that the date does not change during a test."""


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with create_client_session() as client:
        yield client


class Flaky(Upstream):
    """A provider whose POSTs fail at random; half of the failed ones are stored nevertheless."""

    share = 0.2
    generator = random.Random(3)

    async def fetch(self, method: str, path: str, **call: Any) -> bytes:
        fault = method == "POST" and self.generator.random() < self.share
        if fault and self.generator.random() < 0.5:
            raise UpstreamError("lost on the way there")
        answer = await super().fetch(method, path, **call)
        if fault:
            raise UpstreamError("lost on the way back")
        return answer


def generator(upstream: Upstream, rate: float = 3000, rooms: int = 6) -> Generator:
    return Generator(upstream, Simulation(1, 2, rooms), rate=rate)


def lease(epoch: int) -> Lease:
    return Lease("simulate_hotels", "test", epoch)


async def require_sound(db: asyncpg.Pool) -> int:
    """Require that no night is sold twice and only booked nights are cancelled; returns the number of events."""
    rows = await db.fetch("SELECT * FROM booking_event ORDER BY event_timestamp, id")
    sold = set()
    for row in rows:
        night = (row["hotel_id"], row["room_id"], row["night_of_stay"])
        assert row["night_of_stay"] >= row["event_timestamp"].date()
        if row["status"] == 1:
            assert night not in sold, "a night was sold twice"
            sold.add(night)
        else:
            assert night in sold, "a night was cancelled that was not booked"
            sold.remove(night)
    return len(rows)


async def test_the_rate_holds_over_time(
    served: Served, client: aiohttp.ClientSession, provider_db: asyncpg.Pool
) -> None:
    hotels = generator(Upstream(client, "feed", served.url), rate=600, rooms=40)
    sent = 0
    for second in range(61):
        result = await hotels.run(lease(second + 1), NOON + timedelta(seconds=second))
        sent += int(result["sent"])

    assert 580 <= sent <= 660  # no stay is cut
    assert await require_sound(provider_db) == sent


async def test_no_night_is_sold_twice_after_restarts_and_by_two_providers(
    served: Served, client: aiohttp.ClientSession, provider_db: asyncpg.Pool
) -> None:
    upstream = Upstream(client, "feed", served.url)
    first, second = generator(upstream), generator(upstream)
    for epoch in range(1, 19):
        if epoch % 6 == 0:
            first = generator(upstream)
        turn = second if epoch % 5 in (2, 3) else first
        await turn.run(lease(epoch), NOON + timedelta(seconds=epoch))

    assert await require_sound(provider_db) > 500


async def test_a_provider_that_fails_at_times_does_not_corrupt_the_feed(
    served: Served, client: aiohttp.ClientSession, provider_db: asyncpg.Pool
) -> None:
    hotels = generator(Flaky(client, "feed", served.url))
    failed = 0
    for epoch in range(1, 19):
        result = await hotels.run(lease(epoch), NOON + timedelta(seconds=epoch))
        failed += int(result["failed"])

    assert failed > 50
    assert await require_sound(provider_db) > 100


async def test_a_provider_that_is_down_fails_the_run_and_the_next_run_continues(
    served: Served, client: aiohttp.ClientSession, provider_db: asyncpg.Pool
) -> None:
    upstream = Flaky(client, "feed", served.url)
    hotels = generator(upstream)
    upstream.share = 1.0
    with pytest.raises(UpstreamError):
        await hotels.run(lease(1), NOON)
    upstream.share = 0.0
    stored = await provider_db.fetchval("SELECT count(*) FROM booking_event")
    result = await hotels.run(lease(2), NOON + timedelta(seconds=1))

    assert result["sent"] > 0
    assert result["failed"] == 0
    assert await require_sound(provider_db) == stored + result["sent"]


async def test_the_hotels_send_valid_events(served: Served, client: aiohttp.ClientSession) -> None:
    bodies: list[Any] = []

    class Recorded(Upstream):
        async def fetch(self, method: str, path: str, **call: Any) -> bytes:
            if method == "POST":
                bodies.append(call["json"])
            return await super().fetch(method, path, **call)

    await generator(Recorded(client, "feed", served.url)).run(lease(1), NOON)

    assert bodies
    for body in bodies:
        EventInput.model_validate_json(json.dumps(body), context={"now": datetime.now(UTC)})


@pytest.mark.parametrize(("rate", "interval"), [("0", 0), ("0.5", 1), ("60", 1)])
def test_a_rate_of_0_switches_the_job_off(
    provider_app: Application, environment: dict[str, str], rate: str, interval: float
) -> None:
    config = read_config(Config, {**environment, "PROVIDER_GENERATOR_RATE": rate})

    jobs = {job.name: job for job in schedule.jobs(replace(resources_of(provider_app), config=config))}

    assert jobs["simulate_hotels"].interval == interval


def generate(url: Secret, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return run_process("provider", "generate", *arguments, environment={"PROVIDER_DATABASE_URL": url.reveal()})


async def test_the_command_writes_the_history_of_new_hotels(provider_url: Secret, provider_db: asyncpg.Pool) -> None:
    for _ in range(2):
        done = generate(provider_url, "--hotels", "2", "--years", "1", "--rooms", "4")
        assert done.returncode == 0, done.stderr

    assert await require_sound(provider_db) > 2000
    hotels = await provider_db.fetch("SELECT DISTINCT hotel_id FROM booking_event ORDER BY 1")
    assert [row["hotel_id"] for row in hotels] == [1, 2, 3, 4]
    assert await provider_db.fetchval("SELECT max(event_timestamp) < now() FROM booking_event")


@pytest.mark.parametrize(
    "arguments", [("--hotels", "0"), ("--rooms", "0"), ("--years", "0"), ("--years", "-1"), ("--years", "101")]
)
def test_an_impossible_history_is_refused_in_one_line(provider_url: Secret, arguments: tuple[str, str]) -> None:
    done = generate(provider_url, *arguments)

    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("nightaudit: ")


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:9100"),
        ("0.0.0.0", "http://127.0.0.1:9100"),
        ("localhost", "http://localhost:9100"),
        ("::1", "http://[::1]:9100"),
        ("::", "http://[::1]:9100"),
    ],
)
def test_the_simulated_hotels_reach_the_provider_on_any_address(host: str, url: str) -> None:
    assert read_config(Config, {"PROVIDER_HOST": host, "PROVIDER_PORT": "9100"}).own_url == url
