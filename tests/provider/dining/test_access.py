"""Access control: tokens, passwords, and attacks on both."""

import asyncio
import base64
import json
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import jwt
import pytest

from common.config import Secret, Secrets
from common.web.errors import Unauthorized
from provider.dining.auth import passwords, tokens
from provider.dining.settings import User
from tests.support.restaurant import Restaurant

NOW = datetime.now(UTC)
ADMIN = User("admin", Secret("1"), "admin")
SECRET = Secret("demo-jwt-secret-of-make-run-only-0123456789")
ADMIN_PATHS = [
    ("POST", "add_table/"),
    ("PATCH", "update_table/"),
    ("POST", "tables/bulk"),
    ("POST", "accept_booking/?id=1"),
    ("POST", "cancel_booking/?id=1"),
    ("POST", "set_booking/?id=1"),
    ("GET", "view_active_bookings/"),
    ("GET", "view_tables/"),
    ("GET", "view_booking/?id=1"),
    ("GET", "view_prices/?id=1"),
    ("GET", "outbox/"),
    ("POST", "retry_message/?id=1"),
    ("POST", "erase_guest/"),
]


def claims(**changes: Any) -> dict[str, Any]:
    now = int(NOW.timestamp())
    return {
        "sub": "admin", "role": "admin", "token_type": "access", "iat": now, "exp": now + 86400, "jti": 32 * "0"
    } | changes  # fmt: skip


def unsigned(header: dict[str, Any], payload: dict[str, Any]) -> str:
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, payload)]
    return ".".join([*parts, ""])


def claims_without(name: str) -> dict[str, Any]:
    return {key: value for key, value in claims().items() if key != name}


KEY = SECRET.reveal()
BAD_TOKENS = {
    "nonsense": "nonsense",
    "alg none": unsigned({"alg": "none", "typ": "JWT"}, claims()),
    "alg None": unsigned({"alg": "None", "typ": "JWT"}, claims()),
    "other algorithm": jwt.encode(claims(), KEY * 2, algorithm="HS512"),
    "other algorithm, same key": jwt.encode(claims(), KEY * 2, algorithm="HS384"),
    "wrong key": jwt.encode(claims(), "x" * 43, algorithm="HS256"),
    "expired": jwt.encode(claims(iat=1, exp=2), KEY, algorithm="HS256"),
    "not yet issued": jwt.encode(claims(iat=claims()["iat"] + 3600, exp=claims()["exp"] + 3600), KEY),
    "refresh token": jwt.encode(claims(token_type="refresh"), KEY),
    "unknown role": jwt.encode(claims(role="owner"), KEY),
    **{f"without {name}": jwt.encode(claims_without(name), KEY) for name in claims()},
}


@pytest.mark.parametrize(
    ("issued", "expires", "valid"), [(10, 100, True), (11, 100, False), (-100, -9, True), (-100, -10, False)]
)
def test_two_clocks_may_differ_by_ten_seconds(
    monkeypatch: pytest.MonkeyPatch, issued: int, expires: int, valid: bool
) -> None:
    """issued, expires: seconds from now, by the clock of the replica that reads the token."""
    now = datetime(2026, 10, 1, 12, tzinfo=UTC)

    class StandingClock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "StandingClock":
            return cls.fromtimestamp(now.timestamp(), tz)

    monkeypatch.setattr("jwt.api_jwt.datetime", StandingClock)
    seconds = int(now.timestamp())
    token = jwt.encode(claims(iat=seconds + issued, exp=seconds + expires), KEY, algorithm="HS256")

    with nullcontext() if valid else pytest.raises(Unauthorized):
        assert tokens.verify(Secrets(SECRET), token, "access").sub == "admin"


@pytest.mark.parametrize(("method", "path"), ADMIN_PATHS)
async def test_every_admin_path_requires_the_token_of_an_admin(restaurant: Restaurant, method: str, path: str) -> None:
    customer = (await restaurant.log_in("josh"))["access"]

    for headers, status in (({}, 401), ({"Authorization": f"Bearer {customer}"}, 403)):
        response = await restaurant.open(f"/api/admin/{path}", method, headers=headers)
        assert response.status_code == status
        assert response.content_type == "application/problem+json"
        assert (await response.get_json())["status"] == status


@pytest.mark.parametrize("token", BAD_TOKENS.values(), ids=BAD_TOKENS)
async def test_an_invalid_token_is_refused(restaurant: Restaurant, token: str) -> None:
    response = await restaurant.client.get(
        "/api/admin/view_active_bookings/", headers={"Authorization": f"Bearer {token}"}
    )

    assert response.status_code == 401
    assert response.content_type == "application/problem+json"
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


async def test_a_token_is_accepted_until_it_expires(restaurant: Restaurant) -> None:
    now = datetime.now(UTC)
    token = tokens.issue(SECRET, ADMIN, "access", now)
    old = tokens.issue(SECRET, ADMIN, "access", now - timedelta(days=1))

    for each, status in ((token, 200), (old, 401)):
        response = await restaurant.client.get(
            "/api/admin/view_active_bookings/", headers={"Authorization": f"Bearer {each}"}
        )
        assert response.status_code == status


async def test_only_a_refresh_token_of_an_existing_user_gives_an_access_token(restaurant: Restaurant) -> None:
    pair = await restaurant.log_in()

    response = await restaurant.client.post("/api/token/refresh/", json={"refresh": pair["refresh"]})
    assert response.status_code == 200
    access = (await response.get_json())["access"]
    headers = {"Authorization": f"Bearer {access}"}
    assert (await restaurant.client.get("/api/admin/outbox/", headers=headers)).status_code == 200
    unknown_user = tokens.issue(SECRET, User("nobody", Secret("1"), "admin"), "refresh", datetime.now(UTC))
    for wrong in (pair["access"], unknown_user, "x"):
        assert (await restaurant.client.post("/api/token/refresh/", json={"refresh": wrong})).status_code == 401


async def test_a_token_has_the_documented_claims(restaurant: Restaurant) -> None:
    access = jwt.decode((await restaurant.log_in())["access"], KEY, algorithms=["HS256"])

    assert (access["sub"], access["role"]) == ("admin", "admin")
    assert access["exp"] > access["iat"]
    for name in ("cutomer", "josh", "mike"):
        assert jwt.decode((await restaurant.log_in(name))["access"], KEY, algorithms=["HS256"])["role"] == "customer"


async def test_a_wrong_password_and_an_unknown_user_get_the_same_answer(restaurant: Restaurant) -> None:
    responses = [
        await restaurant.client.post("/api/token/", json={"username": name, "password": password})
        for name, password in (("admin", "2"), ("nobody", "1"))
    ]

    assert [response.status_code for response in responses] == [401, 401]
    problems = [await response.get_json() for response in responses]
    assert problems[0] | {"request_id": ""} == problems[1] | {"request_id": ""}


async def test_repeated_failures_throttle_only_their_own_username(restaurant: Restaurant) -> None:
    async def attempt(name: str, password: str) -> Any:
        return await restaurant.client.post("/api/token/", json={"username": name, "password": password})

    assert [(await attempt("admin", "2")).status_code for _ in range(5)] == [401] * 5
    await restaurant.db.execute("UPDATE failed_login SET slowed_until = slowed_until + interval '1 hour'")
    throttled = await attempt("admin", "1")
    assert throttled.status_code == 429
    assert int(throttled.headers["Retry-After"]) >= 1
    assert (await attempt("josh", "1")).status_code == 200
    await restaurant.db.execute("UPDATE failed_login SET slowed_until = now()")
    assert (await attempt("admin", "1")).status_code == 200
    assert await restaurant.db.fetchval("SELECT count(*) FROM failed_login") == 0


async def test_parallel_guesses_cannot_bypass_the_throttle(restaurant: Restaurant) -> None:
    guesses = [
        restaurant.client.post("/api/token/", json={"username": "admin", "password": f"guess {number}"})
        for number in range(20)
    ]

    statuses = [response.status_code for response in await asyncio.gather(*guesses)]

    assert statuses.count(401) <= 7
    assert set(statuses) == {401, 429}


@pytest.mark.parametrize(
    "body", [{}, {"username": "admin"}, {"username": "", "password": "1"}, {"username": "a\u0000", "password": "1"},
             {"username": 1, "password": "1"}, {"username": "admin", "password": "1", "x": 1}]
)  # fmt: skip
async def test_a_malformed_login_is_invalid(restaurant: Restaurant, body: Any) -> None:
    assert (await restaurant.client.post("/api/token/", json=body)).status_code == 400


async def test_a_refreshed_token_carries_the_role_that_the_user_has_now(restaurant: Restaurant) -> None:
    """A refresh token that was issued while josh was an admin."""
    old = tokens.issue(SECRET, User("josh", Secret("1"), "admin"), "refresh", datetime.now(UTC))

    response = await restaurant.client.post("/api/token/refresh/", json={"refresh": old})
    access = (await response.get_json())["access"]
    headers = {"Authorization": f"Bearer {access}"}
    assert jwt.decode(access, KEY, algorithms=["HS256"])["role"] == "customer"
    assert (await restaurant.client.get("/api/admin/outbox/", headers=headers)).status_code == 403


async def test_tokens_live_for_half_an_hour_and_for_a_day(restaurant: Restaurant) -> None:
    pair = await restaurant.log_in()
    refreshed = await (
        await restaurant.client.post("/api/token/refresh/", json={"refresh": pair["refresh"]})
    ).get_json()

    for token, kind, lifetime in (
        (pair["access"], "access", 1800), (refreshed["access"], "access", 1800), (pair["refresh"], "refresh", 86400)
    ):  # fmt: skip
        decoded = jwt.decode(token, KEY, algorithms=["HS256"])
        assert (decoded["exp"] - decoded["iat"], decoded["token_type"]) == (lifetime, kind)


@pytest.mark.parametrize(("left", "status"), [(30, 200), (-5, 200), (-15, 401)])
async def test_a_token_is_valid_until_ten_seconds_after_its_end(restaurant: Restaurant, left: int, status: int) -> None:
    issued = datetime.now(UTC) - tokens.LIFETIMES["access"] + timedelta(seconds=left)
    headers = {"Authorization": f"Bearer {tokens.issue(SECRET, ADMIN, 'access', issued)}"}

    assert (await restaurant.client.get("/api/admin/outbox/", headers=headers)).status_code == status


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_name_of_the_scheme_may_have_any_case(restaurant: Restaurant, scheme: str) -> None:
    headers = {"Authorization": f"{scheme} {(await restaurant.log_in())['access']}"}

    assert (await restaurant.client.get("/api/admin/outbox/", headers=headers)).status_code == 200


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic {}", "{}", "Bearerx {}"])
async def test_another_scheme_is_not_accepted(restaurant: Restaurant, header: str) -> None:
    headers = {"Authorization": header.format((await restaurant.log_in())["access"])}

    assert (await restaurant.client.get("/api/admin/outbox/", headers=headers)).status_code == 401


async def test_the_password_of_an_unknown_user_is_hashed_like_that_of_a_known_one(
    restaurant: Restaurant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the time of the answer does not tell which users exist."""
    verified: list[str] = []
    hasher = passwords._hasher

    class Counting:
        def hash(self, password: str) -> str:
            return hasher.hash(password)

        def verify(self, stored: str, password: str) -> bool:
            verified.append(password)
            return hasher.verify(stored, password)

    monkeypatch.setattr(passwords, "_hasher", Counting())
    for name in ("nobody", "admin"):
        await restaurant.client.post("/api/token/", json={"username": name, "password": f"guess of {name}"})
    # Also with the password of the user whose hash is verified instead.
    again = await restaurant.client.post("/api/token/", json={"username": "nobody", "password": "1"})

    assert verified == ["guess of nobody", "guess of admin", "1"]
    assert again.status_code == 401
