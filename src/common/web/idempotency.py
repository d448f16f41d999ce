"""Idempotency-Key: a POST that creates may be sent again, and creates once.

The key, a fingerprint of the request and the answer are stored in the transaction that creates, so there is no moment
at which one is there without the other. Keys are kept for `KEEP`.
"""

import hashlib
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import asyncpg
import msgspec
from quart import Response, request

from common.db.pool import Connection, Executor, transaction
from common.web.errors import IdempotencyKeyReused, Invalid
from common.web.request_body import raw_body

KEY_RETENTION = timedelta(hours=48)
IDEMPOTENCY_KEY_HEADER = "Idempotency-Key"


class StoredResponse(msgspec.Struct, frozen=True):
    """An HTTP answer as it is stored and given again."""

    status: int
    body: bytes
    headers: dict[str, str] = {}

    def response(self, *, replayed: bool = False) -> Response:
        response = Response(self.body, status=self.status, content_type="application/json")
        response.headers.update(self.headers)
        if replayed:
            response.headers["Idempotent-Replayed"] = "true"
        return response


def requested_key() -> str | None:
    """The key of the current request, None without one. Raises Invalid for an empty or too long one."""
    key = request.headers.get(IDEMPOTENCY_KEY_HEADER)
    if key is not None and not 1 <= len(key) <= 255:
        raise Invalid.field(IDEMPOTENCY_KEY_HEADER, "must have 1 to 255 characters")
    return key


def earliest_possible_send_time(now: datetime) -> datetime:
    """The earliest moment at which the current request may have come first; with a key it may be a repetition.

    A rule that depends on the time is to be read by it before `once` has told a repetition from a new request: what was
    answered once is answered again, though its day has passed meanwhile.
    """
    return now if requested_key() is None else now - KEY_RETENTION


async def fingerprint() -> bytes:
    """What makes the current request the same as another: path, query and body, byte for byte."""
    digest = hashlib.sha256(request.full_path.encode())
    digest.update(b"\0")
    digest.update(await raw_body())
    return digest.digest()


async def run_once_per_key(
    db: asyncpg.Pool, scope: str, create: Callable[[Connection], Awaitable[StoredResponse]]
) -> Response:
    """Run `create` in a transaction, and at most once for the request's Idempotency-Key.

    scope: the operation, and where requests carry one the caller, since keys of two callers must not meet.
    Without the header `create` simply runs. A second request with the same key waits for the first to end. Raises
    Unprocessable when the key came with another request before. A failure of `create` stores nothing.
    """
    key = requested_key()
    if key is None:
        async with transaction(db) as connection:
            return (await create(connection)).response()
    mark = await fingerprint()
    async with transaction(db) as connection:
        if not await insert_key(connection, scope, key, mark):
            known = await select_answer(connection, scope, key)
            if known is None or known["fingerprint"] != mark:
                raise IdempotencyKeyReused("This Idempotency-Key was used with another request.")
            return msgspec.msgpack.decode(known["answer"], type=StoredResponse).response(replayed=True)
        answer = await create(connection)
        await update_answer(connection, scope, key, msgspec.msgpack.encode(answer))
    return answer.response()


async def insert_key(db: Executor, scope: str, key: str, mark: bytes) -> bool:
    """Claim the key; False when it is taken (after waiting for the transaction that took it)."""
    return await db.fetchval(
        """
        INSERT INTO idempotency_key (scope, key, fingerprint)
        VALUES ($1, $2, $3)
        ON CONFLICT (scope, key) DO NOTHING
        RETURNING true
        """,
        scope, key, mark,
    ) is not None  # fmt: skip


async def select_answer(db: Executor, scope: str, key: str) -> asyncpg.Record | None:
    return await db.fetchrow(
        "SELECT fingerprint, answer FROM idempotency_key WHERE scope = $1 AND key = $2", scope, key
    )


async def update_answer(db: Executor, scope: str, key: str, answer: bytes) -> None:
    await db.execute("UPDATE idempotency_key SET answer = $3 WHERE scope = $1 AND key = $2", scope, key, answer)


async def delete_old_keys(db: Executor) -> int:
    """Forget the keys past their keeping; returns how many."""
    return await db.fetchval(
        """
        WITH gone AS (
            DELETE FROM idempotency_key
             WHERE created_at < now() - $1::interval
            RETURNING 1
        )
        SELECT count(*) FROM gone
        """,
        KEY_RETENTION,
    )
