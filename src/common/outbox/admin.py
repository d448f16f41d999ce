"""The outbox as an operator sees it: what has not left, and why; what is to be tried once more; what is forgotten."""

from datetime import datetime, timedelta

import msgspec

from common.db.pool import Executor
from common.outbox.delivery import State

SENT_RETENTION = timedelta(days=30)
"""How long a message that was sent is kept. Dead ones stay until somebody revives them."""


class MessageState(msgspec.Struct, frozen=True):
    """A message as an operator sees it; without its content."""

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
    """Let a dead message be tried once more, now; False when there is no such dead message."""
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
    """Messages in the given states, newest first, from below an id on."""
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


async def delete_old_messages(db: Executor) -> int:
    """Forget the messages past their keeping; returns how many."""
    return await db.fetchval(
        """
        WITH gone AS (
            DELETE FROM outbox
             WHERE state = 'sent' AND settled_at < now() - $1::interval
            RETURNING 1
        )
        SELECT count(*) FROM gone
        """,
        SENT_RETENTION,
    )
