"""Bearer tokens: their form, the rights that they give, rotation, and the brake on wrong ones."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from quart import Blueprint, Response
from quart_schema import tag_blueprint

from common.config import Secret, Secrets
from common.db.pool import BoundedPool
from common.web import application, health, login_throttle
from common.web.bearer import token_required, token_scheme
from common.web.openapi.document import operation
from common.web.resources import Application
from common.web.responses import json_response
from provider.app import MIGRATIONS
from tests.common.conftest import provide
from tests.support.callers import sent_from

RIGHT, NEXT = "the-right-token-of-old", "the-right-token-of-new"

Tokens = dict[str, Secrets | None]


def routes(tokens: Tokens) -> Blueprint:
    doors = Blueprint("doors", __name__)
    tag_blueprint(doors, ["test"])

    @doors.get("/front")
    @operation()
    @token_required("front", lambda: tokens["front"])
    async def front() -> Response:
        """Enter by the front door."""
        return json_response("in")

    @doors.get("/back")
    @operation()
    @token_required("back", lambda: tokens["back"])
    async def back() -> Response:
        """Enter by the back door."""
        return json_response("in")

    return doors


@pytest.fixture
def tokens() -> Tokens:
    return {"front": Secrets(Secret(RIGHT)), "back": Secrets(Secret(NEXT))}


@pytest.fixture
async def app(ground_pool: BoundedPool, tokens: Tokens, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Application]:
    """An application with two doors; five wrong tokens make an address wait for an hour."""
    monkeypatch.setattr(login_throttle, "FIRST_WAIT_SECONDS", 3600)
    monkeypatch.setattr(login_throttle, "MAX_WAIT_SECONDS", 3600)
    schemes = {f"{name}Token": token_scheme("A_TOKEN", "It opens a door.") for name in ("front", "back")}
    app = application.create(
        "doors", title="Doors", description="For tests", tags={"test": "Test"}, security_schemes=schemes
    )
    app.register_blueprint(routes(tokens))
    app.register_blueprint(health.blueprint(MIGRATIONS))
    provide(app, ground_pool)
    await ground_pool.execute("TRUNCATE failed_login")
    async with app.test_app():
        yield app


async def enter(app: Application, authorization: str | None, path: str = "/front", address: str = "192.0.2.1") -> Any:
    headers = {"Authorization": authorization} if authorization is not None else {}
    return await app.test_client().get(path, headers=headers, scope_base=sent_from(address))


async def guess(app: Application, times: int, path: str = "/front", address: str = "192.0.2.1") -> list[int]:
    guesses = (enter(app, f"Bearer guess {number}", path, address) for number in range(times))
    return [response.status_code for response in await asyncio.gather(*guesses)]


@pytest.mark.parametrize("authorization", [f"Bearer {RIGHT}", f"bearer {RIGHT}", f"BEARER   {RIGHT} "])
async def test_the_right_token_is_accepted_in_any_case_of_the_scheme(app: Application, authorization: str) -> None:
    assert (await enter(app, authorization)).status_code == 200


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer ", RIGHT, f"Basic {RIGHT}", f"Bearer{RIGHT}"])
async def test_a_request_without_a_bearer_token_is_told_the_scheme_and_counts_as_no_guess(
    app: Application, ground_pool: asyncpg.Pool, authorization: str | None
) -> None:
    for _ in range(7):
        answer = await enter(app, authorization)
        assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="front"'
    assert await ground_pool.fetchval("SELECT count(*) FROM failed_login") == 0


async def test_a_wrong_token_is_refused(app: Application) -> None:
    answer = await enter(app, f"Bearer {NEXT}")

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="front", error="invalid_token"'
    problem = await answer.get_json()
    assert (problem["code"], problem["detail"]) == ("invalid_token", "Invalid front token.")


async def test_without_a_configured_token_anybody_may_enter(app: Application, tokens: Tokens) -> None:
    tokens["front"] = None

    assert (await enter(app, None)).status_code == 200
    assert (await enter(app, "Bearer anything")).status_code == 200


async def test_the_old_and_the_new_token_are_accepted_while_one_replaces_the_other(
    app: Application, tokens: Tokens
) -> None:
    tokens["front"] = Secrets(Secret(RIGHT), Secret(NEXT))

    answers = [await enter(app, f"Bearer {token}") for token in (RIGHT, NEXT, f"{RIGHT},{NEXT}")]

    assert [answer.status_code for answer in answers] == [200, 200, 401]


async def test_wrong_tokens_are_slowed_down_for_their_address_and_kind(app: Application) -> None:
    assert sorted(await guess(app, 7)) == [401] * 5 + [429] * 2

    refused = await enter(app, "Bearer guess")
    assert int(refused.headers["Retry-After"]) > 3000
    assert await guess(app, 1, path="/back") == [401]
    assert await guess(app, 1, address="192.0.2.2") == [401]


async def test_a_right_token_from_an_address_that_is_slowed_down_is_accepted_and_forgives_nothing(
    app: Application,
) -> None:
    assert 429 in await guess(app, 6)

    assert (await enter(app, f"Bearer {RIGHT}")).status_code == 200
    assert await guess(app, 1) == [429]


async def test_a_thousand_parallel_guesses_get_five_answers(app: Application) -> None:
    statuses = await guess(app, 1000)

    assert (statuses.count(401), statuses.count(429)) == (5, 995)


async def test_a_right_token_touches_no_table(app: Application, ground_pool: BoundedPool) -> None:
    async with ground_pool.acquire() as locked, locked.transaction():
        await locked.execute("LOCK TABLE failed_login")
        assert (await enter(app, f"Bearer {RIGHT}")).status_code == 200


async def test_metrics_require_the_operations_token_and_probes_do_not(app: Application) -> None:
    app.resources = type(app.resources)(
        pools=app.resources.pools, http=app.resources.http, operations_tokens=Secrets(Secret(RIGHT))
    )

    assert (await enter(app, None, "/metrics")).status_code == 401
    assert (await enter(app, f"Bearer {RIGHT}", "/metrics")).status_code == 200
    assert [(await enter(app, None, path)).status_code for path in ("/livez", "/readyz")] == [200, 200]


async def test_the_document_names_the_scheme_as_optional_and_both_refusals(app: Application) -> None:
    document = await (await app.test_client().get("/openapi.json")).get_json()

    described = document["paths"]["/front"]["get"]
    assert described["security"] == [{}, {"frontToken": []}]
    assert {"401", "429"} <= set(described["responses"])
    assert "A_TOKEN" in document["components"]["securitySchemes"]["frontToken"]["description"]
