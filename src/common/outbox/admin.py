"""Operator queries on the outbox: list messages, retry a dead one, delete old ones."""

from datetime import datetime, timedelta

import msgspec

from common.db.pool import Executor
from common.outbox.queries import State


class MessageState(msgspec.Struct, frozen=True):
    """The state of a message for an operator, without its content."""

    id: int
    topic: str
    subject: str
    event: str
    state: State
    attempts: int
    created_at: datetime
    due_at: datetime
    settled_at: datetime | None
    last_error: str | None


async def retry_dead_message(db: Executor, message_id: int) -> bool:
    """Make a dead message due now; False if there is no dead message with this id."""
    return await db.fetchval(
        """
        UPDATE outbox
           SET state = 'waiting', settled_at = NULL, due_at = clock_timestamp()
         WHERE id = $1 AND state = 'dead'
        RETURNING true
        """,
        message_id,
    ) is not None  # fmt: skip


async def select_messages(db: Executor, states: list[State], before: int | None, limit: int) -> list[MessageState]:
    """Messages in one of the states with an id below `before`, if given; newest first."""
    rows = await db.fetch(
        """
        SELECT id, topic, subject, event, state, attempts, created_at, due_at, settled_at, last_error
          FROM outbox
         WHERE state = ANY($1) AND ($2::bigint IS NULL OR id < $2)
         ORDER BY id DESC
         LIMIT $3
        """,
        states, before, limit,
    )  # fmt: skip
    return [MessageState(**row) for row in rows]


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
