"""What the offers service says of a failure, in its own words, and the refresh token of the present service."""

from typing import Any

import pytest

import dashboard.app
import dashboard.config
from common.config import Secret, read_config
from dashboard.alerts.queries.platform import select_failing_jobs
from dashboard.catalog.offers_client import service_of
from dashboard.catalog.offers_errors import MAX_MESSAGE_LENGTH, message_of
from dashboard.resources import resources_of
from tests.support.fake_offers import REFRESH_TOKEN, VERSIONS, Catalogue, FakeOffers, Reply, offer, reply

both_versions = pytest.mark.parametrize("version", VERSIONS)
present_version = pytest.mark.parametrize("version", ["present"])


async def last_error(catalogue: Catalogue, product: dict[str, Any]) -> str:
    return str((await catalogue.get(f"/products/{product['id']}"))["freshness"]["last_error"])


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"code": "BAD_REQUEST", "msg": "Name is too long"}', "Name is too long"),
        (b'{"detail": "Bad authentication"}', "Bad authentication"),
        (
            b'{"detail": [{"loc": ["body", "id"], "msg": "not a UUID"}, {"loc": ["body", 0], "msg": "too long"}]}',
            "body.id: not a UUID; body.0: too long",
        ),
        (b'{"detail": [{"msg": "wrong"}, "text", 7, {}]}', "wrong; text; 7; "),
        (b'{"detail": "one\\n\\ttwo\\u0000\\u202ethree"}', "one two three"),
        (b'{"detail": {"a": 1}}', ""),
        (b'{"msg": 7}', ""),
        (b'["msg"]', ""),
        (b"<html>", ""),
        (b"\xff", ""),
        (b"", ""),
    ],
)
def test_the_words_of_an_error_are_found(body: bytes, words: str) -> None:
    assert message_of(body) == words.strip()


def test_long_words_are_cut() -> None:
    assert message_of(b'{"msg": "%s"}' % (b"x" * 10_000)) == "x" * MAX_MESSAGE_LENGTH


@both_versions
@pytest.mark.parametrize("status", [400, 404, 422, 429, 500, 503])
async def test_what_the_service_says_is_kept_as_the_last_error(
    catalogue: Catalogue, fake: FakeOffers, status: int
) -> None:
    product = await catalogue.create()
    fake.fault = None
    await catalogue.refresh()

    async def fault(kind: str, _: str) -> Reply:
        return fake.error(status, "x", "Closed for the holidays") if kind in ("offers", "register") else None

    fake.fault = fault
    await catalogue.refresh()

    assert (await last_error(catalogue, product)).endswith(f"answered {status}: Closed for the holidays")


@both_versions
async def test_the_words_stay_while_the_service_is_not_called(catalogue: Catalogue, fake: FakeOffers) -> None:
    await catalogue.create_many(200)
    await catalogue.refresh()
    fake.fail(503, headers={"Retry-After": "3000"})
    for _ in range(3):
        await catalogue.refresh()

    for product in await catalogue.get("/products?limit=1000"):
        assert "answered 503: out of order" in product["freshness"]["last_error"]


@both_versions
async def test_the_words_of_a_refused_token_stay_while_none_is_requested(
    catalogue: Catalogue, fake: FakeOffers
) -> None:
    fake.fail(400, only="auth", headers={"Retry-After": "3000"})
    product = await catalogue.create()
    assert (await last_error(catalogue, product)).endswith("POST /api/v1/auth answered 400: out of order")

    await catalogue.register()
    await catalogue.register()

    assert fake.calls == {"auth": 1}
    words = await last_error(catalogue, product)
    assert words == "the offers service issues no token at present: POST /api/v1/auth answered 400: out of order"


@both_versions
@pytest.mark.parametrize("job", ["refresh_offers", "register_products"])
async def test_a_job_without_a_token_fails_with_the_words_of_the_service(
    catalogue: Catalogue, fake: FakeOffers, job: str
) -> None:
    fake.fail(401, only="auth")
    if job == "refresh_offers":
        await catalogue.create_many(2)
        run = catalogue.refresh
    else:
        await catalogue.create()
        run = catalogue.register
    for _ in range(3):
        await catalogue.end_backoff()
        await run()

    [firing] = await select_failing_jobs(catalogue.db, [job])
    assert "no product was refreshed" in firing.detail
    assert firing.detail.endswith("POST /api/v1/auth answered 401: out of order")
    fake.fault = None
    await catalogue.end_backoff()
    await run()
    assert await select_failing_jobs(catalogue.db, [job]) == []


@both_versions
async def test_a_job_that_refreshed_some_products_before_the_service_failed_has_not_failed(
    catalogue: Catalogue, fake: FakeOffers
) -> None:
    await catalogue.create_many(300)
    await catalogue.refresh()
    answered = 0

    async def fault(kind: str, _: str) -> Reply:
        nonlocal answered
        answered += 1
        return None if answered <= 10 else fake.error(503, "x", "out of order")

    fake.fault = fault
    result = await catalogue.refresh()

    assert result["refreshed"] >= 1
    assert result["skipped"] >= 1
    job = await catalogue.db.fetchrow("SELECT last_outcome FROM job WHERE name = 'refresh_offers'")
    assert job is not None
    assert job["last_outcome"] == "ok"


@both_versions
@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        ("Token ", " is not known", "Token *** is not known"),
        ("x" * (MAX_MESSAGE_LENGTH - 10), "", "x" * (MAX_MESSAGE_LENGTH - 10) + "***"),  # it is across the cut
        ("x" * (MAX_MESSAGE_LENGTH - 2), "", "x" * (MAX_MESSAGE_LENGTH - 2) + "**"),
    ],
)
async def test_an_error_that_repeats_our_token_does_not_show_it(
    catalogue: Catalogue, fake: FakeOffers, before: str, after: str, shown: str
) -> None:
    product = await catalogue.create()
    token = next(iter(fake.valid_tokens))

    async def fault(kind: str, _: str) -> Reply:
        return fake.error(500, "x", f"{before}{token}{after}") if kind == "offers" else None

    fake.fault = fault
    await catalogue.refresh()

    assert (await last_error(catalogue, product)).endswith(f"answered 500: {shown}")


@both_versions
async def test_an_endless_error_is_not_read_to_its_end(catalogue: Catalogue, fake: FakeOffers) -> None:
    product = await catalogue.create()

    async def fault(kind: str, _: str) -> Reply:
        return reply(500, b"x" * 5_000_000) if kind == "offers" else None

    fake.fault = fault
    await catalogue.refresh()

    assert (await last_error(catalogue, product)).endswith("/offers answered 500")


@present_version
async def test_the_refresh_token_is_sent_for_an_access_token_alone(catalogue: Catalogue, fake: FakeOffers) -> None:
    product = await catalogue.create()
    fake.default_offers = [offer("a", 100)]
    await catalogue.refresh()

    assert (await catalogue.get(f"/products/{product['id']}"))["best_offer"]["price"] == 100
    token = await catalogue.db.fetchrow("SELECT * FROM offers_token")
    assert token is not None
    assert token["token"] in fake.valid_tokens
    assert REFRESH_TOKEN not in str(dict(token))


@present_version
async def test_while_the_refresh_token_is_wrong_the_service_is_rarely_asked(
    catalogue: Catalogue, fake: FakeOffers
) -> None:
    fake.refresh_token = "another one"
    product = await catalogue.create()
    for _ in range(20):
        await catalogue.register()

    assert fake.calls["auth"] <= 3
    words = await last_error(catalogue, product)
    assert words.endswith("POST /api/v1/auth answered 401: Bad authentication")
    assert REFRESH_TOKEN not in words
    fake.refresh_token = REFRESH_TOKEN
    await catalogue.end_backoff()
    assert (await catalogue.register())["refreshed"] == 1


@present_version
async def test_a_token_that_expires_in_the_middle_of_a_run_is_renewed_once_and_no_product_is_registered_again(
    catalogue: Catalogue, fake: FakeOffers
) -> None:
    ids = await catalogue.create_many(300)
    await catalogue.refresh()
    fake.registrations.clear()
    fake.default_offers = [offer("a", 100)]

    async def expire(kind: str, path: str) -> Reply:
        if kind == "offers" and ids[150] in path and fake.calls["auth"] == 1:
            fake.valid_tokens.clear()
        return None

    fake.fault = expire
    result = await catalogue.refresh()

    assert (result["refreshed"], result["failed"], result["skipped"]) == (300, 0, 0)
    assert fake.calls["auth"] == 2
    assert fake.registrations == []


@present_version
async def test_a_token_that_was_lost_is_waited_for(catalogue: Catalogue, fake: FakeOffers) -> None:
    await catalogue.create()
    await catalogue.db.execute("DELETE FROM offers_token")
    resources_of(catalogue.app).offers.shared_token._token = None

    product = await catalogue.create()

    assert product["registration"] == "pending"
    assert "answered 400: Cannot generate access token because another is valid" in await last_error(catalogue, product)
    fake.valid_tokens.clear()  # it expires
    await catalogue.end_backoff()
    assert (await catalogue.register())["refreshed"] == 1


@present_version
async def test_a_new_refresh_token_does_not_use_the_access_token_of_the_one_before(
    catalogue: Catalogue, fake: FakeOffers, dashboard_url: Secret, environment: dict[str, str]
) -> None:
    await catalogue.create()
    fake.refresh_token = "the new refresh token"
    fake.valid_tokens.clear()
    changed = environment | {"DASHBOARD_OFFERS_REFRESH_TOKEN": fake.refresh_token}

    app = dashboard.app.create_app(read_config(dashboard.config.Config, changed), dashboard_url)
    async with app.test_app():
        product = await Catalogue(app, changed).create()

    assert product["registration"] == "registered"
    assert await catalogue.db.fetchval("SELECT count(*) FROM offers_token") == 2


def test_services_are_told_apart_by_address_and_refresh_token() -> None:
    address = "https://offers.example.org/api/v1"
    services = {service_of(address, token) for token in (None, Secret("one"), Secret("two"))}

    assert len(services) == 3
    assert service_of(address, None) == address
