"""SQL of the emails in the outbox."""

from common.db.pool import Executor
from common.outbox.queries import Message


async def update_mail_source_removed(db: Executor, message: Message) -> None:
    """Remove the source of an email that was sent; its row stays."""
    await db.execute(
        "UPDATE outbox SET payload = payload - 'source' WHERE subject = $1 AND topic = $2 AND event = $3",
        message.subject, message.topic, message.event,
    )  # fmt: skip
