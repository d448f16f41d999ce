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
from typing import Any, Literal

import asyncpg
import structlog

from common.db.errors import DATABASE_UNAVAILABLE, TRANSIENT_ERRORS, describe_failure
from common.db.pool import Connection, transaction
from common.jobs.lease import JobResult
from common.outbox.queries import (
    Message,
    claim_due_messages,
    extend_claims,
    update_dead,
    update_failed,
    update_sent,
    update_settled,
)
from common.upstream import UpstreamError

log = structlog.get_logger()

RUN_SECONDS = 10.0
"""A run claims messages for this long; the rest is due at the next run."""

LONGEST_RUN_SECONDS = 60.0
"""A run whose attempts take longer goes on claiming other messages meanwhile, for this long at most."""

CLAIM_SECONDS = 1.0
"""How often a run looks for more messages while its attempts are in progress."""

Outcome = Literal["sent", "failed", "dead", "lost"]


class UndeliverableError(Exception):
    """The receiver rejects this message. It is tried again only a few times, in case the rejection was a mistake."""


class OutcomeNotStoredError(Exception):
    """A message was sent, but what its receiver answered could not be stored. The cause says why."""


@dataclass(frozen=True)
class Policy:
    """How messages are tried; times in seconds.

    max_attempts: the number of failed attempts after which a message is dead; with waits of `max_wait` the default
    lasts a day. max_rejections: the number of attempts that no repetition helps, after which it is dead: those that the
    receiver rejects, and those that store the outcome of a sent message. min_wait, max_wait: the waits between
    attempts, which double; jitter is added. claim_seconds: the time after which a claim ends unless its sender extends
    it. attempt_timeout: the limit of one attempt. batch_size: messages sent at the same time.
    """

    max_attempts: int = 1440
    max_rejections: int = 8
    min_wait: float = 1.0
    max_wait: float = 60.0
    claim_seconds: float = 10.0
    attempt_timeout: float = 30.0
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


DEFAULT_POLICY = Policy()

Send = Callable[[Message], Awaitable[Any]]
"""Sends one message; returns what the receiver answered, as far as it has to be stored: a value that JSON can express.

An exception means that the message was not sent and is due again.
"""

Store = Callable[[Connection, Message, Any], Awaitable[None]]
"""Stores the outcome of a sent message, in the transaction that marks it."""

Bury = Callable[[Connection, Message, str], Awaitable[None]]
"""Records that a message is dead and why, in the transaction that marks it."""


@dataclass(frozen=True)
class Delivery:
    """How the messages of a topic are delivered.

    store: None if the receiver's answers are not stored. bury: None if nothing but the outbox notes dead messages.
    """

    topic: str
    send: Send
    store: Store | None = None
    bury: Bury | None = None
    policy: Policy = DEFAULT_POLICY


async def deliver(db: asyncpg.Pool, delivery: Delivery) -> JobResult:
    """Send the due messages of a topic, several at once; returns how many were sent, failed or became dead.

    Any number of replicas may call it at the same time. A message whose receiver does not answer delays no other one.
    """
    return await _Run(db, delivery).finish()


class _Run:
    """One run: attempts in progress, each with its message, whose claim is extended until the attempt ends."""

    def __init__(self, db: asyncpg.Pool, delivery: Delivery) -> None:
        self.db = db
        self.delivery = delivery
        self.policy = delivery.policy
        self.counts: dict[Outcome, int] = {"sent": 0, "failed": 0, "dead": 0, "lost": 0}
        self.attempts: dict[asyncio.Task[Outcome], Message] = {}

    async def finish(self) -> JobResult:
        keeper = asyncio.create_task(self._keep_claims())
        try:
            await self._attempt_due_messages()
        finally:
            for task in (keeper, *self.attempts):
                task.cancel()
            await asyncio.gather(keeper, *self.attempts, return_exceptions=True)
        return {name: count for name, count in self.counts.items() if name != "lost"}

    async def _attempt_due_messages(self) -> None:
        """Claim and attempt messages until none is due. After an error no more are claimed; it is raised at the end."""
        started = time.monotonic()
        error: BaseException | None = None
        while True:
            seconds = time.monotonic() - started
            claiming = seconds < RUN_SECONDS or (bool(self.attempts) and seconds < LONGEST_RUN_SECONDS)
            free = self.policy.batch_size - len(self.attempts)
            if claiming and free > 0 and error is None:
                topic, duration = self.delivery.topic, self.policy.claim_duration
                for message in await claim_due_messages(self.db, topic, free, duration):
                    self.attempts[asyncio.create_task(self._attempt(message))] = message
            if not self.attempts:
                break
            ended, _ = await asyncio.wait(self.attempts, timeout=CLAIM_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                del self.attempts[task]
                if failure := task.exception():
                    error = failure
                else:
                    self.counts[task.result()] += 1
        if error is not None:
            raise error

    async def _keep_claims(self) -> None:
        while True:
            await asyncio.sleep(self.policy.claim_seconds / 3)
            with suppress(*DATABASE_UNAVAILABLE):  # the claims then end, and no message can be marked either
                await extend_claims(self.db, list(self.attempts.values()), self.policy.claim_duration)

    async def _attempt(self, message: Message) -> Outcome:
        """Send a message that was not sent yet, and store its outcome. Raises database errors."""
        outcome = message.outcome
        if not message.sent:
            try:
                async with asyncio.timeout(self.policy.attempt_timeout):
                    outcome = await self.delivery.send(message)
            except Exception as failure:  # noqa: BLE001 - of any kind: the message is kept, with the reason
                return await self._fail(message, failure)
        if self.delivery.store is None:
            return "sent" if await update_settled(self.db, message) else "lost"
        # 1. Record that the message was sent: from here on it is not sent again, even if step 2 fails.
        if not message.sent and not await update_sent(self.db, message, outcome):
            return "lost"
        # 2. Store the outcome. A failure is counted, or the message would be tried for ever.
        try:
            async with transaction(self.db) as connection:
                if not await update_settled(connection, message):
                    return "lost"
                await self.delivery.store(connection, message, outcome)
        except Exception as cause:  # noqa: BLE001 - of any kind: the outcome is kept, with the reason
            not_stored = OutcomeNotStoredError(describe_failure(cause))
            not_stored.__cause__ = cause
            return await self._fail(message, not_stored)
        return "sent"

    async def _fail(self, message: Message, failure: Exception) -> Outcome:
        rejected = _is_final(failure)
        dead = message.attempt >= self.policy.max_attempts or (
            rejected and message.rejections + 1 >= self.policy.max_rejections
        )
        error = describe_failure(failure)
        log.warning(
            "message_dead" if dead else "message_not_sent",
            topic=message.topic, subject=message.subject, message_event=message.event, attempt=message.attempt,
            error=error, exc_info=None if _is_expected(failure) else failure,
        )  # fmt: skip
        if dead:
            await self._give_up(message, error, rejected=rejected)
            return "dead"
        retry_after = failure.retry_after if isinstance(failure, UpstreamError) else None
        wait = timedelta(seconds=self.policy.wait_after(message.attempt, retry_after))
        await update_failed(self.db, message, error, wait, rejected=rejected)
        return "failed"

    async def _give_up(self, message: Message, error: str, *, rejected: bool) -> None:
        """Mark a message as dead, even if that cannot be recorded elsewhere."""
        try:
            async with transaction(self.db) as connection:
                if await update_dead(connection, message, error, rejected=rejected) and self.delivery.bury is not None:
                    await self.delivery.bury(connection, message, error)
        except Exception:  # of any kind: the message must not be tried for ever
            log.exception("dead_message_not_recorded", topic=message.topic, subject=message.subject)
            await update_dead(self.db, message, error, rejected=rejected)


def _is_final(failure: Exception) -> bool:
    """Whether a repetition is unlikely to succeed, so that there are only a few."""
    if isinstance(failure, OutcomeNotStoredError):
        # asyncpg's InterfaceError for an argument of the wrong type is a ValueError too: a bug.
        return not isinstance(failure.__cause__, TRANSIENT_ERRORS) or isinstance(failure.__cause__, ValueError)
    return isinstance(failure, UndeliverableError)


def _is_expected(failure: Exception) -> bool:
    """Whether the receiver or the network failed, which needs no traceback."""
    return isinstance(failure, (UndeliverableError, UpstreamError, OSError, TimeoutError))
