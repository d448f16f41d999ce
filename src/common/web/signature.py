"""Signed requests between two programs that share a secret.

The header is `X-Signature: t=<unix seconds>,v1=<hex HMAC-SHA256 of "<t>.<body>">`. A signature is valid for five
minutes and for one request: used signatures are stored in the database, so that every replica refuses a replay. It
covers time and body, not method, path or direction. While a secret is replaced, signatures of both are accepted.
"""

import hashlib
import hmac
import re
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import wraps
from typing import Any

from quart import request

from common.config import Secret, Secrets
from common.db.pool import Executor
from common.web.errors import Unauthorized
from common.web.openapi.security import header_scheme
from common.web.request_body import raw_body
from common.web.resources import pool

SIGNATURE_HEADER = "X-Signature"
VALID_SECONDS = 300
SIGNATURE_RETENTION = timedelta(seconds=3 * VALID_SECONDS)
"""The least time for which used signatures are kept.

A signature may be used from VALID_SECONDS before its time to VALID_SECONDS after it, so for twice that long.
"""

SIGNATURE_SCHEME = header_scheme(
    SIGNATURE_HEADER,
    "HMAC of the time and the body with the secret that both applications share (`PROVIDER_ACCOUNTING_SECRET` and "
    "`DASHBOARD_ACCOUNTING_SECRET`). docs/accounting.md describes it.",
)
"""The security scheme for the OpenAPI document."""

_HEADER_FORMAT = re.compile(r"t=([0-9]{1,12}),v1=([0-9a-f]{64})")

View = Callable[..., Awaitable[Any]]


def _digest(secret: Secret, timestamp: str, body: bytes) -> bytes:
    return hmac.digest(secret.reveal().encode(), timestamp.encode() + b"." + body, "sha256")


def sign(secret: Secret, body: bytes, now: float) -> str:
    """The value of the header for a body that is sent at `now` (unix seconds)."""
    timestamp = str(int(now))
    return f"t={timestamp},v1={_digest(secret, timestamp, body).hex()}"


def verify(secrets: Secrets, header: str | None, body: bytes, now: float) -> bytes:
    """Return the digest of a signature that is valid by one of the secrets, even if it was used before.

    Raises Unauthorized when the signature is missing or malformed, does not match the body, or has expired.
    """
    match = _HEADER_FORMAT.fullmatch(header or "")
    if match is None:
        raise invalid_signature(f"{SIGNATURE_HEADER} is missing or does not have the form t=<unix seconds>,v1=<hex>.")
    digest = bytes.fromhex(match[2])
    matches = [hmac.compare_digest(digest, _digest(secret, match[1], body)) for secret in secrets]  # all of them
    if not any(matches):
        raise invalid_signature("The signature does not match the body.")
    if abs(now - int(match[1])) > VALID_SECONDS:
        raise invalid_signature("The time of the signature differs from ours by more than 5 minutes.")
    return digest


def invalid_signature(detail: str) -> Unauthorized:
    return Unauthorized(detail, challenge="Signature", code="bad_signature")


def signed(secrets: Callable[[], Secrets]) -> Callable[[View], View]:
    """Admit only requests signed with one of the secrets, each signature once.

    Goes above the decorator that reads the body.

    A signature counts as used even if the view fails: a sender signs each attempt anew.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            digest = verify(secrets(), request.headers.get(SIGNATURE_HEADER), await raw_body(), time.time())
            if not await insert_used_signature(pool(), hashlib.sha256(digest).digest()):
                raise invalid_signature("The signature was used before.")
            return await view(*args, **kwargs)

        return wrapper

    return decorate


async def insert_used_signature(db: Executor, signature_hash: bytes) -> bool:
    """Store the hash of a signature; False when it was used before."""
    return await db.fetchval(
        """
        INSERT INTO used_signature (signature_hash)
        VALUES ($1)
        ON CONFLICT (signature_hash) DO NOTHING
        RETURNING true
        """,
        signature_hash,
    ) is not None  # fmt: skip


async def delete_old_signatures(db: Executor, keep: timedelta, limit: int) -> int:
    """Delete up to `limit` signatures used longer than `keep` ago, and SIGNATURE_RETENTION; returns how many."""
    return await db.fetchval(
        """
        WITH deleted AS (
            DELETE FROM used_signature
             WHERE signature_hash IN (
                SELECT signature_hash
                  FROM used_signature
                 WHERE used_at < now() - $1::interval
                 ORDER BY used_at
                 LIMIT $2
             )
            RETURNING 1
        )
        SELECT count(*) FROM deleted
        """,
        max(keep, SIGNATURE_RETENTION), limit,
    )  # fmt: skip
