"""Messages that are neither lost nor sent twice: a row in the transaction of the change, sent afterwards by a job.

A message belongs to a topic (who sends it), is about a subject and tells one event of it; the three are its key, so the
same event is told once. Messages of one subject leave in the order in which they were written. Whoever sends claims the
message for a while; one whose sender died becomes due again. There is one window that nobody can close: sent, and not
yet marked. A message that is sent again looks exactly the same, so that its receiver can tell.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import asyncpg
import msgspec
import structlog

from common.db.errors import DATABASE_UNAVAILABLE
from common.db.pool import Connection, Executor, transaction
from common.jobs.lease import JobResult
from common.upstream import UpstreamError
from common.web import responses

log = structlog.get_logger()

RUN_SECONDS = 10.0
"""How long one run of a job goes on claiming; what is left is due at the next run."""

State = Literal["waiting", "sent", "dead"]


class UndeliverableError(Exception):
    """The receiver refuses this very message. It is tried again a few times only, in case the refusal was a mistake."""


@dataclass(frozen=True)
class Policy:
    """How messages are tried; times in seconds.

    tries: attempts after which a message is dead; with `longest` between them the default lasts a day. refusals: the
    same once the receiver refuses the message itself. first, longest: the waits between attempts, doubling, with jitter
    on top. lease: how long a claim holds unless it is renewed, which it is while its sender lives. send: how long one
    attempt may take. batch: messages sent at once.
    """

    tries: int = 1440
    refusals: int = 8
    first: float = 1.0
    longest: float = 60.0
    lease: float = 10.0
    send: float = 60.0
    batch: int = 8

    def wait(self, attempt: int, asked: float | None = None) -> float:
        """Seconds until the attempt after this one; never less than the receiver asked for, within `longest`.

        Jitter only lengthens: two attempts are at least a second apart and so carry different signatures.
        """
        doubled = min(self.longest, self.first * 2.0 ** min(attempt - 1, 16))
        wait: float = max(doubled, min(asked or 0.0, self.longest))
        return wait * random.uniform(1.0, 1.5)


class Message(msgspec.Struct, frozen=True):
    """A claimed message; `attempt` counts from 1 and is the claim's token."""

    id: int
    topic: str
    subject: str
    event: str
    payload: dict[str, Any]
    attempt: int
    created_at: datetime


ApplyOutcome = Callable[[Connection], Awaitable[None]]
"""What the receiver's answer changes on our side; runs in the transaction that marks the message as sent."""

Send = Callable[[Message], Awaitable[ApplyOutcome | None]]
"""Sends one message. Anything it raises means that the message was not sent and is due again."""


async def deliver(db: asyncpg.Pool, topic: str, send: Send, policy: Policy | None = None) -> JobResult:
    """Send the topic's due messages, several at once; returns how many were sent, put off, or given up.

    Any number of these may run beside each other.
    """
    policy = policy or Policy()
    did = {"sent": 0, "failed": 0, "dead": 0}
    stop = time.monotonic() + RUN_SECONDS
    while time.monotonic() < stop:
        claimed = await claim_due(db, topic, policy.batch, timedelta(seconds=policy.lease))
        if not claimed:
            break
        outcomes = await _attempt_all(db, claimed, send, policy)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
            did[outcome] += 1
    return did


async def _attempt_all(
    db: asyncpg.Pool, claimed: list[Message], send: Send, policy: Policy
) -> list[str | BaseException]:
    """One attempt of each, side by side; the claims hold for as long as the attempts take."""
    in_flight = {message.id: message for message in claimed}

    async def attempt(message: Message) -> str:
        try:
            return await _attempt(db, message, send, policy)
        finally:
            del in_flight[message.id]

    async def renew() -> None:
        while True:
            await asyncio.sleep(policy.lease / 3)
            # Where the database is gone the claims run out, and nothing can be marked either.
            with suppress(*DATABASE_UNAVAILABLE):
                await extend_claims(db, list(in_flight.values()), timedelta(seconds=policy.lease))

    renewal = asyncio.create_task(renew())
    try:
        return await asyncio.gather(*map(attempt, claimed), return_exceptions=True)
    finally:
        renewal.cancel()
        await asyncio.gather(renewal, return_exceptions=True)


async def _attempt(db: asyncpg.Pool, message: Message, send: Send, policy: Policy) -> str:
    """One attempt: sent, failed or dead. Raises only what keeps its outcome from being written down."""
    try:
        async with asyncio.timeout(policy.send):
            applied = await send(message)
    except Exception as failure:  # whatever a sender meets, the message is kept, with the reason
        refused = isinstance(failure, UndeliverableError)
        dead = message.attempt >= (policy.refusals if refused else policy.tries)
        error = describe_failure(f"{type(failure).__name__}: {failure}")
        log.warning(
            "message_dead" if dead else "message_not_sent",
            topic=message.topic, subject=message.subject, event_told=message.event, attempt=message.attempt,
            error=error, exc_info=None if _expected(failure) else failure,
        )  # fmt: skip
        asked = failure.retry_after if isinstance(failure, UpstreamError) else None
        wait = timedelta(seconds=policy.wait(message.attempt, asked))
        await update_failed(db, message, error, wait, "dead" if dead else "waiting")
        return "dead" if dead else "failed"
    async with transaction(db) as connection:
        if await update_sent(connection, message) and applied is not None:
            await applied(connection)
    return "sent"


def describe_failure(error: str) -> str:
    """What PostgreSQL can hold of an error's words, which may be a stranger's."""
    return error[:500].encode("utf-8", "replace").decode().replace("\0", "")


def _expected(failure: Exception) -> bool:
    """A receiver's failure needs no traceback; one of our own does."""
    return isinstance(failure, (UndeliverableError, UpstreamError, OSError, TimeoutError))


async def enqueue(db: Executor, topic: str, subject: str, event: str, payload: Any) -> bool:
    """Write a message, in the transaction of the change that it tells. False when this event was told before."""
    return await db.fetchval(
        """
        INSERT INTO outbox (topic, subject, event, payload)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (subject, topic, event) DO NOTHING
        RETURNING true
        """,
        topic, subject, event, responses.encode_json(payload).decode(),
    ) is not None  # fmt: skip


async def claim_due(db: Executor, topic: str, count: int, lease: timedelta) -> list[Message]:
    """Claim due messages, oldest first; none that another sender has or that comes behind one of its own subject."""
    rows = await db.fetch(
        """
        WITH due AS (
            SELECT subject, topic, event
              FROM outbox AS candidate
             WHERE topic = $1 AND state = 'waiting' AND due_at <= now()
               AND NOT EXISTS (
                   SELECT FROM outbox AS earlier
                    WHERE earlier.subject = candidate.subject AND earlier.topic = $1
                      AND earlier.state = 'waiting' AND earlier.id < candidate.id
               )
             ORDER BY due_at, id
             LIMIT $2
               FOR UPDATE OF candidate SKIP LOCKED
        )
        UPDATE outbox AS message
           SET attempts = message.attempts + 1, due_at = clock_timestamp() + $3::interval
          FROM due
         WHERE message.subject = due.subject AND message.topic = due.topic AND message.event = due.event
        RETURNING message.id, message.topic, message.subject, message.event, message.payload,
                  message.attempts AS attempt, message.created_at
        """,
        topic, count, lease,
    )  # fmt: skip
    return [Message(**{**row, "payload": msgspec.json.decode(row["payload"])}) for row in rows]


async def extend_claims(db: Executor, messages: list[Message], lease: timedelta) -> None:
    """Hold the claims from now on for another `lease`, those that are still ours."""
    await db.execute(
        """
        UPDATE outbox AS message
           SET due_at = clock_timestamp() + $5::interval
          FROM unnest($1::text[], $2::text[], $3::text[], $4::int[]) AS claim (subject, topic, event, attempt)
         WHERE message.subject = claim.subject AND message.topic = claim.topic AND message.event = claim.event
           AND message.attempts = claim.attempt AND message.state = 'waiting'
        """,
        [message.subject for message in messages],
        [message.topic for message in messages],
        [message.event for message in messages],
        [message.attempt for message in messages],
        lease,
    )


async def update_sent(db: Executor, message: Message) -> bool:
    """Mark a message as sent; False when the claim is over and another sender has it."""
    return await db.fetchval(
        """
        UPDATE outbox
           SET state = 'sent', settled_at = clock_timestamp(), last_error = NULL
         WHERE subject = $1 AND topic = $2 AND event = $3 AND attempts = $4 AND state = 'waiting'
        RETURNING true
        """,
        message.subject, message.topic, message.event, message.attempt,
    ) is not None  # fmt: skip


async def update_failed(db: Executor, message: Message, error: str, wait: timedelta, state: State) -> None:
    """Note a failed attempt: due again after `wait`, or dead. Nothing when the claim is over."""
    await db.execute(
        """
        UPDATE outbox
           SET state = $5,
               last_error = $6,
               due_at = clock_timestamp() + $7::interval,
               settled_at = CASE WHEN $5 = 'dead' THEN clock_timestamp() END
         WHERE subject = $1 AND topic = $2 AND event = $3 AND attempts = $4 AND state = 'waiting'
        """,
        message.subject, message.topic, message.event, message.attempt, state, error, wait,
    )  # fmt: skip
