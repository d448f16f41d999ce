"""Where mail leaves: SMTP by an URL, encrypted where the server offers it."""

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
    """An SMTP server, taken apart from its URL: smtp[s]://[user:password@]host[:port]."""

    host: str
    port: int
    tls: bool
    username: str | None
    password: Secret | None


def parse_smtp_url(smtp_url: Secret) -> SmtpServer:
    parts = urlsplit(smtp_url.reveal())
    assert parts.hostname is not None
    return SmtpServer(
        parts.hostname,
        parts.port or DEFAULT_PORTS[parts.scheme],
        parts.scheme == "smtps",
        unquote(parts.username) if parts.username else None,
        Secret(unquote(parts.password)) if parts.password else None,
    )


async def send(route: SmtpServer, message: EmailMessage, sender: str, recipient: str) -> None:
    """Hand a message to the server. smtp:// turns to TLS where the server offers it, and then checks its certificate.

    sender, recipient: bare addresses of the envelope. Raises UndeliverableError where the server refuses this recipient
    or this message for good, UpstreamError for anything that may pass.
    """
    try:
        await aiosmtplib.send(
            message,
            sender=sender,
            recipients=[recipient],
            hostname=route.host,
            port=route.port,
            use_tls=route.tls,
            username=route.username,
            password=route.password.reveal() if route.password else None,
            timeout=TIMEOUT_SECONDS,
        )
    except aiosmtplib.SMTPRecipientsRefused as error:
        first = error.recipients[0]
        raise _failure(first.code, first.message) from error
    except (aiosmtplib.SMTPDataError, aiosmtplib.SMTPRecipientRefused) as error:
        raise _failure(error.code, error.message) from error
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        raise UpstreamError(f"SMTP: {type(error).__name__} {error}") from error


def _failure(code: int, words: str) -> Exception:
    return (UndeliverableError if code >= 500 else UpstreamError)(f"SMTP: {code} {words}")
