"""SQL of the emails in the outbox."""

from common.db.pool import Executor
from common.outbox.queries import Message


async def update_mail_source_removed(db: Executor, message: Message) -> None:
    """Remove the source of an email that was sent; its row stays."""
    await db.execute(
        "UPDATE outbox SET payload = payload - 'source' WHERE subject = $1 AND topic = $2 AND event = $3",
        message.subject, message.topic, message.event,
    )  # fmt: skip


async def has_message(db: Executor, topic: str, subject: str, event: str) -> bool:
    """Return whether an event has a message, in whatever state."""
    found: bool = await db.fetchval(
        "SELECT EXISTS (SELECT FROM outbox WHERE subject = $1 AND topic = $2 AND event = $3)", subject, topic, event
    )
    return found


async def select_newest_dead(db: Executor, topic: str, subject: str) -> tuple[str, str] | None:
    """Return the event and the error of the newest message about a subject that was given up."""
    row = await db.fetchrow(
        """
        SELECT event, last_error
          FROM outbox
         WHERE subject = $1 AND topic = $2 AND state = 'dead'
         ORDER BY id DESC
         LIMIT 1
        """,
        subject, topic,
    )  # fmt: skip
    return (row["event"], row["last_error"]) if row is not None else None
