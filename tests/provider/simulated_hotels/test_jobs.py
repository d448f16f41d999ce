"""The simulated hotels at work: over HTTP, restarted, doubled, and with a provider that fails."""

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
from provider.booking_events.models import EventInput
from provider.config import Config
from provider.resources import resources_of
from provider.simulated_hotels import Simulation
from provider.simulated_hotels.jobs import Generator
from tests.support.applications import run_process
from tests.support.served import Served

NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)
"""Not in the future, and no night begins in the middle of a test."""


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with create_client_session() as client:
        yield client


class Flaky(Upstream):
    """A provider of which some POSTs fail: half of them although they were stored."""

    share = 0.2
    dice = random.Random(3)

    async def fetch(self, method: str, path: str, **call: Any) -> bytes:  # type: ignore[override]  # only what the generator calls
        fault = method == "POST" and self.dice.random() < self.share
        if fault and self.dice.random() < 0.5:
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
    """No room is sold twice for a night, nothing is cancelled that is not booked; returns the events."""
    rows = await db.fetch("SELECT * FROM booking_event ORDER BY event_timestamp, id")
    sold = set()
    for row in rows:
        night = (row["hotel_id"], row["room_id"], row["night_of_stay"])
        assert row["night_of_stay"] >= row["event_timestamp"].date()
        if row["status"] == 1:
            assert night not in sold, "a night was sold twice"
            sold.add(night)
        else:
            assert night in sold, "a night was cancelled that nobody had booked"
            sold.remove(night)
    return len(rows)


async def test_the_rate_holds_over_time(
    served: Served, client: aiohttp.ClientSession, provider_db: asyncpg.Pool
) -> None:
    hotels = generator(Upstream(client, "feed", served.url), rate=600, rooms=40)
    sent = 0
    for second in range(61):
        did = await hotels.run(lease(second + 1), NOON + timedelta(seconds=second))
        sent += int(did["sent"])

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


async def test_a_provider_that_fails_in_between_spoils_nothing(
    served: Served, client: aiohttp.ClientSession, provider_db: asyncpg.Pool
) -> None:
    hotels = generator(Flaky(client, "feed", served.url))
    failed = 0
    for epoch in range(1, 19):
        did = await hotels.run(lease(epoch), NOON + timedelta(seconds=epoch))
        failed += int(did["failed"])

    assert failed > 50
    assert await require_sound(provider_db) > 100


async def test_a_provider_that_is_down_fails_the_run_and_the_next_one_goes_on(
    served: Served, client: aiohttp.ClientSession, provider_db: asyncpg.Pool
) -> None:
    upstream = Flaky(client, "feed", served.url)
    hotels = generator(upstream)
    upstream.share = 1.0
    with pytest.raises(UpstreamError):
        await hotels.run(lease(1), NOON)
    upstream.share = 0.0
    stored = await provider_db.fetchval("SELECT count(*) FROM booking_event")
    did = await hotels.run(lease(2), NOON + timedelta(seconds=1))

    assert did["sent"] > 0
    assert did["failed"] == 0
    assert await require_sound(provider_db) == stored + did["sent"]


async def test_what_the_hotels_send_is_an_event(served: Served, client: aiohttp.ClientSession) -> None:
    bodies: list[Any] = []

    class Recorded(Upstream):
        async def fetch(self, method: str, path: str, **call: Any) -> bytes:  # type: ignore[override]  # only what the generator calls
            if method == "POST":
                bodies.append(call["json"])
            return await super().fetch(method, path, **call)

    await generator(Recorded(client, "feed", served.url)).run(lease(1), NOON)

    assert bodies
    for body in bodies:
        EventInput.model_validate_json(json.dumps(body), context={"now": datetime.now(UTC)})


@pytest.mark.parametrize(("rate", "interval"), [("0", 0), ("0.5", 1), ("60", 1)])
def test_no_rate_no_job(provider_app: Application, environment: dict[str, str], rate: str, interval: float) -> None:
    config = read_config(Config, {**environment, "PROVIDER_GENERATOR_RATE": rate})

    jobs = {job.name: job for job in schedule.jobs(replace(resources_of(provider_app), config=config))}

    assert jobs["simulate_hotels"].interval == interval


def generate(url: Secret, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return run_process("provider", "generate", *arguments, environment={"PROVIDER_DATABASE_URL": url.reveal()})


async def test_the_command_writes_history_of_hotels_of_its_own(provider_url: Secret, provider_db: asyncpg.Pool) -> None:
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
def test_a_history_that_cannot_be_is_refused_in_one_line(provider_url: Secret, arguments: tuple[str, str]) -> None:
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
def test_the_simulated_hotels_find_the_provider_wherever_it_listens(host: str, url: str) -> None:
    assert read_config(Config, {"PROVIDER_HOST": host, "PROVIDER_PORT": "9100"}).own_url == url
