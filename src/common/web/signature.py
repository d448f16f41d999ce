"""Signed requests between two programs that share a secret.

The header is `X-Signature: t=<unix seconds>,v1=<hex HMAC-SHA256 of "<t>.<body>">`. A signature is good for five minutes
and for one request: those seen are remembered in the database, so that every replica refuses a replay.
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

from common.config import Secret
from common.db.pool import Executor
from common.web.errors import Unauthorized
from common.web.request_body import raw_body
from common.web.resources import pool

SIGNATURE_HEADER = "X-Signature"
VALID_SECONDS = 300
SIGNATURE_RETENTION = timedelta(seconds=3 * VALID_SECONDS)
"""A signature may be dated ahead of our clock by as much as behind it, so it is remembered for longer than both."""

SIGNATURE_SCHEME = {"type": "apiKey", "in_": "header", "name": SIGNATURE_HEADER}
"""The security scheme for the OpenAPI document."""

_FORM = re.compile(r"t=([0-9]{1,12}),v1=([0-9a-f]{64})")

View = Callable[..., Awaitable[Any]]


def _digest(secret: Secret, moment: str, body: bytes) -> bytes:
    return hmac.digest(secret.reveal().encode(), moment.encode() + b"." + body, "sha256")


def sign(secret: Secret, body: bytes, now: float) -> str:
    """The header's value for a body that leaves at `now` (unix seconds)."""
    moment = str(int(now))
    return f"t={moment},v1={_digest(secret, moment, body).hex()}"


def verify(secret: Secret, header: str | None, body: bytes, now: float) -> bytes:
    """The signature's digest. Raises Unauthorized where it is missing, malformed, of another body or another time.

    Whether it was seen before is for `insert_seen` to say.
    """
    match = _FORM.fullmatch(header or "")
    if match is None:
        raise invalid_signature(f"{SIGNATURE_HEADER} is missing or not of the form t=<unix seconds>,v1=<hex>.")
    digest = bytes.fromhex(match[2])
    if not hmac.compare_digest(digest, _digest(secret, match[1], body)):
        raise invalid_signature("The signature does not belong to this body.")
    if abs(now - int(match[1])) > VALID_SECONDS:
        raise invalid_signature("The signature is more than 5 minutes away from our time.")
    return digest


def invalid_signature(detail: str) -> Unauthorized:
    return Unauthorized(detail, challenge="Signature", code="bad_signature")


def signed(secret: Callable[[], Secret]) -> Callable[[View], View]:
    """Let a view see only requests that are signed with the secret, each once. Goes above the reading of the body.

    A signature counts as seen from here on, whatever the view answers: a sender that tries again signs again.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            digest = verify(secret(), request.headers.get(SIGNATURE_HEADER), await raw_body(), time.time())
            if not await insert_used_signature(pool(), hashlib.sha256(digest).digest()):
                raise invalid_signature("The signature was seen before.")
            return await view(*args, **kwargs)

        return wrapper

    return decorate


async def insert_used_signature(db: Executor, signature_hash: bytes) -> bool:
    """Remember a signature by its hash; False when it was seen before."""
    return await db.fetchval(
        """
        INSERT INTO used_signature (signature_hash)
        VALUES ($1)
        ON CONFLICT (signature_hash) DO NOTHING
        RETURNING true
        """,
        signature_hash,
    ) is not None  # fmt: skip


async def delete_old_signatures(db: Executor) -> int:
    """Forget the signatures that are too old to be accepted anyway; returns how many."""
    return await db.fetchval(
        """
        WITH gone AS (
            DELETE FROM used_signature
             WHERE used_at < now() - $1::interval
            RETURNING 1
        )
        SELECT count(*) FROM gone
        """,
        SIGNATURE_RETENTION,
    )
