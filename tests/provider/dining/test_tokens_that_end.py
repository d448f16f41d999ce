"""Refresh tokens end with a change of the password and when they are revoked."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt

from common.config import Secret
from provider.dining.auth import tokens
from provider.dining.auth.passwords import Authenticator
from provider.dining.queries.revoked_tokens import delete_expired_revoked_tokens
from provider.dining.settings import User
from provider.resources import resources_of
from tests.support.restaurant import Restaurant


async def refresh(restaurant: Restaurant, token: str) -> int:
    return (await restaurant.client.post("/api/token/refresh/", json={"refresh": token})).status_code


async def revoke(restaurant: Restaurant, token: Any) -> int:
    return (await restaurant.client.post("/api/token/revoke/", json={"refresh": token})).status_code


def change_password(restaurant: Restaurant, password: str) -> None:
    """Restart with another password, as an operator would."""
    settings = restaurant.settings
    users = [replace(user, password=Secret(password)) if user.role == "admin" else user for user in settings.users]
    object.__setattr__(resources_of(restaurant.app), "authenticator", Authenticator(users))


async def test_a_revoked_token_refreshes_nothing_and_others_do(restaurant: Restaurant) -> None:
    first, second = await restaurant.log_in(), await restaurant.log_in()

    assert await revoke(restaurant, first["refresh"]) == 204
    assert await revoke(restaurant, first["refresh"]) == 204
    assert await refresh(restaurant, first["refresh"]) == 401
    assert await refresh(restaurant, second["refresh"]) == 200


async def test_only_a_refresh_token_can_be_revoked(restaurant: Restaurant) -> None:
    pair = await restaurant.log_in()

    assert await revoke(restaurant, pair["access"]) == 401
    assert await revoke(restaurant, "nonsense") == 401
    assert await revoke(restaurant, "") == 400
    assert await revoke(restaurant, 1) == 400
    assert await refresh(restaurant, pair["refresh"]) == 200


async def test_a_change_of_the_password_ends_the_refresh_tokens_of_that_user_alone(restaurant: Restaurant) -> None:
    admin, josh = await restaurant.log_in(), await restaurant.log_in("josh")
    change_password(restaurant, "another-password")

    assert await refresh(restaurant, admin["refresh"]) == 401
    assert await refresh(restaurant, josh["refresh"]) == 200
    assert await refresh(restaurant, (await restaurant.log_in(password="another-password"))["refresh"]) == 200


async def test_the_token_does_not_show_the_password(restaurant: Restaurant) -> None:
    """The same password in two tokens looks different, so that nobody can compare it with a list of guesses."""
    secret, now = Secret("a-secret-that-signs-tokens-0123456789"), datetime.now(UTC)
    user = User("admin", Secret("1"), "admin")
    seals = {tokens.password_seal(secret, user, token_id) for token_id in ("a", "b")}
    other = {tokens.password_seal(Secret("another-secret-that-signs-0123456789"), user, "a")}

    assert len(seals | other) == 3
    assert "seal" not in jwt.decode(tokens.issue(secret, user, "access", now), secret.reveal(), algorithms=["HS256"])


async def test_revoked_tokens_are_forgotten_after_they_would_have_expired(restaurant: Restaurant) -> None:
    await revoke(restaurant, (await restaurant.log_in())["refresh"])

    assert await delete_expired_revoked_tokens(restaurant.db, timedelta(0), 10) == 0
    await restaurant.db.execute("UPDATE dining_revoked_token SET expires_at = now() - interval '1 second'")
    assert await delete_expired_revoked_tokens(restaurant.db, timedelta(0), 10) == 1
