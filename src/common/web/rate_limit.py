"""Rate limits, declared at the routes that have one: token buckets in PostgreSQL, which all replicas share.

A bucket is stored as the time at which it is full again: each request moves that time ahead by the time in which one
token is refilled, and is refused if it would then be further ahead than the whole period. One statement checks and
counts, so parallel requests cannot exceed a limit. See docs/decisions/rate-limits.md.
"""

import hashlib
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import wraps
from typing import Any

from quart import after_this_request
from quart.typing import ResponseTypes

from common.db.pool import Executor
from common.web.caller import caller_address
from common.web.errors import TooManyRequests, document_problems
from common.web.resources import pool

RATE_LIMITED_ATTRIBUTE = "_rate_limited"
"""Marks a view with a rate limit, for the OpenAPI document."""

RATE_LIMIT_HEADER, POLICY_HEADER = "RateLimit", "RateLimit-Policy"
"""The headers of draft-ietf-httpapi-ratelimit-headers: what is left of each limit, and the limits themselves."""

View = Callable[..., Awaitable[Any]]
Key = Callable[..., Awaitable[str | None]]
"""Called with the arguments of the view; returns whose limit the request counts against, None for no limit."""


@dataclass(frozen=True)
class Policy:
    """At most `limit` requests in any period of the length `per`; the tokens of a period may be used at once."""

    name: str
    limit: int
    per: timedelta

    @property
    def refill(self) -> timedelta:
        """The time in which one token is refilled."""
        return self.per / self.limit


async def each_address(*_: Any, **__: Any) -> str:
    """The key of a limit per address."""
    return caller_address()


def rate_limit(policy: Policy | Callable[[], Policy | None], *, key: Key = each_address) -> Callable[[View], View]:
    """Limit the requests to a view. Raises TooManyRequests.

    policy: or a function that returns it, None while the limit is switched off. Put it below `json_body` and
    `validate_querystring` when the key depends on their values; invalid requests then do not count.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            current = policy() if callable(policy) else policy
            owner = await key(*args, **kwargs) if current is not None else None
            if current is not None and owner is not None:
                await take_token(pool(), current, owner)
            return await view(*args, **kwargs)

        setattr(wrapper, RATE_LIMITED_ATTRIBUTE, policy)
        return document_problems(wrapper, 429)

    return decorate


def declare_rate_limit(*policies: Policy | Callable[[], Policy | None]) -> Callable[[View], View]:
    """Declare the limits of a view that itself calls `take_token`, since only some of its requests count."""

    def decorate(view: View) -> View:
        setattr(view, RATE_LIMITED_ATTRIBUTE, policies)
        return document_problems(view, 429)

    return decorate


async def take_token(db: Executor, policy: Policy, owner: str) -> None:
    """Take one token from the owner's bucket, and tell the caller what is left. Raises TooManyRequests.

    db: may be in a transaction; if it is rolled back, the token is not taken.
    """
    digest = hashlib.sha256(owner.encode("utf-8", "surrogatepass")).digest()
    seconds_to_full = await upsert_bucket(db, policy, digest)
    if seconds_to_full is not None:
        left = int((policy.per.total_seconds() - seconds_to_full) / policy.refill.total_seconds())
        add_headers(policy, left, math.ceil(seconds_to_full))
        return
    wait = max(1, math.ceil(await select_wait(db, policy, digest)))
    add_headers(policy, 0, wait)
    raise TooManyRequests(
        f"Too many requests: at most {policy.limit} in {describe(policy.per)}. Try again later.", retry_after=wait
    )


def describe(period: timedelta) -> str:
    """The period in words."""
    minutes, seconds = divmod(round(period.total_seconds()), 60)
    if seconds:
        return f"{period.total_seconds():g} seconds"
    return {60: "an hour", 1: "a minute", 1440: "a day"}.get(minutes, f"{minutes} minutes")


def add_headers(policy: Policy, left: int, reset: int) -> None:
    """Add the rate limit headers to the response of the current request, after those of its other limits."""

    @after_this_request
    async def add(response: ResponseTypes) -> ResponseTypes:
        items = {
            POLICY_HEADER: f'"{policy.name}";q={policy.limit};w={policy.per.total_seconds():.0f}',
            RATE_LIMIT_HEADER: f'"{policy.name}";r={left};t={reset}',
        }
        for name, item in items.items():
            response.headers[name] = ", ".join(filter(None, [response.headers.get(name), item]))
        return response


async def upsert_bucket(db: Executor, policy: Policy, key: bytes) -> float | None:
    """Take a token; returns the seconds until the bucket is full again, None when it has no token."""
    return await db.fetchval(
        """
        INSERT INTO rate_limit AS bucket (key, policy, full_at)
        VALUES ($1, $2, clock_timestamp() + $3::interval)
        ON CONFLICT (key, policy) DO UPDATE
           SET full_at = greatest(bucket.full_at + $3::interval, excluded.full_at)
         WHERE bucket.full_at + 2 * $3::interval <= excluded.full_at + $4::interval
        RETURNING extract(EPOCH FROM full_at - clock_timestamp())::float8
        """,
        key, policy.name, policy.refill, policy.per,
    )  # fmt: skip


async def select_wait(db: Executor, policy: Policy, key: bytes) -> float:
    """The seconds until the bucket has a token again; 0 if it has one, or does not exist any more."""
    return await db.fetchval(
        """
        SELECT extract(EPOCH FROM full_at + $3::interval - $4::interval - clock_timestamp())::float8
          FROM rate_limit
         WHERE key = $1 AND policy = $2
        """,
        key, policy.name, policy.refill, policy.per,
    ) or 0.0  # fmt: skip


async def delete_full_buckets(db: Executor, keep: timedelta, limit: int) -> int:
    """Delete up to `limit` buckets that have been full for longer than `keep`; returns how many.

    A full bucket says no more than none.
    """
    return await db.fetchval(
        """
        WITH deleted AS (
            DELETE FROM rate_limit
             WHERE (key, policy) IN (
                SELECT key, policy
                  FROM rate_limit
                 WHERE full_at < now() - $1::interval
                 ORDER BY full_at
                 LIMIT $2
             ) AND full_at < now() - $1::interval
            RETURNING 1
        )
        SELECT count(*) FROM deleted
        """,
        keep, limit,
    )  # fmt: skip
