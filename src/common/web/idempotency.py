"""Idempotency-Key: a POST that creates something may be repeated, and creates it once.

The key, a fingerprint of the request, and the response are stored in the transaction that creates, so that they exist
together or not at all. Keys are kept for `KEY_RETENTION`. Two callers may use the same key: its scope is the operation
and the caller.
"""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
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
    """A stored response, which is sent again when the request is repeated."""

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
    """The key of the current request, None without one. Raises Invalid unless it has 1 to 255 characters."""
    key = request.headers.get(IDEMPOTENCY_KEY_HEADER)
    if key is not None and not 1 <= len(key) <= 255:
        raise Invalid.field(IDEMPOTENCY_KEY_HEADER, "must have 1 to 255 characters")
    return key


def earliest_possible_send_time(now: datetime) -> datetime:
    """The earliest time at which the current request may first have been sent; with a key it may be a repetition.

    Check rules that depend on the time against it, so that a repetition is not refused merely because it is late.
    """
    return now if requested_key() is None else now - KEY_RETENTION


def credential() -> str:
    """A digest of the credential that the current request has in the header Authorization; empty without one."""
    header = request.headers.get("Authorization", "").strip()
    return hashlib.sha256(header.encode("utf-8", "surrogatepass")).hexdigest() if header else ""


def scope_of(operation: str, caller: str | None) -> str:
    """The scope of the current request's key; `run_once_per_key` describes the arguments."""
    if caller is None:
        caller = credential() or f"address {request.remote_addr}"
    return f"{operation} {hashlib.sha256(caller.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


async def fingerprint() -> bytes:
    """A hash of the path, query string and body of the current request."""
    digest = hashlib.sha256(request.full_path.encode())
    digest.update(b"\0")
    digest.update(await raw_body())
    return digest.digest()


async def run_once_per_key(
    db: asyncpg.Pool,
    operation: str,
    create: Callable[[Connection], Awaitable[StoredResponse]],
    *,
    caller: str | None = None,
) -> Response:
    """Run `create` in a transaction, and at most once for the request's Idempotency-Key.

    caller: whose key it is, so that the same key of another caller is another key; by default the credential of the
    request, without one its address. A view that knows the caller better, such as by a user's name, passes it.
    Without the header `create` runs each time. A second request with the same key waits until the first has ended.
    Raises IdempotencyKeyReused when the key was used with another request. Nothing is stored when `create` raises.
    """
    key = requested_key()
    if key is None:
        async with transaction(db) as connection:
            return (await create(connection)).response()
    scope = scope_of(operation, caller)
    stored, is_replayed = await run_once(db, scope, key, await fingerprint(), create)
    return stored.response(replayed=is_replayed)


async def run_once(
    db: asyncpg.Pool,
    scope: str,
    key: str,
    request_fingerprint: bytes,
    create: Callable[[Connection], Awaitable[StoredResponse]],
) -> tuple[StoredResponse, bool]:
    """Run `create` in a transaction, at most once for a key in its scope; returns what it returned, now or before.

    The second value says whether it ran before. Raises as `run_once_per_key` does.
    """
    async with transaction(db) as connection:
        if not await insert_key(connection, scope, key, request_fingerprint):
            stored = await select_response(connection, scope, key)
            if stored is None or stored["fingerprint"] != request_fingerprint:
                raise IdempotencyKeyReused("This Idempotency-Key was used with another request.")
            return decode_answer(stored), True
        created = await create(connection)
        await update_response(connection, scope, key, msgspec.msgpack.encode(created))
    return created, False


def decode_answer(row: asyncpg.Record) -> StoredResponse:
    """The stored response of a row from `select_response`."""
    return msgspec.msgpack.decode(row["answer"], type=StoredResponse)


async def is_repetition(db: Executor, operation: str, *, caller: str | None = None) -> bool:
    """Whether the current request has a key that was used before, so that `run_once_per_key` would not create."""
    key = requested_key()
    return key is not None and await select_response(db, scope_of(operation, caller), key) is not None


async def insert_key(db: Executor, scope: str, key: str, request_fingerprint: bytes) -> bool:
    """Insert the key; False when it exists, after waiting for the transaction that inserted it."""
    return await db.fetchval(
        """
        INSERT INTO idempotency_key (scope, key, fingerprint)
        VALUES ($1, $2, $3)
        ON CONFLICT (scope, key) DO NOTHING
        RETURNING true
        """,
        scope, key, request_fingerprint,
    ) is not None  # fmt: skip


async def select_response(db: Executor, scope: str, key: str) -> asyncpg.Record | None:
    return await db.fetchrow(
        "SELECT fingerprint, answer FROM idempotency_key WHERE scope = $1 AND key = $2", scope, key
    )


async def update_response(db: Executor, scope: str, key: str, response: bytes) -> None:
    await db.execute("UPDATE idempotency_key SET answer = $3 WHERE scope = $1 AND key = $2", scope, key, response)


async def delete_keys_containing(db: Executor, operation: str, texts: Sequence[str]) -> None:
    """Delete the keys of an operation whose stored response contains one of the texts; for the erasure of a person."""
    await db.execute(
        """
        DELETE FROM idempotency_key
         WHERE starts_with(scope, $1 || ' ')
           AND EXISTS (SELECT FROM unnest($2::bytea[]) AS text WHERE position(text IN answer) > 0)
        """,
        operation, [text.encode() for text in texts],
    )  # fmt: skip


async def delete_old_keys(db: Executor, keep: timedelta, limit: int) -> int:
    """Delete up to `limit` keys older than `keep`; returns how many."""
    return await db.fetchval(
        """
        WITH deleted AS (
            DELETE FROM idempotency_key
             WHERE (scope, key) IN (
                SELECT scope, key
                  FROM idempotency_key
                 WHERE created_at < now() - $1::interval
                 ORDER BY created_at
                 LIMIT $2
             )
            RETURNING 1
        )
        SELECT count(*) FROM deleted
        """,
        keep, limit,
    )  # fmt: skip
