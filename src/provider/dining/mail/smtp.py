"""Sends mail by SMTP, encrypted where the server offers it."""

from dataclasses import dataclass
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

import aiosmtplib

from common.config import Secret
from common.outbox.delivery import UndeliverableError
from common.upstream import UpstreamError

TIMEOUT_SECONDS = 20.0
DEFAULT_PORTS = {"smtp": 25, "smtps": 465}


@dataclass(frozen=True)
class SmtpServer:
    """An SMTP server. tls: encrypted from the first byte."""

    host: str
    port: int
    tls: bool
    username: str | None
    password: Secret | None


def parse_smtp_url(smtp_url: Secret) -> SmtpServer:
    """Return the server of a URL smtp[s]://[user:password@]host[:port] that the configuration has validated."""
    parts = urlsplit(smtp_url.reveal())
    assert parts.hostname is not None
    return SmtpServer(
        parts.hostname,
        parts.port or DEFAULT_PORTS[parts.scheme],
        parts.scheme == "smtps",
        unquote(parts.username) if parts.username else None,
        Secret(unquote(parts.password)) if parts.password else None,
    )


async def send(server: SmtpServer, message: EmailMessage, sender: str, recipient: str) -> None:
    """Send a message. sender, recipient: the bare addresses of the envelope.

    smtp:// switches to TLS when the server offers STARTTLS, and then verifies its certificate. Raises
    UndeliverableError when the server permanently refuses the recipient or the message, UpstreamError for other
    failures.
    """
    try:
        await aiosmtplib.send(
            message,
            sender=sender,
            recipients=[recipient],
            hostname=server.host,
            port=server.port,
            use_tls=server.tls,
            username=server.username,
            password=server.password.reveal() if server.password else None,
            timeout=TIMEOUT_SECONDS,
        )
    except aiosmtplib.SMTPRecipientsRefused as error:
        first = error.recipients[0]
        raise _failure(first.code, first.message) from error
    except (aiosmtplib.SMTPDataError, aiosmtplib.SMTPRecipientRefused) as error:
        raise _failure(error.code, error.message) from error
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        raise UpstreamError(f"SMTP: {type(error).__name__} {error}") from error


def _failure(code: int, reason: str) -> Exception:
    return (UndeliverableError if code >= 500 else UpstreamError)(f"SMTP: {code} {reason}")
