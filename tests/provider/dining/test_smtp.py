"""The connection to the SMTP server: encryption, recipients that hang, and shutdown."""

import asyncio
import signal
from collections.abc import Callable
from typing import Any

import aiosmtplib
import asyncpg
import pytest

from common.config import Secret, read_config
from common.jobs.lease import JobResult
from common.outbox.delivery import Policy
from provider.config import Config
from provider.dining import jobs
from provider.dining.mail import smtp
from tests.support.applications import ApplicationProcess
from tests.support.fake_smtp import FakeSmtp
from tests.support.restaurant import SLOW_RETRY, Restaurant
from tests.support.waiting import eventually, wait_until


def test_an_smtp_url_is_parsed_completely() -> None:
    server = smtp.parse_smtp_url(Secret("smtps://us%40er:p%2Fw@mail.example"))
    assert (server.host, server.port, server.username) == ("mail.example", 465, "us@er")
    assert server.password is not None
    assert server.password.reveal() == "p/w"
    assert "p/w" not in repr(server)


@pytest.mark.parametrize(
    ("scheme", "port", "use_tls", "start_tls"),
    [("smtp", 25, False, None), ("smtp+tls", 587, False, True), ("smtps", 465, True, False)],
)
async def test_the_scheme_decides_on_the_port_and_the_encryption(
    restaurant: Restaurant,
    monkeypatch: pytest.MonkeyPatch,
    scheme: str,
    port: int,
    use_tls: bool,
    start_tls: bool | None,
) -> None:
    calls: list[dict[str, Any]] = []

    class Recorded(aiosmtplib.SMTP):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            calls.append(options)

        async def connect(self, **_: Any) -> Any:
            raise aiosmtplib.SMTPConnectError("not in a test")

    monkeypatch.setattr(aiosmtplib, "SMTP", Recorded)
    await restaurant.book(await restaurant.add_table())
    config = read_config(Config, {"PROVIDER_SMTP_URL": f"{scheme}://mail.example"})
    assert config.smtp_url is not None
    await jobs.send_mails(restaurant.db, restaurant.settings, config.smtp_url, SLOW_RETRY)

    [options] = calls
    assert (options["hostname"], options["port"]) == ("mail.example", port)
    assert (options["use_tls"], options["start_tls"]) == (use_tls, start_tls)
    assert "validate_certs" not in options


@pytest.mark.parametrize("scheme", ["smtps", "smtp+tls"])
async def test_nothing_is_sent_without_the_encryption_that_is_required(
    restaurant: Restaurant, fake_smtp: FakeSmtp, scheme: str
) -> None:
    """The server offers no STARTTLS; an attacker between would remove the offer."""
    await restaurant.book(await restaurant.add_table())
    url = Secret(f"{scheme}://user:secret@127.0.0.1:{fake_smtp.port}")

    assert (await jobs.send_mails(restaurant.db, restaurant.settings, url, SLOW_RETRY))["failed"] == 1
    assert fake_smtp.mails == []
    assert fake_smtp.auth_commands == 0
    assert "secret" not in await restaurant.db.fetchval("SELECT last_error FROM outbox WHERE topic = 'mail'")


async def test_a_recipient_whose_mail_hangs_delays_no_other_mail(restaurant: Restaurant, fake_smtp: FakeSmtp) -> None:
    table = await restaurant.add_table()
    fake_smtp.hanging = {"slow@example.com"}
    await restaurant.book(table, email="slow@example.com")
    for number in range(10):
        await restaurant.book(table, email=f"guest{number}@example.com")

    sending = asyncio.create_task(restaurant.send_mails())
    await fake_smtp.reached.wait()
    await eventually(lambda: len(fake_smtp.mails) == 10)
    await restaurant.book(table, email="later@example.com")
    await eventually(lambda: len(fake_smtp.mails) == 11)
    assert not sending.done()
    fake_smtp.release.set()

    assert await sending == {"sent": 12, "failed": 0, "dead": 0}


async def test_an_attempt_ends_at_its_time_limit_although_the_server_hangs(
    restaurant: Restaurant, fake_smtp: FakeSmtp
) -> None:
    """It does not wait for an answer to QUIT too: the server answers nothing until the test has ended."""
    fake_smtp.hanging = {"slow@example.com"}
    await restaurant.book(await restaurant.add_table(), email="slow@example.com")
    policy = Policy(attempt_timeout=0.2, min_wait=60)

    assert await restaurant.send_mails(policy) == {"sent": 0, "failed": 1, "dead": 0}
    assert await restaurant.db.fetchval("SELECT last_error FROM outbox WHERE topic = 'mail'") == "TimeoutError"


async def test_a_server_that_hangs_after_it_has_the_message_gets_it_once(
    restaurant: Restaurant, fake_smtp: FakeSmtp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "QUIT_SECONDS", 0.1)
    fake_smtp.hangs_at_quit = True
    await restaurant.book(await restaurant.add_table())

    assert (await restaurant.send_mails())["sent"] == 1
    assert len(fake_smtp.mails) == 1


async def test_mails_do_not_wait_for_text_messages(restaurant: Restaurant, fake_smtp: FakeSmtp) -> None:
    released = asyncio.Event()

    class Hanging:
        async def send(self, phone: str, text: str, reference: str) -> None:
            await released.wait()

    table = await restaurant.add_table()
    await restaurant.book(table, phone="+4930123456")
    await restaurant.book(table, email="ann@example.com")
    sending = asyncio.create_task(
        jobs.send_guest_messages(restaurant.db, restaurant.settings, restaurant.smtp_url, Hanging())
    )
    await eventually(lambda: len(fake_smtp.mails) == 1)
    released.set()
    assert await sending == {"sent": 2, "failed": 0, "dead": 0}


async def test_a_failure_of_the_one_kind_of_message_is_raised_when_the_other_has_ended(
    restaurant: Restaurant, fake_smtp: FakeSmtp, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any) -> JobResult:
        raise ConnectionRefusedError("the database is down")

    monkeypatch.setattr(jobs, "send_text_messages", fail)
    await restaurant.book(await restaurant.add_table(), email="ann@example.com")
    with pytest.raises(ConnectionRefusedError):
        await restaurant.send_guest_messages()
    assert len(fake_smtp.mails) == 1


@pytest.mark.slow
async def test_sigterm_while_a_mail_hangs_ends_cleanly_and_the_mail_is_sent_later(
    restaurant: Restaurant,
    fake_smtp: FakeSmtp,
    provider_url: Secret,
    provider_db: asyncpg.Pool,
    make_application: Callable[..., ApplicationProcess],
) -> None:
    fake_smtp.hanging = {"slow@example.com"}
    await restaurant.book(await restaurant.add_table(), email="slow@example.com")
    provider = make_application(
        "provider", provider_url, PROVIDER_SMTP_URL=fake_smtp.url, PROVIDER_OUTBOX_SECONDS="0.2"
    )
    await asyncio.to_thread(provider.start)
    await fake_smtp.reached.wait()

    provider.process.send_signal(signal.SIGTERM)
    await asyncio.to_thread(wait_until, lambda: not provider.is_running())

    assert provider.process.returncode == 0
    assert "Traceback" not in provider.output()
    assert "Error running job" not in provider.output()
    row = await provider_db.fetchrow("SELECT last_outcome, last_error FROM job WHERE name = 'send_guest_messages'")
    assert row is not None
    assert (row["last_outcome"], row["last_error"]) == ("failed", "cancelled at shutdown")
    fake_smtp.release.set()
    await restaurant.make_all_due()
    assert (await restaurant.send_mails())["sent"] == 1
    assert [str(mail["To"]) for mail in fake_smtp.mails] == ["slow@example.com"]
