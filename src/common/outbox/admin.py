"""Operator queries on the outbox: list messages, retry a dead one, delete old ones."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from common.db.pool import Executor
from common.outbox.queries import Message, State


class MessageState(msgspec.Struct, frozen=True):
    """The state of a message for an operator, without its content."""

    id: int
    """Id of the message."""
    topic: str
    """The kind of message, which decides who receives it."""
    subject: str
    """What the message is about; messages on one subject are sent in order."""
    event: str
    """The event that caused the message."""
    state: State
    """Whether it waits, was sent, or is dead: an operator has to retry it."""
    attempts: int
    """Number of attempts to send it."""
    created_at: datetime
    """When it was written."""
    due_at: datetime
    """When it is sent next, if it waits."""
    sent_at: datetime | None
    """When it was sent; null until then."""
    settled_at: datetime | None
    """When it was sent and the answer stored, or given up; null while it waits."""
    last_error: str | None
    """Why the last attempt failed."""


class MessageCounts(msgspec.Struct, frozen=True):
    """How many messages of a topic are in each state."""

    topic: str
    """The kind of message, which decides who receives it."""
    waiting: int
    """Messages that are not sent yet."""
    waiting_since: datetime | None
    """When the oldest of them was written; null without any."""
    dead: int
    """Messages that were given up: an operator has to retry them."""
    sent_last_day: int
    """Messages that were sent within the last 24 hours."""


async def retry_dead_message(db: Executor, message_id: int, topic: str | None = None) -> bool:
    """Make a dead message due now; False if there is none with this id, and with the topic, if given."""
    return await db.fetchval(
        """
        UPDATE outbox
           SET state = 'waiting', settled_at = NULL, due_at = clock_timestamp()
         WHERE id = $1 AND state = 'dead' AND ($2::text IS NULL OR topic = $2)
        RETURNING true
        """,
        message_id, topic,
    ) is not None  # fmt: skip


async def retry_last_dead_message(db: Executor, message_id: int, topic: str) -> Literal["retried", "replaced"] | None:
    """Make a dead message of a topic due now, unless a later one of its subject exists, which replaces it.

    Returns None if the topic has no dead message with this id.
    """
    return await db.fetchval(
        """
        WITH dead AS (
            SELECT id,
                   EXISTS (
                       SELECT FROM outbox AS later
                        WHERE later.subject = message.subject
                          AND later.topic = message.topic
                          AND later.id > message.id
                   ) AS is_replaced
              FROM outbox AS message
             WHERE id = $1 AND state = 'dead' AND topic = $2
               FOR UPDATE
        ),
        retried AS (
            UPDATE outbox
               SET state = 'waiting', settled_at = NULL, due_at = clock_timestamp()
              FROM dead
             WHERE outbox.id = dead.id AND NOT dead.is_replaced
        )
        SELECT CASE WHEN is_replaced THEN 'replaced' ELSE 'retried' END FROM dead
        """,
        message_id, topic,
    )  # fmt: skip


async def delete_earlier_dead_messages(db: Executor, message: Message) -> int:
    """Delete the dead messages of a message's topic and subject that are older than it; returns how many."""
    return await db.fetchval(
        """
        WITH deleted AS (
            DELETE FROM outbox
             WHERE subject = $1 AND topic = $2 AND state = 'dead' AND id < $3
            RETURNING 1
        )
        SELECT count(*) FROM deleted
        """,
        message.subject, message.topic, message.id,
    )  # fmt: skip


async def select_messages(
    db: Executor, states: list[State], before: int | None, limit: int, topic: str | None = None
) -> list[MessageState]:
    """Messages in one of the states with an id below `before` and with the topic, if given; newest first."""
    rows = await db.fetch(
        """
        SELECT id, topic, subject, event, state, attempts, created_at, due_at, sent_at, settled_at, last_error
          FROM outbox
         WHERE state = ANY($1) AND ($2::bigint IS NULL OR id < $2) AND ($4::text IS NULL OR topic = $4)
         ORDER BY id DESC
         LIMIT $3
        """,
        states, before, limit, topic,
    )  # fmt: skip
    return [MessageState(**row) for row in rows]


async def select_message_counts(db: Executor, topics: Sequence[str]) -> list[MessageCounts]:
    """The counts of each of the topics, in their order."""
    rows = await db.fetch(
        """
        SELECT named.topic, coalesce(waiting, 0) AS waiting, waiting_since, coalesce(dead, 0) AS dead,
               coalesce(sent_last_day, 0) AS sent_last_day
          FROM unnest($1::text[]) WITH ORDINALITY AS named (topic, position)
          LEFT JOIN (SELECT topic,
                            count(*) FILTER (WHERE state = 'waiting') AS waiting,
                            min(created_at) FILTER (WHERE state = 'waiting') AS waiting_since,
                            count(*) FILTER (WHERE state = 'dead') AS dead,
                            count(*) FILTER (WHERE state = 'sent') AS sent_last_day
                       FROM outbox
                      WHERE state IN ('waiting', 'dead')
                         OR (state = 'sent' AND settled_at > now() - interval '24 hours')
                      GROUP BY topic) AS counted USING (topic)
         ORDER BY position
        """,
        topics,
    )
    return [MessageCounts(**row) for row in rows]


async def delete_old_messages(db: Executor, keep: timedelta, limit: int) -> int:
    """Delete up to `limit` messages that were sent longer ago than `keep`; returns how many.

    Dead messages stay until an operator retries them.
    """
    return await db.fetchval(
        """
        WITH deleted AS (
            DELETE FROM outbox
             WHERE (subject, topic, event) IN (
                SELECT subject, topic, event
                  FROM outbox
                 WHERE state = 'sent' AND settled_at < now() - $1::interval
                 ORDER BY settled_at
                 LIMIT $2
             )
            RETURNING 1
        )
        SELECT count(*) FROM deleted
        """,
        keep, limit,
    )  # fmt: skip
