"""The token: asked for once, shared, renewed once, and never in a loop."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

import dashboard.app
import dashboard.config
from common.config import Secret, read_config
from common.web.resources import Application
from dashboard.catalog import offers_token
from dashboard.catalog.offers_token import TokenKeeper, claim_renewal
from dashboard.resources import resources_of
from tests.support.fake_offers import BASE, Catalogue, FakeOffers, Reply, offer, reply
from tests.support.waiting import eventually


@pytest.fixture
async def replica(fake: FakeOffers, dashboard_url: Secret, environment: dict[str, str]) -> AsyncIterator[Catalogue]:
    """A second dashboard on the same database."""
    app = dashboard.app.create_app(read_config(dashboard.config.Config, environment), dashboard_url)
    async with app.test_app():
        yield Catalogue(app, environment)


def keeper(app: Application) -> TokenKeeper:
    return resources_of(app).offers.keeper


async def test_one_token_serves_every_call_and_every_replica(
    catalogue: Catalogue, replica: Catalogue, fake: FakeOffers
) -> None:
    await catalogue.create("one")
    await replica.create("two")
    await replica.refresh()
    await catalogue.refresh()

    assert fake.calls["auth"] == 1
    assert await keeper(catalogue.app).token() == await keeper(replica.app).token()


async def test_two_dashboards_starting_at_once_ask_once(
    fake: FakeOffers, dashboard_url: Secret, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    searching: set[TokenKeeper] = set()
    find = TokenKeeper._find

    async def noted(self: TokenKeeper, refused: str | None) -> str:
        searching.add(self)
        return await find(self, refused)

    async def until_both_want_it(kind: str, _: str) -> Reply:
        if kind == "auth":
            await eventually(lambda: len(searching) == 2)
        return None

    monkeypatch.setattr(TokenKeeper, "_find", noted)
    fake.fault = until_both_want_it
    config = read_config(dashboard.config.Config, environment | {"DASHBOARD_OFFERS_SECONDS": "1"})
    apps = [dashboard.app.create_app(config, dashboard_url) for _ in range(2)]
    async with apps[0].test_app(), apps[1].test_app():
        clients = [Catalogue(app, environment) for app in apps]
        products = await asyncio.gather(*(client.create() for client in clients for _ in range(10)))

    assert {product["registration"] for product in products} == {"registered"}
    assert fake.calls["auth"] == 1


async def test_the_token_survives_a_restart(
    fake: FakeOffers, dashboard_url: Secret, environment: dict[str, str]
) -> None:
    for _ in range(2):
        app = dashboard.app.create_app(read_config(dashboard.config.Config, environment), dashboard_url)
        async with app.test_app():
            assert (await Catalogue(app, environment).create())["registration"] == "registered"

    assert fake.calls["auth"] == 1


async def test_a_token_that_ends_with_500_requests_in_flight_is_renewed_once(
    catalogue: Catalogue, fake: FakeOffers, environment: dict[str, str]
) -> None:
    await catalogue.create_many(500)
    await catalogue.refresh()
    calls = asyncio.Event()

    async def end_when_all_are_there(kind: str, _: str) -> Reply:
        if kind == "offers":
            if fake.in_flight >= 500 and not calls.is_set():
                fake.valid_tokens.clear()
                calls.set()
            await calls.wait()
        return None

    fake.fault = end_when_all_are_there
    fake.default_offers = [offer("a", 100)]
    wide = Catalogue(catalogue.app, environment | {"DASHBOARD_OFFERS_CONCURRENCY": "500"})
    did = await wide.refresh()

    assert (did["refreshed"], did["failed"], did["skipped"]) == (500, 0, 0)
    assert fake.calls["auth"] == 2
    assert await catalogue.db.fetchval("SELECT count(*) FROM offer WHERE price = 100") == 500


async def test_a_replica_whose_token_was_replaced_takes_the_stored_one(
    catalogue: Catalogue, replica: Catalogue, fake: FakeOffers
) -> None:
    await catalogue.create()
    await replica.create()
    fake.valid_tokens.clear()

    assert (await catalogue.create())["registration"] == "registered"
    assert (await replica.create())["registration"] == "registered"
    assert fake.calls["auth"] == 2


async def test_while_another_is_valid_nobody_asks_again(catalogue: Catalogue, fake: FakeOffers) -> None:
    fake.fail(400, {"code": "BAD_REQUEST", "msg": "another is valid"}, only="auth")

    products = [await catalogue.create() for _ in range(5)]
    did = await catalogue.register()

    assert {product["registration"] for product in products} == {"pending"}
    assert (did["due"], did["skipped"]) == (5, 5)
    assert fake.calls["auth"] < 5
    fake.fault = None
    await catalogue.end_backoff()
    assert (await catalogue.register())["refreshed"] == 5


async def test_refusals_move_the_next_attempt_away(catalogue: Catalogue, fake: FakeOffers) -> None:
    fake.fail(400, only="auth")
    pauses = []
    for _ in range(9):
        await catalogue.register()
        pauses.append(
            await catalogue.db.fetchval(
                "SELECT extract(epoch FROM not_before - clock_timestamp())::float8 FROM offers_token"
            )
        )
        await catalogue.end_backoff()

    assert pauses[0] <= 1
    assert 50 < pauses[-1] <= 60
    assert fake.calls["auth"] == 9


async def test_the_wait_that_the_service_asks_for_is_kept(catalogue: Catalogue, fake: FakeOffers) -> None:
    fake.fail(429, only="auth", headers={"Retry-After": "1800"})

    for _ in range(3):
        await catalogue.create()
        await catalogue.register()

    assert fake.calls == {"auth": 1}


async def test_tokens_that_never_work_are_not_asked_for_in_a_loop(catalogue: Catalogue, fake: FakeOffers) -> None:
    await catalogue.create_many(300)
    fake.fail(401, only="offers")

    for _ in range(4):
        await catalogue.refresh()

    assert fake.calls["auth"] <= 4
    assert fake.calls["offers"] <= 400


@pytest.mark.parametrize("body", [b"", b"{}", {"access_token": ""}, {"access_token": "a\r\nb"}, {"access_token": 7}])
async def test_an_answer_without_a_token_is_none(catalogue: Catalogue, fake: FakeOffers, body: Any) -> None:
    async def fault(kind: str, _: str) -> Reply:
        return reply(201, body) if kind == "auth" else None

    fake.fault = fault

    assert (await catalogue.create())["registration"] == "pending"
    assert await catalogue.db.fetchval("SELECT token FROM offers_token") is None


async def test_who_died_while_asking_is_replaced_after_the_lease(
    catalogue: Catalogue, fake: FakeOffers, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await claim_renewal(catalogue.db, BASE, "somebody who died", None)
    looks = 0
    select = offers_token.select_access

    async def counted(*arguments: Any) -> offers_token.Access:
        nonlocal looks
        looks += 1
        return await select(*arguments)

    monkeypatch.setattr(offers_token, "select_access", counted)
    search = asyncio.create_task(keeper(catalogue.app).token())
    await eventually(lambda: looks > 2)
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


async def test_a_request_that_gives_up_does_not_end_the_search_of_others(
    catalogue: Catalogue, fake: FakeOffers
) -> None:
    go = asyncio.Event()

    async def slow(kind: str, _: str) -> Reply:
        if kind == "auth":
            await go.wait()
        return None

    fake.fault = slow
    impatient = asyncio.create_task(keeper(catalogue.app).token())
    patient = asyncio.create_task(keeper(catalogue.app).token())
    await eventually(lambda: fake.calls["auth"])
    impatient.cancel()
    await asyncio.gather(impatient, return_exceptions=True)
    go.set()

    assert await patient in fake.valid_tokens
    assert fake.calls["auth"] == 1
