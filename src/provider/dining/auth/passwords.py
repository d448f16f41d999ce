"""Logins by password: argon2 runs in a thread, and an unknown username takes as long as a wrong password."""

import asyncio
from collections.abc import Sequence
from functools import lru_cache

import asyncpg
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from common.web import login_throttle
from common.web.errors import TooManyRequests, Unauthorized
from provider.dining.settings import User

MAX_CONCURRENT_VERIFICATIONS = 2
"""Each verification takes 64 MiB and a core."""

MAX_QUEUED_LOGINS = 50

_hasher = PasswordHasher()


@lru_cache(maxsize=64)
def _hash_of(password: str) -> str:
    """Return the argon2 hash of a configured password, which may already be one."""
    return password if password.startswith("$argon2") else _hasher.hash(password)


class Authenticator:
    """Checks the passwords of the configured users and throttles failed logins."""

    def __init__(self, users: Sequence[User]) -> None:
        self._users = {user.username: user for user in users}
        self._verifications = asyncio.Semaphore(MAX_CONCURRENT_VERIFICATIONS)
        self._queued = 0

    def find_user(self, username: str) -> User | None:
        return self._users.get(username)

    async def log_in(self, db: asyncpg.Pool, username: str, password: str, address: str) -> User:
        """Return the user with this password. Raises Unauthorized, or TooManyRequests while throttled.

        A throttled attempt does not queue, so that guesses from one address do not take the places of others.
        """
        await login_throttle.begin_attempt(db, username, address)
        if self._queued >= MAX_QUEUED_LOGINS:
            await login_throttle.update_attempt_withdrawn(db, username, address)
            raise TooManyRequests("Too many logins at once; try again later.", retry_after=2)
        self._queued += 1
        try:
            async with self._verifications:
                user = await asyncio.to_thread(self._verify, username, password)
        finally:
            self._queued -= 1
        if user is None:
            raise Unauthorized("Invalid username or password.", code="bad_credentials")
        await login_throttle.delete_failures(db, username, address)
        return user

    def _verify(self, username: str, password: str) -> User | None:
        user = self._users.get(username)
        candidate = user or next(iter(self._users.values()))
        try:
            _hasher.verify(_hash_of(candidate.password.reveal()), password)
        except (VerificationError, InvalidHashError):
            return None
        return user
