"""Sends mail by SMTP, encrypted where the server offers it or where the URL requires it."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote, urlsplit

import aiosmtplib

from common.config import Secret
from common.outbox.delivery import UndeliverableError
from common.upstream import UpstreamError
from provider.dining.mail.compose import MailMessage

TIMEOUT_SECONDS = 20.0
"""The limit of each step of the dialogue; the attempt as a whole has the limit of the outbox."""

QUIT_SECONDS = 2.0

Encryption = Literal["if offered", "required", "from the first byte"]

SCHEMES: dict[str, tuple[int, Encryption]] = {
    "smtp": (25, "if offered"),
    "smtp+tls": (587, "required"),
    "smtps": (465, "from the first byte"),
}
"""The schemes of the URL of an SMTP server: the default port, and whether the connection is encrypted."""

START_TLS: dict[Encryption, bool | None] = {"if offered": None, "required": True, "from the first byte": False}
"""The argument `start_tls` of aiosmtplib."""


@dataclass(frozen=True)
class SmtpServer:
    """An SMTP server."""

    host: str
    port: int
    encryption: Encryption
    username: str | None
    password: Secret | None


def parse_smtp_url(smtp_url: Secret) -> SmtpServer:
    """Return the server of a URL <scheme>://[user:password@]host[:port] that the configuration has validated."""
    parts = urlsplit(smtp_url.reveal())
    assert parts.hostname is not None
    default_port, encryption = SCHEMES[parts.scheme]
    return SmtpServer(
        parts.hostname,
        parts.port or default_port,
        encryption,
        unquote(parts.username) if parts.username else None,
        Secret(unquote(parts.password)) if parts.password else None,
    )


async def send(server: SmtpServer, message: MailMessage) -> None:
    """Send a message byte for byte.

    Certificates are verified. Without STARTTLS nothing is sent to a server that must be encrypted, not even the
    password. Raises UndeliverableError when the server permanently refuses the recipient or the message, UpstreamError
    for other failures.
    """
    client = aiosmtplib.SMTP(
        hostname=server.host,
        port=server.port,
        use_tls=server.encryption == "from the first byte",
        start_tls=START_TLS[server.encryption],
        username=server.username,
        password=server.password.reveal() if server.password else None,
        timeout=TIMEOUT_SECONDS,
    )
    try:
        await client.connect()
        await client.sendmail(message.sender, [message.recipient], message.source.encode("ascii"))
        with suppress(aiosmtplib.SMTPException, TimeoutError):  # the server has the message
            async with asyncio.timeout(QUIT_SECONDS):
                await client.quit()
    except aiosmtplib.SMTPRecipientsRefused as error:
        first = error.recipients[0]
        raise _failure(first.code, first.message) from error
    except (aiosmtplib.SMTPDataError, aiosmtplib.SMTPRecipientRefused) as error:
        raise _failure(error.code, error.message) from error
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        raise UpstreamError(f"SMTP: {type(error).__name__} {error}") from error
    finally:
        client.close()  # without QUIT, for whose answer a cancelled attempt would wait


def _failure(code: int, reason: str) -> Exception:
    return (UndeliverableError if code >= 500 else UpstreamError)(f"SMTP: {code} {reason}")
