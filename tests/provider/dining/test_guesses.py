"""Guesses of passwords and forged tokens, and the replacement of the secret that signs tokens."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest

from common.config import Secret
from common.web import login_throttle
from provider.dining.auth import passwords, tokens
from provider.dining.settings import User
from provider.resources import resources_of
from tests.support.callers import sent_from
from tests.support.restaurant import Restaurant

ADMIN = User("admin", Secret("1"), "admin")
OLD, NEW, OTHER = (f"a-secret-that-signs-tokens-{name}-0123456789" for name in ("old", "new", "other"))


@pytest.fixture(autouse=True)
def long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login_throttle, "FIRST_WAIT_SECONDS", 3600)
    monkeypatch.setattr(login_throttle, "MAX_WAIT_SECONDS", 3600)


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    return environment | {"PROVIDER_JWT_SECRET": f"{NEW},{OLD}"}


async def log_in(restaurant: Restaurant, name: str, password: str, address: str = "192.0.2.1") -> int:
    credentials = {"username": name, "password": password}
    answer = await restaurant.client.post("/api/token/", json=credentials, scope_base=sent_from(address))
    return answer.status_code


async def look(restaurant: Restaurant, token: str, address: str = "192.0.2.1") -> int:
    """Look at the active bookings with an access token; returns the status."""
    headers = {"Authorization": f"Bearer {token}"}
    path = "/api/admin/view_active_bookings/"
    return (await restaurant.client.get(path, headers=headers, scope_base=sent_from(address))).status_code


async def refresh(restaurant: Restaurant, token: str) -> Any:
    return await restaurant.client.post(
        "/api/token/refresh/", json={"refresh": token}, scope_base=sent_from("192.0.2.1")
    )


def issue(secret: str, kind: tokens.TokenType = "access", ago: timedelta = timedelta(0)) -> str:
    return tokens.issue(Secret(secret), ADMIN, kind, datetime.now(UTC) - ago)


async def test_a_stranger_who_fails_elsewhere_does_not_lock_the_admin_out(restaurant: Restaurant) -> None:
    assert [await log_in(restaurant, "admin", "guess") for _ in range(6)] == [401] * 5 + [429]

    assert await log_in(restaurant, "admin", "1", "192.0.2.2") == 200
    assert await log_in(restaurant, "admin", "1") == 429


async def test_of_a_hundred_parallel_guesses_five_passwords_are_verified(
    restaurant: Restaurant, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified = []
    authenticator = resources_of(restaurant.app).authenticator
    verify = authenticator._verify

    def verify_and_count(username: str, password: str) -> User | None:
        verified.append(password)
        return verify(username, password)

    monkeypatch.setattr(authenticator, "_verify", verify_and_count)

    statuses = await asyncio.gather(*(log_in(restaurant, "admin", f"guess {number}") for number in range(100)))

    assert len(verified) == 5
    assert (statuses.count(401), statuses.count(429)) == (5, 95)


async def test_a_login_that_finds_the_queue_full_is_no_failure(
    restaurant: Restaurant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "MAX_QUEUED_LOGINS", 0)
    assert [await log_in(restaurant, "admin", "1") for _ in range(9)] == [429] * 9
    monkeypatch.setattr(passwords, "MAX_QUEUED_LOGINS", 50)

    assert await log_in(restaurant, "admin", "1") == 200


async def test_forged_access_tokens_are_slowed_down_and_the_right_one_is_not(restaurant: Restaurant) -> None:
    forged = [issue(OTHER), "nonsense", jwt.encode({"sub": "admin"}, OTHER), issue(OTHER), "x.y.z", "nonsense"]

    assert [await look(restaurant, token) for token in forged] == [401] * 5 + [429]

    assert await look(restaurant, issue(NEW)) == 200
    assert await look(restaurant, issue(OTHER), address="192.0.2.2") == 401


async def test_an_expired_token_or_one_of_another_type_counts_as_no_guess(restaurant: Restaurant) -> None:
    for token in (issue(NEW, ago=timedelta(days=1)), issue(NEW, "refresh")):
        assert [await look(restaurant, token) for _ in range(7)] == [401] * 7


async def test_forged_refresh_tokens_are_slowed_down(restaurant: Restaurant) -> None:
    statuses = [(await refresh(restaurant, issue(OTHER, "refresh"))).status_code for _ in range(6)]

    assert statuses == [401] * 5 + [429]
    assert (await refresh(restaurant, issue(NEW, "refresh"))).status_code == 200


async def test_tokens_of_the_old_secret_are_valid_and_new_ones_are_signed_with_the_new(
    restaurant: Restaurant,
) -> None:
    assert [await look(restaurant, issue(secret)) for secret in (OLD, NEW, OTHER)] == [200, 200, 401]

    pair = await restaurant.log_in()
    renewed = await (await refresh(restaurant, issue(OLD, "refresh"))).get_json()

    for token in (pair["access"], pair["refresh"], renewed["access"]):
        assert jwt.decode(token, NEW, algorithms=["HS256"])["sub"] == "admin"
