"""SQL of `offers_token`: the shared token of the offers service, and the lease to renew it."""

from datetime import timedelta

import msgspec

from common.db.pool import Executor

RENEWAL_LEASE = timedelta(seconds=15)
"""How long one replica may take to request a token."""


class OffersToken(msgspec.Struct, frozen=True):
    """The row of a service.

    requested: a replica holds the lease and requests a token. wait_seconds: until the next request is allowed.
    unused_tokens_in_a_row: requests since a token was last accepted. last_error: why the last request failed; None when
    it succeeded.
    """

    token: str | None
    requested: bool
    wait_seconds: float
    unused_tokens_in_a_row: int
    last_error: str | None = None


async def select_token(db: Executor, service: str) -> OffersToken:
    row = await db.fetchrow(
        """
        SELECT token,
               coalesce(renewal_expires_at > clock_timestamp(), false) AS requested,
               greatest(0, CASE WHEN not_before > clock_timestamp()
                                THEN extract(epoch FROM not_before - clock_timestamp())
                                ELSE 0
                           END)::float8 AS wait_seconds,
               unused_tokens_in_a_row,
               last_error
          FROM offers_token
         WHERE service = $1
        """,
        service,
    )
    return OffersToken(**row) if row else OffersToken(None, requested=False, wait_seconds=0.0, unused_tokens_in_a_row=0)


async def claim_renewal(db: Executor, service: str, owner: str, rejected: str | None) -> bool:
    """Take the lease to replace the token `rejected`; False when another replica holds it, or replaced the token."""
    return await db.fetchval(
        """
        INSERT INTO offers_token AS stored (service, renewal_owner, renewal_expires_at)
        SELECT $1, $2, clock_timestamp() + $4::interval
        ON CONFLICT (service) DO UPDATE
           SET renewal_owner = excluded.renewal_owner, renewal_expires_at = excluded.renewal_expires_at
         WHERE (stored.renewal_expires_at IS NULL OR stored.renewal_expires_at <= clock_timestamp())
           AND stored.not_before <= clock_timestamp()
           AND (stored.token IS NULL OR stored.token = $3::text)
        RETURNING true
        """,
        service, owner, rejected, RENEWAL_LEASE,
    ) is not None  # fmt: skip


async def release_renewal(
    db: Executor, service: str, owner: str, token: str | None, pause: float, error: str | None = None
) -> None:
    """Release the lease and store the new token, or why there is none; no replica asks again for `pause` seconds."""
    await db.execute(
        """
        UPDATE offers_token
           SET token = coalesce($3, token),
               obtained_at = CASE WHEN $3::text IS NULL THEN obtained_at ELSE clock_timestamp() END,
               renewal_owner = NULL,
               renewal_expires_at = NULL,
               unused_tokens_in_a_row = unused_tokens_in_a_row + 1,
               not_before = clock_timestamp() + $4::interval,
               last_error = $5
         WHERE service = $1 AND renewal_owner = $2
        """,
        service, owner, token, timedelta(seconds=pause), error,
    )  # fmt: skip


async def update_token_accepted(db: Executor, service: str, token: str) -> None:
    """Note that the token works; a new one may be requested as soon as this one is rejected."""
    await db.execute(
        """
        UPDATE offers_token
           SET unused_tokens_in_a_row = 0, not_before = clock_timestamp()
         WHERE service = $1 AND token = $2 AND unused_tokens_in_a_row > 0
        """,
        service, token,
    )  # fmt: skip
