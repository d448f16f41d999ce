"""The demo's own SMTP server, which stores the emails for the inbox page."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import asyncpg
import msgspec
import structlog
from aiosmtpd.smtp import SMTP

from common.config import Secret
from common.db.errors import DATABASE_UNAVAILABLE
from common.db.pool import Executor
from provider.dining.settings import DiningSettings

log = structlog.get_logger()

MAX_KEPT_MAILS = 500
MAX_SHOWN_MAILS = 100


class DemoMail(msgspec.Struct, frozen=True, rename={"sender": "from", "recipient": "to"}):
    """An email as it arrived."""

    id: int
    """Id of the email in the inbox."""
    received_at: datetime
    """When it arrived."""
    sender: str
    """Sender of the envelope."""
    recipient: str
    """Recipient of the envelope."""
    subject: str
    """Its subject."""
    message_id: str
    """Its header Message-ID."""
    headers: dict[str, str]
    """All its headers."""
    text: str
    """Its body as plain text."""
    html: str
    """Its body as HTML."""


class MailStore:
    """Stores the emails that the SMTP server receives. An email is accepted only after it is stored."""

    def __init__(self, db: asyncpg.Pool) -> None:
        self.db = db

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        try:
            await insert_mail(self.db, envelope.mail_from or "", envelope.rcpt_tos, envelope.original_content)
        except DATABASE_UNAVAILABLE as error:
            return f"451 cannot store the mail now: {type(error).__name__}"
        return "250 stored"


@asynccontextmanager
async def run_smtp_server(db: asyncpg.Pool) -> AsyncIterator[Secret]:
    """Run an SMTP server on a free port of the loopback interface; yields its URL."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(MailStore(db), loop=loop, hostname="localhost"), "127.0.0.1", 0)
    try:
        yield Secret(f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    finally:
        server.close()
        await server.wait_closed()


@asynccontextmanager
async def smtp_url_for(settings: DiningSettings, db: asyncpg.Pool) -> AsyncIterator[Secret | None]:
    """Yield the URL of the configured SMTP server or of the demo's own; None, with a warning, if there is neither."""
    if settings.inbox:
        async with run_smtp_server(db) as url:
            yield url
        return
    if settings.smtp_url is None:
        log.warning("smtp_not_configured", reason="emails wait in the outbox until PROVIDER_SMTP_URL is set")
    yield settings.smtp_url


def parse_mail(row: asyncpg.Record) -> DemoMail:
    """Return a stored email with its parts decoded."""
    message = message_from_bytes(row["source"], policy=policy.default)
    assert isinstance(message, EmailMessage)
    parts = {kind: message.get_body((kind,)) for kind in ("plain", "html")}
    content = {kind: part.get_content() if part is not None else "" for kind, part in parts.items()}
    return DemoMail(
        id=row["id"],
        received_at=row["received_at"],
        sender=str(message["From"] or row["sender"]),
        recipient=", ".join(row["recipients"]),
        subject=str(message["Subject"] or ""),
        message_id=str(message["Message-ID"] or ""),
        headers={name: str(value) for name, value in message.items()},
        text=content["plain"],
        html=content["html"],
    )


async def insert_mail(db: Executor, sender: str, recipients: list[str], source: bytes) -> None:
    """Store an email and delete all but the newest `MAX_KEPT_MAILS`."""
    await db.execute(
        """
        WITH stored AS (
            INSERT INTO demo_mail (sender, recipients, source)
            VALUES ($1, $2, $3)
            RETURNING id
        )
        DELETE FROM demo_mail
         WHERE id <= (SELECT id - $4::bigint FROM stored)
        """,
        sender, recipients, source, MAX_KEPT_MAILS,
    )  # fmt: skip


async def select_mails(db: Executor, limit: int) -> list[DemoMail]:
    """Return the newest emails, newest first."""
    rows = await db.fetch(
        "SELECT id, received_at, sender, recipients, source FROM demo_mail ORDER BY id DESC LIMIT $1", limit
    )
    return [parse_mail(row) for row in rows]


async def delete_mails_to(db: Executor, recipients: list[str]) -> None:
    """Delete the emails to any of the recipients, whose addresses may be written in any case."""
    await db.execute(
        """
        DELETE FROM demo_mail
         WHERE EXISTS (SELECT FROM unnest(recipients) AS recipient WHERE lower(recipient) = ANY($1))
        """,
        [recipient.lower() for recipient in recipients],
    )
