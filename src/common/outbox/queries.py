"""SQL of the outbox. A claim is identified by the count of attempts: the next claim of the message ends it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec

from common.db.pool import Executor
from common.web.responses import encode_json

State = Literal["waiting", "sent", "dead"]


class Message(msgspec.Struct, frozen=True):
    """A claimed message; `attempt` counts from 1.

    rejections: earlier attempts that no repetition helps. sent: whether an earlier attempt has sent it; then only its
    `outcome` has to be stored.
    """

    id: int
    topic: str
    subject: str
    event: str
    payload: dict[str, Any]
    attempt: int
    created_at: datetime
    rejections: int = 0
    sent: bool = False
    outcome: Any = None


async def enqueue(db: Executor, topic: str, subject: str, event: str, payload: Any) -> bool:
    """Insert a message, in the transaction of the change that it reports. False if the event already has one."""
    return await db.fetchval(
        """
        INSERT INTO outbox (topic, subject, event, payload)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (subject, topic, event) DO NOTHING
        RETURNING true
        """,
        topic, subject, event, encode_json(payload).decode(),
    ) is not None  # fmt: skip


async def enqueue_all(db: Executor, topic: str, messages: Sequence[tuple[str, str, Any]]) -> None:
    """Insert messages, each a subject, an event and a payload, in the transaction of the changes that they report.

    An event that already has a message gets no other.
    """
    await db.execute(
        """
        INSERT INTO outbox (topic, subject, event, payload)
        SELECT $1, subject, event, payload::jsonb
          FROM unnest($2::text[], $3::text[], $4::text[]) AS new (subject, event, payload)
        ON CONFLICT (subject, topic, event) DO NOTHING
        """,
        topic,
        [subject for subject, _, _ in messages],
        [event for _, event, _ in messages],
        [encode_json(payload).decode() for _, _, payload in messages],
    )


async def delete_unsent_messages(db: Executor, topic: str) -> None:
    """Delete all messages of a topic that were not sent, the dead ones too; for a topic without a receiver."""
    await db.execute("DELETE FROM outbox WHERE topic = $1 AND state <> 'sent'", topic)


async def delete_messages(db: Executor, topics: Sequence[str], subjects: Sequence[str]) -> None:
    """Delete all messages of the topics about the subjects, also those that wait; for the erasure of a person."""
    await db.execute("DELETE FROM outbox WHERE subject = ANY($1) AND topic = ANY($2)", subjects, topics)


async def update_payloads(db: Executor, topic: str, subjects: Sequence[str], changes: Any) -> None:
    """Replace fields in the payloads of all messages of a topic about the subjects; for the erasure of a person."""
    await db.execute(
        "UPDATE outbox SET payload = payload || $3 WHERE subject = ANY($1) AND topic = $2",
        subjects, topic, encode_json(changes).decode(),
    )  # fmt: skip


async def claim_due_messages(db: Executor, topic: str, count: int, duration: timedelta) -> list[Message]:
    """Claim up to `count` due messages, oldest first, without those behind a waiting message of their subject."""
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
                  message.attempts AS attempt, message.created_at, message.rejections,
                  message.sent_at IS NOT NULL AS sent, message.outcome
        """,
        topic, count, duration,
    )  # fmt: skip
    return [
        Message(
            **{
                **row,
                "payload": msgspec.json.decode(row["payload"]),
                "outcome": msgspec.json.decode(row["outcome"] or "null"),
            }
        )
        for row in rows
    ]


async def extend_claims(db: Executor, messages: list[Message], duration: timedelta) -> None:
    """Extend the claims that are not over; they then end `duration` from now."""
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
        duration,
    )


async def update_sent(db: Executor, message: Message, outcome: Any) -> bool:
    """Record that a message was sent, so that it is not sent again, and its outcome; False if the claim is over."""
    return await db.fetchval(
        """
        UPDATE outbox
           SET sent_at = clock_timestamp(), outcome = $5
         WHERE subject = $1 AND topic = $2 AND event = $3 AND attempts = $4 AND state = 'waiting'
        RETURNING true
        """,
        message.subject, message.topic, message.event, message.attempt, encode_json(outcome).decode(),
    ) is not None  # fmt: skip


async def update_settled(db: Executor, message: Message) -> bool:
    """Mark a message as sent and done with; False if the claim is over."""
    return await db.fetchval(
        """
        UPDATE outbox
           SET state = 'sent',
               sent_at = coalesce(sent_at, clock_timestamp()),
               outcome = NULL,
               settled_at = clock_timestamp(),
               last_error = NULL
         WHERE subject = $1 AND topic = $2 AND event = $3 AND attempts = $4 AND state = 'waiting'
        RETURNING true
        """,
        message.subject, message.topic, message.event, message.attempt,
    ) is not None  # fmt: skip


async def update_failed(db: Executor, message: Message, error: str, wait: timedelta, *, rejected: bool) -> None:
    """Record a failed attempt, after which the message is due again after `wait`. Does nothing if the claim is over.

    rejected: whether the attempt counts as one that no repetition helps.
    """
    await db.execute(
        """
        UPDATE outbox
           SET last_error = $5, due_at = clock_timestamp() + $6::interval, rejections = rejections + $7::bool::int
         WHERE subject = $1 AND topic = $2 AND event = $3 AND attempts = $4 AND state = 'waiting'
        """,
        message.subject, message.topic, message.event, message.attempt, error, wait, rejected,
    )  # fmt: skip


async def update_dead(db: Executor, message: Message, error: str, *, rejected: bool) -> bool:
    """Give a message up after a failed attempt; False if the claim is over."""
    return await db.fetchval(
        """
        UPDATE outbox
           SET state = 'dead',
               last_error = $5,
               rejections = rejections + $6::bool::int,
               due_at = clock_timestamp(),
               settled_at = clock_timestamp()
         WHERE subject = $1 AND topic = $2 AND event = $3 AND attempts = $4 AND state = 'waiting'
        RETURNING true
        """,
        message.subject, message.topic, message.event, message.attempt, error, rejected,
    ) is not None  # fmt: skip
