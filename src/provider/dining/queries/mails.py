"""SQL of the emails in the outbox."""

from common.db.pool import Executor
from common.outbox.queries import Message


async def update_mail_source_removed(db: Executor, message: Message) -> None:
    """Remove the source of an email that was sent; its row stays."""
    await db.execute(
        "UPDATE outbox SET payload = payload - 'source' WHERE subject = $1 AND topic = $2 AND event = $3",
        message.subject, message.topic, message.event,
    )  # fmt: skip


async def select_is_any_told(db: Executor, topic: str, subject: str, first_words: str) -> bool:
    """Return whether a message about a subject, in whatever state, has an event that begins with these words."""
    found: bool = await db.fetchval(
        "SELECT EXISTS (SELECT FROM outbox WHERE subject = $1 AND topic = $2 AND starts_with(event, $3))",
        subject, topic, first_words,
    )  # fmt: skip
    return found


async def delete_dead_messages(db: Executor, topic: str, subject: str, first_words: str) -> None:
    """Delete the dead messages about a subject whose event begins with these words."""
    await db.execute(
        "DELETE FROM outbox WHERE subject = $1 AND topic = $2 AND state = 'dead' AND starts_with(event, $3)",
        subject, topic, first_words,
    )  # fmt: skip


async def select_newest_unreached(
    db: Executor, topic: str, subject: str, failure_topic: str, failure_words: str
) -> tuple[str, str] | None:
    """Return the event and the last error of the newest message about a subject that was given up and not sent since.

    One that an operator has retried, and that waits, counts too: it was given up if a message of `failure_topic` has an
    event that begins with its own and `failure_words`.
    """
    row = await db.fetchrow(
        """
        SELECT event, last_error
          FROM outbox AS message
         WHERE subject = $1 AND topic = $2 AND last_error IS NOT NULL
           AND (
               state = 'dead'
               OR (
                   state = 'waiting'
                   AND EXISTS (
                       SELECT FROM outbox AS failure
                        WHERE failure.subject = $1 AND failure.topic = $3
                          AND starts_with(failure.event, message.event || ' ' || $4)
                   )
               )
           )
         ORDER BY id DESC
         LIMIT 1
        """,
        subject, topic, failure_topic, failure_words,
    )  # fmt: skip
    return (row["event"], row["last_error"]) if row is not None else None
