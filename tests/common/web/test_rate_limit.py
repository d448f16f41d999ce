"""Rate limits: how many requests are admitted, what callers are told, and that parallel requests cannot exceed them."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from hashlib import sha256
from typing import Any

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field
from quart import Blueprint, Response
from quart_schema import tag_blueprint

from common.config import Secret
from common.db.pool import BoundedPool, create_pool
from common.web import application
from common.web import rate_limit as rate_limit_module
from common.web.errors import Conflict
from common.web.input_types import Input
from common.web.openapi.document import operation
from common.web.rate_limit import Policy, delete_full_buckets, describe, rate_limit, upsert_bucket
from common.web.request_body import json_body
from common.web.resources import Application
from common.web.responses import json_response
from tests.common.conftest import provide
from tests.support.callers import sent_from
from tests.support.databases import waits_for_lock
from tests.support.waiting import eventually

HOUR = timedelta(hours=1)
BY_ADDRESS = Policy("letters", 3, HOUR)
BY_RECIPIENT = Policy("letters-to-recipient", 2, HOUR)


class Letter(Input):
    """A letter to somebody."""

    to: str
    pages: int = Field(default=1, ge=1)


async def recipient(*, data: Letter) -> str | None:
    return None if data.to == "friend" else data.to


def routes(policies: dict[str, Policy | None]) -> Blueprint:
    letters = Blueprint("letters", __name__)
    tag_blueprint(letters, ["test"])

    @letters.post("/letters")
    @operation()
    @json_body(Letter)
    @rate_limit(lambda: policies["address"])
    @rate_limit(BY_RECIPIENT, key=recipient)
    async def send_letter(data: Letter) -> Response:
        """Send a letter."""
        if data.to == "nobody":
            raise Conflict("Nobody lives there.")
        return json_response({})

    return letters


@pytest.fixture
def policies() -> dict[str, Policy | None]:
    return {"address": BY_ADDRESS}


@pytest.fixture
async def app(ground_pool: BoundedPool, policies: dict[str, Policy | None]) -> AsyncIterator[Application]:
    app = application.create("letters", title="Letters", description="For tests", tags={"test": "Test"})
    app.register_blueprint(routes(policies))
    provide(app, ground_pool)
    await ground_pool.execute("TRUNCATE rate_limit")
    async with app.test_app():
        yield app


async def send(app: Application, to: str, address: str = "192.0.2.1", **letter: Any) -> Any:
    return await app.test_client().post("/letters", json={"to": to, **letter}, scope_base=sent_from(address))


async def statuses(app: Application, *letters: tuple[str, str]) -> list[int]:
    return [(await send(app, *letter)).status_code for letter in letters]


async def test_an_address_is_refused_beyond_its_limit_and_another_is_not(app: Application) -> None:
    first, second = "192.0.2.1", "192.0.2.2"

    assert await statuses(app, *(("friend", first) for _ in range(4))) == [200, 200, 200, 429]
    assert await statuses(app, ("friend", second), ("friend", first)) == [200, 429]


async def test_a_network_of_ipv6_is_one_caller(app: Application) -> None:
    addresses = ["2001:db8::1", "2001:db8::2", "2001:db8::ffff:1", "2001:db8::4", "2001:db8:0:1::4"]

    assert await statuses(app, *(("friend", address) for address in addresses)) == [200, 200, 200, 429, 200]


async def test_a_recipient_is_protected_from_many_addresses(app: Application) -> None:
    letters = [("ann", f"192.0.2.{number}") for number in range(3)]

    assert await statuses(app, *letters, ("ben", "192.0.2.9")) == [200, 200, 429, 200]


async def test_the_response_says_what_is_left_of_each_limit(app: Application) -> None:
    first, second = await send(app, "ann"), await send(app, "ann")
    refused = await send(app, "ann")

    policy = '"letters";q=3;w=3600, "letters-to-recipient";q=2;w=3600'
    assert [answer.headers["RateLimit-Policy"] for answer in (first, second, refused)] == [policy] * 3
    assert first.headers["RateLimit"] == '"letters";r=2;t=1200, "letters-to-recipient";r=1;t=1800'
    assert second.headers["RateLimit"].startswith('"letters";r=1;t=2')
    assert '"letters-to-recipient";r=0;' in second.headers["RateLimit"]
    wait = int(refused.headers["Retry-After"])
    assert 900 < wait <= 1800
    assert refused.headers["RateLimit"].endswith(f'"letters-to-recipient";r=0;t={wait}')
    problem = await refused.get_json()
    assert (problem["status"], problem["code"]) == (429, "too_many_requests")
    assert problem["detail"] == "Too many requests: at most 2 in an hour. Try again later."


async def test_errors_of_the_view_say_what_is_left_too_and_invalid_requests_do_not_count(app: Application) -> None:
    for _ in range(5):
        assert (await send(app, "friend", pages=0)).status_code == 400
    conflict = await send(app, "nobody")

    assert conflict.status_code == 409
    assert conflict.headers["RateLimit"].startswith('"letters";r=2;')


async def test_tokens_return_one_by_one_as_time_passes(app: Application, ground_pool: asyncpg.Pool) -> None:
    async def pass_time(minutes: float) -> None:
        await ground_pool.execute("UPDATE rate_limit SET full_at = full_at - $1::interval", timedelta(minutes=minutes))

    assert await statuses(app, *[("friend", "192.0.2.1")] * 4) == [200, 200, 200, 429]
    await pass_time(19)
    assert (await send(app, "friend")).status_code == 429
    await pass_time(1)
    assert await statuses(app, *[("friend", "192.0.2.1")] * 2) == [200, 429]
    await pass_time(600)
    assert await statuses(app, *[("friend", "192.0.2.1")] * 4) == [200, 200, 200, 429]


async def test_a_limit_that_is_switched_off_neither_counts_nor_speaks(
    app: Application, policies: dict[str, Policy | None], ground_pool: asyncpg.Pool
) -> None:
    policies["address"] = None

    answers = [await send(app, "friend") for _ in range(5)]

    assert {answer.status_code for answer in answers} == {200}
    assert not any("RateLimit" in answer.headers for answer in answers)
    assert await ground_pool.fetchval("SELECT count(*) FROM rate_limit") == 0


async def test_parallel_requests_to_two_replicas_cannot_exceed_the_limit(module_url: Secret) -> None:
    policy = Policy("parallel", 10, timedelta(days=1))
    async with (
        create_pool(module_url, application="one", size=8) as one,
        create_pool(module_url, application="two", size=8) as two,
    ):
        for pool in (one, two):
            pool.acquire_seconds = 120
        outcomes = await asyncio.gather(
            *(upsert_bucket((one, two)[number % 2], policy, b"caller") for number in range(1000))
        )

    assert sum(outcome is not None for outcome in outcomes) == 10


@pytest.mark.parametrize(("seconds", "told"), [(-1.0, "1"), (0.0, "1"), (0.2, "1"), (1.0, "1"), (1.2, "2")])
async def test_the_wait_is_told_in_whole_seconds_and_is_never_zero(
    app: Application, monkeypatch: pytest.MonkeyPatch, seconds: float, told: str
) -> None:
    async def wait(*_: Any) -> float:
        return seconds

    monkeypatch.setattr(rate_limit_module, "select_wait", wait)
    await statuses(app, *[("friend", "192.0.2.1")] * 3)

    assert (await send(app, "friend")).headers["Retry-After"] == told


async def test_the_wait_is_that_of_the_callers_own_bucket(app: Application, ground_pool: asyncpg.Pool) -> None:
    for address in ("192.0.2.1", "192.0.2.2"):
        await statuses(app, *[("friend", address)] * 3)
    await ground_pool.execute(
        "UPDATE rate_limit SET full_at = full_at - interval '15 minutes' WHERE key = $1", sha256(b"192.0.2.1").digest()
    )

    waits = [int((await send(app, "friend", address)).headers["Retry-After"]) for address in ("192.0.2.1", "192.0.2.2")]

    assert waits[0] <= 300
    assert waits[1] > 900


async def test_keys_are_stored_as_hashes(app: Application, ground_pool: asyncpg.Pool) -> None:
    await send(app, "ann@example.com")

    rows = await ground_pool.fetch("SELECT key, policy FROM rate_limit")
    assert {len(row["key"]) for row in rows} == {32}
    assert not any(b"ann" in row["key"] or b"192" in row["key"] for row in rows)


async def test_only_buckets_that_are_full_again_are_deleted(app: Application, ground_pool: asyncpg.Pool) -> None:
    for number in range(4):
        await send(app, "friend", address=f"192.0.2.{number}")
    await ground_pool.execute(
        "UPDATE rate_limit SET full_at = now() - interval '2 hours' WHERE key IN (SELECT key FROM rate_limit LIMIT 3)"
    )

    assert [await delete_full_buckets(ground_pool, HOUR, 2) for _ in range(3)] == [2, 1, 0]
    assert await ground_pool.fetchval("SELECT count(*) FROM rate_limit") == 1


async def test_a_bucket_that_is_used_while_it_would_be_deleted_stays(
    app: Application, ground_pool: asyncpg.Pool
) -> None:
    await send(app, "friend")
    await ground_pool.execute("UPDATE rate_limit SET full_at = now() - interval '2 hours'")

    async with ground_pool.acquire() as connection, connection.transaction():
        await connection.execute("UPDATE rate_limit SET full_at = now() + interval '20 minutes'")
        deletion = asyncio.create_task(delete_full_buckets(ground_pool, HOUR, 10))
        await eventually(lambda: waits_for_lock(ground_pool))

    assert await deletion == 0
    assert await ground_pool.fetchval("SELECT count(*) FROM rate_limit") == 1


async def test_the_document_names_the_status_and_the_headers(app: Application) -> None:
    document = await (await app.test_client().get("/openapi.json")).get_json()

    responses = document["paths"]["/letters"]["post"]["responses"]
    assert {"RateLimit", "RateLimit-Policy", "Retry-After"} <= set(responses["429"]["headers"])
    assert {"RateLimit", "RateLimit-Policy"} <= set(responses["200"]["headers"])
    assert "RateLimit" not in responses["400"]["headers"]


@pytest.mark.parametrize(
    ("period", "words"),
    [
        (timedelta(hours=1), "an hour"),
        (timedelta(minutes=1), "a minute"),
        (timedelta(days=1), "a day"),
        (timedelta(minutes=10), "10 minutes"),
        (timedelta(seconds=90), "90 seconds"),
    ],
)
def test_a_period_is_described_in_words(period: timedelta, words: str) -> None:
    assert describe(period) == words


@given(
    limit=st.integers(1, 8),
    pauses=st.lists(st.integers(0, 4000), min_size=1, max_size=40),
)
async def test_no_period_ever_admits_more_than_twice_the_limit_and_a_patient_caller_is_never_refused(
    ground_pool: asyncpg.Pool, limit: int, pauses: list[int]
) -> None:
    """A token bucket may admit a full bucket and the tokens refilled in the same period, never more."""
    policy = Policy("law", limit, HOUR)
    await ground_pool.execute("DELETE FROM rate_limit WHERE policy = 'law'")
    admitted: list[int] = []
    tokens, refilled_at, clock = float(limit), 0, 0
    for pause in pauses:
        clock += pause
        await ground_pool.execute(
            "UPDATE rate_limit SET full_at = full_at - make_interval(secs => $1) WHERE policy = 'law'", float(pause)
        )
        tokens, refilled_at = min(limit, tokens + (clock - refilled_at) * limit / 3600), clock
        is_admitted = await upsert_bucket(ground_pool, policy, b"caller") is not None
        if tokens >= 1.05:
            assert is_admitted
        if tokens < 0.95:
            assert not is_admitted
        if is_admitted:
            tokens -= 1
            admitted.append(clock)
    for start in admitted:
        assert sum(start <= each < start + 3600 for each in admitted) <= 2 * limit
