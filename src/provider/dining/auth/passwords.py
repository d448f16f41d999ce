"""Passwords: argon2, off the event loop, and as slow for a name that nobody has as for one that somebody has."""

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
"""Each verification takes 64 MiB and a core for a moment."""

MAX_QUEUED_LOGINS = 50

_hasher = PasswordHasher()


@lru_cache(maxsize=64)
def _hash_of(password: str) -> str:
    """The hash of a password of the configuration; one that is a hash already is taken as it is."""
    return password if password.startswith("$argon2") else _hasher.hash(password)


class Authenticator:
    """The users who may log in, and the pace at which they may try."""

    def __init__(self, users: Sequence[User]) -> None:
        self._users = {user.username: user for user in users}
        self._turn = asyncio.Semaphore(MAX_CONCURRENT_VERIFICATIONS)
        self._queue = 0

    def user(self, username: str) -> User | None:
        return self._users.get(username)

    async def login(self, db: asyncpg.Pool, username: str, password: str, address: str) -> User:
        """The user with this password. Raises Unauthorized, or TooManyRequests while this name and address wait.

        The pace is looked at when it is this attempt's turn, so that a burst of guesses gains nothing.
        """
        if self._queue >= MAX_QUEUED_LOGINS:
            raise TooManyRequests("Too many logins at once; try again later.", retry_after=2)
        self._queue += 1
        try:
            async with self._turn:
                await login_throttle.require_not_throttled(db, username, address)
                user = await asyncio.to_thread(self._verified, username, password)
                if user is None:
                    await login_throttle.upsert_failure(db, username, address)
                    raise Unauthorized("There is no such user with this password.", code="bad_credentials")
                await login_throttle.delete_failures(db, username, address)
                return user
        finally:
            self._queue -= 1

    def _verified(self, username: str, password: str) -> User | None:
        user = self._users.get(username)
        known = user or next(iter(self._users.values()))
        try:
            _hasher.verify(_hash_of(known.password.reveal()), password)
        except (VerificationError, InvalidHashError):
            return None
        return user
