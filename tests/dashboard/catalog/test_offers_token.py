"""The token of the offers service: requested once, shared by all replicas, renewed once, and never in a loop."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

import dashboard.app
import dashboard.config
from common.config import Secret, read_config
from common.web.resources import Application
from dashboard.catalog.offers_token import SharedToken
from dashboard.catalog.queries import offers_token as queries
from dashboard.resources import resources_of
from tests.support.fake_offers import VERSIONS, Catalogue, FakeOffers, Reply, offer, reply
from tests.support.waiting import eventually

pytestmark = pytest.mark.parametrize("version", VERSIONS)


@pytest.fixture
async def replica(fake: FakeOffers, dashboard_url: Secret, environment: dict[str, str]) -> AsyncIterator[Catalogue]:
    """A second dashboard on the same database."""
    app = dashboard.app.create_app(read_config(dashboard.config.Config, environment), dashboard_url)
    async with app.test_app():
        yield Catalogue(app, environment)


def shared_token(app: Application) -> SharedToken:
    return resources_of(app).offers.shared_token


async def test_one_token_serves_every_call_and_every_replica(
    catalogue: Catalogue, replica: Catalogue, fake: FakeOffers
) -> None:
    await catalogue.create("one")
    await replica.create("two")
    await replica.refresh()
    await catalogue.refresh()

    assert fake.calls["auth"] == 1
    assert await shared_token(catalogue.app).get() == await shared_token(replica.app).get()


async def test_two_dashboards_starting_at_once_request_one_token(
    fake: FakeOffers, dashboard_url: Secret, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    searching: set[SharedToken] = set()
    find = SharedToken._find

    async def noted(self: SharedToken, rejected: str | None) -> str:
        searching.add(self)
        return await find(self, rejected)

    async def until_both_search(kind: str, _: str) -> Reply:
        if kind == "auth":
            await eventually(lambda: len(searching) == 2)
        return None

    monkeypatch.setattr(SharedToken, "_find", noted)
    fake.fault = until_both_search
    config = read_config(dashboard.config.Config, environment | {"DASHBOARD_OFFERS_SECONDS": "1"})
    apps = [dashboard.app.create_app(config, dashboard_url) for _ in range(2)]
    async with apps[0].test_app(), apps[1].test_app():
        clients = [Catalogue(app, environment) for app in apps]
        products = await asyncio.gather(*(client.create() for client in clients for _ in range(10)))

    assert {product["registration"] for product in products} == {"registered"}
    assert fake.calls["auth"] == 1


async def test_a_restart_keeps_the_token(fake: FakeOffers, dashboard_url: Secret, environment: dict[str, str]) -> None:
    for _ in range(2):
        app = dashboard.app.create_app(read_config(dashboard.config.Config, environment), dashboard_url)
        async with app.test_app():
            assert (await Catalogue(app, environment).create())["registration"] == "registered"

    assert fake.calls["auth"] == 1


async def test_a_token_rejected_for_500_requests_in_flight_is_renewed_once(
    catalogue: Catalogue, fake: FakeOffers, environment: dict[str, str]
) -> None:
    await catalogue.create_many(500)
    await catalogue.refresh()
    calls = asyncio.Event()

    async def reject_when_all_are_in_flight(kind: str, _: str) -> Reply:
        if kind == "offers":
            if fake.in_flight >= 500 and not calls.is_set():
                fake.valid_tokens.clear()
                calls.set()
            await calls.wait()
        return None

    fake.fault = reject_when_all_are_in_flight
    fake.default_offers = [offer("a", 100)]
    wide = Catalogue(catalogue.app, environment | {"DASHBOARD_OFFERS_CONCURRENCY": "500"})
    result = await wide.refresh()

    assert (result["refreshed"], result["failed"], result["skipped"]) == (500, 0, 0)
    assert fake.calls["auth"] == 2
    assert await catalogue.db.fetchval("SELECT count(*) FROM offer WHERE price = 100") == 500


async def test_a_replica_with_a_rejected_token_uses_the_stored_one(
    catalogue: Catalogue, replica: Catalogue, fake: FakeOffers
) -> None:
    await catalogue.create()
    await replica.create()
    fake.valid_tokens.clear()

    assert (await catalogue.create())["registration"] == "registered"
    assert (await replica.create())["registration"] == "registered"
    assert fake.calls["auth"] == 2


async def test_while_the_service_refuses_a_token_not_every_request_asks_for_one(
    catalogue: Catalogue, fake: FakeOffers
) -> None:
    fake.fail(400, {"code": "BAD_REQUEST", "msg": "another is valid"}, only="auth")

    products = [await catalogue.create() for _ in range(5)]
    result = await catalogue.register()

    assert {product["registration"] for product in products} == {"pending"}
    assert (result["due"], result["skipped"]) == (5, 5)
    assert fake.calls["auth"] < 5
    fake.fault = None
    await catalogue.end_backoff()
    assert (await catalogue.register())["refreshed"] == 5


async def test_each_refused_token_request_delays_the_next(catalogue: Catalogue, fake: FakeOffers) -> None:
    await catalogue.create_many(1)
    fake.fail(400, only="auth")
    pauses = []
    for _ in range(9):
        await catalogue.refresh()
        pauses.append(
            await catalogue.db.fetchval(
                "SELECT extract(epoch FROM not_before - clock_timestamp())::float8 FROM offers_token"
            )
        )
        await catalogue.end_backoff()

    assert pauses[0] <= 1
    assert 50 < pauses[-1] <= 60
    assert fake.calls["auth"] == 9


async def test_retry_after_of_a_token_request_is_respected(catalogue: Catalogue, fake: FakeOffers) -> None:
    fake.fail(429, only="auth", headers={"Retry-After": "1800"})

    for _ in range(3):
        await catalogue.create()
        await catalogue.register()

    assert fake.calls == {"auth": 1}


async def test_tokens_that_are_never_accepted_are_not_requested_in_a_loop(
    catalogue: Catalogue, fake: FakeOffers
) -> None:
    await catalogue.create_many(300)
    fake.fail(401, only="offers")

    for _ in range(4):
        await catalogue.refresh()

    assert fake.calls["auth"] <= 4
    assert fake.calls["offers"] <= 4 * 3 * 50  # runs, tokens that a run may try on a slow machine, concurrent calls


@pytest.mark.parametrize("body", [b"", b"{}", {"access_token": ""}, {"access_token": "a\r\nb"}, {"access_token": 7}])
async def test_a_response_without_a_valid_token_stores_none(catalogue: Catalogue, fake: FakeOffers, body: Any) -> None:
    async def fault(kind: str, _: str) -> Reply:
        return reply(201, body) if kind == "auth" else None

    fake.fault = fault

    assert (await catalogue.create())["registration"] == "pending"
    assert await catalogue.db.fetchval("SELECT token FROM offers_token") is None


async def test_when_the_lease_expires_another_replica_requests_the_token(
    catalogue: Catalogue, fake: FakeOffers, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await queries.claim_renewal(catalogue.db, shared_token(catalogue.app).service, "dead owner", None)
    polls = 0
    select = queries.select_token

    async def counted(*arguments: Any) -> queries.OffersToken:
        nonlocal polls
        polls += 1
        return await select(*arguments)

    monkeypatch.setattr(queries, "select_token", counted)
    search = asyncio.create_task(shared_token(catalogue.app).get())
    await eventually(lambda: polls > 2)
    assert not search.done()

    await catalogue.db.execute("UPDATE offers_token SET renewal_expires_at = clock_timestamp()")

    assert await search in fake.valid_tokens
    assert fake.calls["auth"] == 1


async def test_a_token_of_another_service_is_not_used(
    catalogue: Catalogue, fake: FakeOffers, dashboard_db: asyncpg.Pool
) -> None:
    await dashboard_db.execute(
        "INSERT INTO offers_token (service, token) VALUES ('http://elsewhere.test/api/v1', 'theirs')"
    )

    await catalogue.create()

    assert fake.calls["auth"] == 1


async def test_a_cancelled_request_does_not_cancel_the_search_of_others(catalogue: Catalogue, fake: FakeOffers) -> None:
    go = asyncio.Event()

    async def slow(kind: str, _: str) -> Reply:
        if kind == "auth":
            await go.wait()
        return None

    fake.fault = slow
    impatient = asyncio.create_task(shared_token(catalogue.app).get())
    patient = asyncio.create_task(shared_token(catalogue.app).get())
    await eventually(lambda: fake.calls["auth"])
    impatient.cancel()
    await asyncio.gather(impatient, return_exceptions=True)
    go.set()

    assert await patient in fake.valid_tokens
    assert fake.calls["auth"] == 1
