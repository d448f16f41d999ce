"""An SMTP server for tests, which fails on request."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, Literal

from aiosmtpd.smtp import MISSING, SMTP


class FakeSmtp:
    """Receives emails. `refuse_data`, `refuse_recipient`: the error that it answers instead, while set.

    accepted_first: how many emails it receives before it refuses recipients.
    hanging: recipients for whom it does not answer until `release` is set, as at QUIT if `hangs_at_quit`. reached: set
    when it hangs.
    """

    def __init__(self) -> None:
        self.envelopes: list[Any] = []
        self.refuse_data: str | None = None
        self.refuse_recipient: str | None = None
        self.accepted_first = 0
        self.hanging: set[str] = set()
        self.hangs_at_quit = False
        self.auth_commands = 0
        self.reached, self.release = asyncio.Event(), asyncio.Event()
        self.port = 0
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    @property
    def mails(self) -> list[EmailMessage]:
        return [message_from_bytes(e.original_content, policy=policy.default) for e in self.envelopes]

    async def open(self) -> None:
        """Listen on a free port; when opened again, on the same one."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: SMTP(self, loop=loop, hostname="localhost"), "127.0.0.1", self.port
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    async def handle_AUTH(self, _server: Any, _session: Any, _envelope: Any, _arguments: Any) -> Any:  # noqa: N802 - aiosmtpd's name
        self.auth_commands += 1
        return MISSING

    async def handle_QUIT(self, _server: Any, _session: Any, _envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        if self.hangs_at_quit:
            await self.release.wait()
        return "221 Bye"

    async def handle_RCPT(self, _s: Any, _session: Any, envelope: Any, address: str, _o: Any) -> str:  # noqa: N802 - aiosmtpd's name
        if address in self.hanging:
            self.reached.set()
            await self.release.wait()
        if self.refuse_recipient and len(self.envelopes) >= self.accepted_first:
            return self.refuse_recipient
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        if self.refuse_data:
            return self.refuse_data
        self.envelopes.append(envelope)
        return "250 OK"


@asynccontextmanager
async def run_fake_smtp() -> AsyncIterator[FakeSmtp]:
    fake_smtp = FakeSmtp()
    await fake_smtp.open()
    try:
        yield fake_smtp
    finally:
        await fake_smtp.close()


def body(mail: EmailMessage, subtype: Literal["plain", "html"] = "plain") -> str:
    """Return the text or the HTML of an email."""
    part = mail.get_body((subtype,))
    assert isinstance(part, EmailMessage)
    return part.get_content()


def cancel_path(mail: EmailMessage, subtype: Literal["plain", "html"] = "plain") -> str:
    """Return the address of the cancel button of an email, without the host."""
    match = re.search(r"http://[^/\s]+(/api/customer/cancel_booking/\?id=[\w-]+)", body(mail, subtype))
    assert match is not None
    return match[1]
