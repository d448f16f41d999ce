"""Transactional outbox: at-least-once delivery, in order per subject.

A message is a row, inserted in the transaction of the change that it reports and sent later by a job. Its key is topic,
subject and event, so an event has one message per topic. Messages of one subject are sent in the order of their
insertion. A sender claims a message for a few seconds and extends the claim while it lives; after its death the message
is due again. A crash between sending and marking sends the message again with the same content, so that the receiver
can recognise it. See docs/decisions/outbox.md.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

import asyncpg
import structlog

from common.db.errors import DATABASE_UNAVAILABLE, describe_failure
from common.db.pool import Connection, transaction
from common.jobs.lease import JobResult
from common.outbox.queries import Message, claim_due_messages, extend_claims, update_failed, update_sent
from common.upstream import UpstreamError

log = structlog.get_logger()

RUN_SECONDS = 10.0
"""A run claims messages for this long; the rest is due at the next run."""


class UndeliverableError(Exception):
    """The receiver rejects this message. It is tried again only a few times, in case the rejection was a mistake."""


@dataclass(frozen=True)
class Policy:
    """How messages are tried; times in seconds.

    max_attempts: the number of failed attempts after which a message is dead; with waits of `max_wait` the default
    lasts a day. max_rejections: the same for attempts that the receiver rejects. min_wait, max_wait: the waits between
    attempts, which double; jitter is added. claim_seconds: the time after which a claim ends unless its sender extends
    it. attempt_timeout: the limit of one attempt. batch_size: messages sent at the same time.
    """

    max_attempts: int = 1440
    max_rejections: int = 8
    min_wait: float = 1.0
    max_wait: float = 60.0
    claim_seconds: float = 10.0
    attempt_timeout: float = 60.0
    batch_size: int = 8

    @property
    def claim_duration(self) -> timedelta:
        return timedelta(seconds=self.claim_seconds)

    def wait_after(self, attempt: int, retry_after: float | None = None) -> float:
        """Seconds until the next attempt; at least the receiver's `retry_after`, within `max_wait`.

        Jitter only lengthens the wait: two attempts are at least a second apart and so carry different signatures.
        """
        doubled = min(self.max_wait, self.min_wait * 2.0 ** min(attempt - 1, 16))
        wait: float = max(doubled, min(retry_after or 0.0, self.max_wait))
        return wait * random.uniform(1.0, 1.5)


ApplyOutcome = Callable[[Connection], Awaitable[None]]
"""Stores the content of the receiver's response, in the transaction that marks the message as sent."""

Send = Callable[[Message], Awaitable[ApplyOutcome | None]]
"""Sends one message. An exception means that the message was not sent and is due again."""


async def deliver(db: asyncpg.Pool, topic: str, send: Send, policy: Policy | None = None) -> JobResult:
    """Send the due messages of a topic, several at once; returns how many were sent, failed or became dead.

    Any number of replicas may call it at the same time.
    """
    policy = policy or Policy()
    result = {"sent": 0, "failed": 0, "dead": 0}
    stop = time.monotonic() + RUN_SECONDS
    while time.monotonic() < stop:
        claimed = await claim_due_messages(db, topic, policy.batch_size, policy.claim_duration)
        if not claimed:
            break
        for outcome in await _attempt_all(db, claimed, send, policy):
            if isinstance(outcome, BaseException):
                raise outcome
            result[outcome] += 1
    return result


async def _attempt_all(
    db: asyncpg.Pool, claimed: list[Message], send: Send, policy: Policy
) -> list[str | BaseException]:
    """Attempt all messages at the same time, and extend the claim of each until its attempt ends."""
    in_flight = {message.id: message for message in claimed}

    async def attempt(message: Message) -> str:
        try:
            return await _attempt(db, message, send, policy)
        finally:
            del in_flight[message.id]

    async def keep_claims() -> None:
        while True:
            await asyncio.sleep(policy.claim_seconds / 3)
            with suppress(*DATABASE_UNAVAILABLE):  # the claims then end, and no message can be marked either
                await extend_claims(db, list(in_flight.values()), policy.claim_duration)

    keeper = asyncio.create_task(keep_claims())
    try:
        return await asyncio.gather(*map(attempt, claimed), return_exceptions=True)
    finally:
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)


async def _attempt(db: asyncpg.Pool, message: Message, send: Send, policy: Policy) -> str:
    """Attempt one message and return "sent", "failed" or "dead". Raises database errors."""
    try:
        async with asyncio.timeout(policy.attempt_timeout):
            apply_outcome = await send(message)
    except Exception as failure:  # of any kind: the message is kept, with the reason
        rejected = isinstance(failure, UndeliverableError)
        dead = message.attempt >= (policy.max_rejections if rejected else policy.max_attempts)
        error = describe_failure(failure)
        log.warning(
            "message_dead" if dead else "message_not_sent",
            topic=message.topic, subject=message.subject, message_event=message.event, attempt=message.attempt,
            error=error, exc_info=None if _is_expected(failure) else failure,
        )  # fmt: skip
        retry_after = failure.retry_after if isinstance(failure, UpstreamError) else None
        wait = timedelta(seconds=policy.wait_after(message.attempt, retry_after))
        await update_failed(db, message, error, wait, "dead" if dead else "waiting")
        return "dead" if dead else "failed"
    async with transaction(db) as connection:
        if await update_sent(connection, message) and apply_outcome is not None:
            await apply_outcome(connection)
    return "sent"


def _is_expected(failure: Exception) -> bool:
    """Whether the receiver or the network failed, which needs no traceback."""
    return isinstance(failure, (UndeliverableError, UpstreamError, OSError, TimeoutError))
