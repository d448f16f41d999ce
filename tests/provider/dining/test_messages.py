"""Messages to guests: each is sent once, also after failures."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from aioresponses import aioresponses
from yarl import URL

from common.config import read_config
from common.jobs.cleanup import forget_old
from common.jobs.scheduler import run_now
from common.outbox import delivery
from common.outbox.delivery import Policy
from common.outbox.queries import claim_due_messages, extend_claims
from provider.config import Config
from provider.dining.mail import smtp
from provider.schedule import retentions
from tests.support.fake_smtp import FakeSmtp, body, cancel_path
from tests.support.restaurant import ACCOUNTING_URL, START, START_TEXT, Restaurant

LEASE = timedelta(seconds=60)


async def test_each_event_sends_one_email_to_one_recipient(restaurant: Restaurant, fake_smtp: FakeSmtp) -> None:
    table = await restaurant.add_table(table_type="cabin", seats=4, price=25.5)
    booking = await restaurant.book(table, email="ann@example.com", name="Ann", guests=3, starts_at=START)
    await restaurant.book(table, email="ben@example.com")
    await restaurant.send_mails()
    await restaurant.admin("POST", f"accept_booking/?id={booking}")
    await restaurant.send_mails()
    await restaurant.admin("POST", f"cancel_booking/?id={booking}")
    await restaurant.send_mails()
    await restaurant.send_mails()

    sent = [(str(mail["To"]), str(mail["Subject"])) for mail in fake_smtp.mails]
    assert sorted(sent[:2]) == [
        ("ann@example.com", "We have received your order for a table"),
        ("ben@example.com", "We have received your order for a table"),
    ]
    assert sent[2:] == [
        ("ann@example.com", "Your table is confirmed"),
        ("ann@example.com", "Your table is cancelled"),
    ]
    assert len({mail["Message-ID"] for mail in fake_smtp.mails}) == 4
    for envelope, mail in zip(fake_smtp.envelopes, fake_smtp.mails, strict=True):
        assert envelope.rcpt_tos == [mail["To"]]
        assert mail["Cc"] is None
        assert mail["Bcc"] is None


async def test_an_email_describes_the_order_in_text_and_in_html(restaurant: Restaurant, fake_smtp: FakeSmtp) -> None:
    table = await restaurant.add_table(table_type="cabin", seats=4, price=25.5)
    await restaurant.book(table, email="ann@example.com", name="Zoë O’Neill", guests=3, starts_at=START, minutes=90)
    await restaurant.send_mails()

    [mail] = fake_smtp.mails
    assert "Dear Zoë O’Neill," in body(mail, "plain")
    assert "Dear <bdi>Zoë O’Neill</bdi>," in body(mail, "html")
    for part in (body(mail, "plain"), body(mail, "html")):
        assert "cabin, 4 seats" in part
        assert START_TEXT in part
        assert "90 minutes" in part
        assert "25.50" in part
    assert cancel_path(mail, "plain") == cancel_path(mail, "html")


@pytest.mark.parametrize("name", ["Win at www.evil.example", "Call +1 234 567 8901", "http://evil.example"])
async def test_a_name_with_something_to_click_is_nowhere_in_an_email(
    restaurant: Restaurant, fake_smtp: FakeSmtp, name: str
) -> None:
    await restaurant.book(await restaurant.add_table(), email="ann@example.com", name=name)
    await restaurant.send_mails()

    [envelope] = fake_smtp.envelopes
    assert b"Dear guest," in envelope.original_content
    assert name.encode() not in envelope.original_content


async def test_an_implausible_name_is_no_greeting_and_no_markup(restaurant: Restaurant, fake_smtp: FakeSmtp) -> None:
    await restaurant.book(await restaurant.add_table(), email="ann@example.com", name="<b>Ann</b>")
    await restaurant.send_mails()

    [mail] = fake_smtp.mails
    for part in (body(mail), body(mail, "html")):
        assert "Dear guest," in part
    assert "<b>Ann" not in body(mail, "html")
    assert "&lt;b&gt;Ann&lt;/b&gt;" in body(mail, "html")


async def test_an_outage_of_the_smtp_server_delays_emails_and_loses_none(
    restaurant: Restaurant, fake_smtp: FakeSmtp
) -> None:
    table = await restaurant.add_table()
    for number in range(12):
        await restaurant.book(table, email=f"guest{number}@example.com")
    await fake_smtp.close()

    for _ in range(3):
        assert await restaurant.send_mails() == {"sent": 0, "failed": 12, "dead": 0}
        assert await restaurant.send_mails() == {"sent": 0, "failed": 0, "dead": 0}
        await restaurant.make_all_due()
    stuck = await (await restaurant.admin("GET", "outbox/")).get_json()
    mails = [message for message in stuck if message["topic"] == "mail"]
    assert [(message["state"], message["attempts"]) for message in mails] == [("waiting", 3)] * 12
    assert "SMTP" in mails[0]["last_error"]
    await fake_smtp.open()

    assert await restaurant.send_mails() == {"sent": 12, "failed": 0, "dead": 0}
    assert sorted(str(mail["To"]) for mail in fake_smtp.mails) == sorted(f"guest{n}@example.com" for n in range(12))


@pytest.mark.parametrize("response", ["451 later", "499 later", "421 closing"])
@pytest.mark.parametrize("stage", ["refuse_data", "refuse_recipient"])
async def test_an_email_waits_however_often_the_server_refuses_it_for_now(
    restaurant: Restaurant, fake_smtp: FakeSmtp, stage: str, response: str
) -> None:
    await restaurant.book(await restaurant.add_table())
    setattr(fake_smtp, stage, response)
    for _ in range(delivery.DEFAULT_POLICY.max_rejections + 2):
        assert await restaurant.send_mails(Policy(min_wait=60)) == {"sent": 0, "failed": 1, "dead": 0}
        await restaurant.make_all_due()
    setattr(fake_smtp, stage, None)

    assert (await restaurant.send_mails())["sent"] == 1


@pytest.mark.parametrize("response", ["500 never", "550 never"])
@pytest.mark.parametrize("stage", ["refuse_data", "refuse_recipient"])
async def test_an_email_that_the_server_refuses_for_good_is_dead_after_eight_attempts(
    restaurant: Restaurant, fake_smtp: FakeSmtp, stage: str, response: str
) -> None:
    await restaurant.book(await restaurant.add_table())
    setattr(fake_smtp, stage, response)
    outcomes = []
    for _ in range(8):
        outcomes.append((await restaurant.send_mails(Policy(min_wait=60)))["dead"])
        await restaurant.make_all_due()
    assert outcomes == [0] * 7 + [1]


async def test_an_email_says_that_a_program_wrote_it(restaurant: Restaurant, fake_smtp: FakeSmtp) -> None:
    """So that no automatic reply comes back (RFC 3834)."""
    await restaurant.book(await restaurant.add_table())
    await restaurant.send_mails()

    [mail] = fake_smtp.mails
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Date"] is not None


@pytest.mark.parametrize("response", ["451 later", "550 never", "421 closing"])
@pytest.mark.parametrize("stage", ["refuse_data", "refuse_recipient"])
async def test_an_email_that_the_server_refuses_at_first_is_sent_later(
    restaurant: Restaurant, fake_smtp: FakeSmtp, stage: str, response: str
) -> None:
    await restaurant.book(await restaurant.add_table())
    setattr(fake_smtp, stage, response)
    assert (await restaurant.send_mails())["failed"] == 1
    setattr(fake_smtp, stage, None)
    await restaurant.make_all_due()

    assert (await restaurant.send_mails())["sent"] == 1
    assert len(fake_smtp.mails) == 1


async def test_a_message_that_is_refused_repeatedly_becomes_dead_and_can_be_retried(
    restaurant: Restaurant, fake_smtp: FakeSmtp
) -> None:
    await restaurant.book(await restaurant.add_table())
    fake_smtp.refuse_recipient = "550 no such mailbox"
    outcomes = []
    for _ in range(4):
        outcomes.append(await restaurant.send_mails(Policy(max_rejections=3, min_wait=60)))
        await restaurant.make_all_due()
    assert [outcome["dead"] for outcome in outcomes] == [0, 0, 1, 0]

    [dead] = await (await restaurant.admin("GET", "outbox/?state=dead")).get_json()
    assert (dead["event"], dead["attempts"]) == ("received", 3)
    assert "550 no such mailbox" in dead["last_error"]
    fake_smtp.refuse_recipient = None
    assert (await restaurant.admin("POST", f"retry_message/?id={dead['id']}")).status_code == 204
    assert (await restaurant.admin("POST", f"retry_message/?id={dead['id']}")).status_code == 404
    assert (await restaurant.send_mails())["sent"] == 1


async def test_a_crash_between_sending_and_marking_sends_the_same_email_again(
    restaurant: Restaurant, fake_smtp: FakeSmtp, monkeypatch: pytest.MonkeyPatch
) -> None:
    await restaurant.book(await restaurant.add_table())

    class KilledError(Exception):
        pass

    async def die(*_: Any) -> bool:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(delivery, "update_sent", die)
        with pytest.raises(KilledError):
            await restaurant.send_mails()
    assert (await restaurant.send_mails())["sent"] == 0, "the message is still claimed"
    await restaurant.make_all_due()

    assert (await restaurant.send_mails())["sent"] == 1
    first, again = fake_smtp.envelopes
    assert first.original_content == again.original_content
    assert (await restaurant.client.get(cancel_path(fake_smtp.mails[0]))).status_code == 200
    assert await restaurant.db.fetchval("SELECT count(*) FROM dining_cancel_token") == 1


async def test_messages_are_sent_as_they_were_when_they_were_enqueued(
    restaurant: Restaurant, fake_smtp: FakeSmtp
) -> None:
    table = await restaurant.add_table(table_type="cabin", seats=4, price=25.5)
    booking = await restaurant.book(table, email="ann@example.com", name="Ann", starts_at=START)
    await restaurant.admin("PATCH", "update_table/", json={"id": table, "table_type": "room", "seats": 9})
    await restaurant.db.execute("ALTER TABLE dining_booking DISABLE TRIGGER USER")
    await restaurant.db.execute(
        """
        UPDATE dining_booking
           SET email = 'eve@example.com', name = 'Eve', starts_at = '2999-02-02T20:00:00Z', price = 99
        """
    )
    await restaurant.db.execute("ALTER TABLE dining_booking ENABLE TRIGGER USER")
    await restaurant.admin("POST", f"cancel_booking/?id={booking}")

    with aioresponses() as accounting:
        accounting.post(f"{ACCOUNTING_URL}/orders", status=503)
        accounting.post(f"{ACCOUNTING_URL}/orders", status=200, repeat=True)
        for _ in range(2):
            await restaurant.forward_orders()
            await restaurant.make_all_due()
        first, again, declined = (
            call.kwargs["data"] for call in accounting.requests["POST", URL(f"{ACCOUNTING_URL}/orders")]
        )
    assert first == again
    order = json.loads(first)
    assert (order["status"], order["table_type"], order["seats"], order["price"]) == ("waiting", "cabin", 4, 25.5)
    assert (order["email"], order["name"], order["starts_at"]) == ("ann@example.com", "Ann", START)
    assert json.loads(declined)["status"] == "declined"

    await restaurant.send_mails()
    received = fake_smtp.mails[0]
    assert received["To"] == "ann@example.com"
    for part in ("Dear Ann,", "cabin, 4 seats", START_TEXT, "25.50"):
        assert part in body(received)


async def test_concurrent_senders_send_each_message_once(restaurant: Restaurant, fake_smtp: FakeSmtp) -> None:
    table = await restaurant.add_table()
    for number in range(30):
        await restaurant.book(table, email=f"guest{number}@example.com")

    outcomes = await asyncio.gather(*(restaurant.send_mails() for _ in range(3)))

    assert sum(outcome["sent"] for outcome in outcomes) == 30
    assert len({str(mail["To"]) for mail in fake_smtp.mails}) == len(fake_smtp.mails) == 30


async def test_messages_of_one_booking_are_sent_in_order(restaurant: Restaurant, fake_smtp: FakeSmtp) -> None:
    booking = await restaurant.book(await restaurant.add_table())
    fake_smtp.refuse_data = "451 later"
    await restaurant.send_mails()
    fake_smtp.refuse_data = None
    await restaurant.admin("POST", f"accept_booking/?id={booking}")

    assert (await restaurant.send_mails())["sent"] == 0
    await restaurant.make_all_due()
    assert (await restaurant.send_mails())["sent"] == 2
    assert [str(mail["Subject"]) for mail in fake_smtp.mails] == [
        "We have received your order for a table",
        "Your table is confirmed",
    ]


async def test_a_guest_with_only_a_phone_gets_a_text_message(
    restaurant: Restaurant, fake_smtp: FakeSmtp, capsys: pytest.CaptureFixture[str]
) -> None:
    await restaurant.book(await restaurant.add_table(), phone="+4930123456")

    assert (await restaurant.send_guest_messages())["sent"] == 1

    assert fake_smtp.mails == []
    output = capsys.readouterr()
    assert "+4930123456" not in output.out + output.err
    assert "+49…56" in output.out + output.err


async def test_a_message_that_cannot_be_read_does_not_block_others(restaurant: Restaurant, fake_smtp: FakeSmtp) -> None:
    table = await restaurant.add_table()
    bad, _ = await restaurant.book(table), await restaurant.book(table, email="ben@example.com")
    await restaurant.db.execute(
        "UPDATE outbox SET payload = '{}' WHERE subject = $1 AND topic = 'mail'", f"booking:{bad}"
    )

    assert await restaurant.send_mails() == {"sent": 1, "failed": 1, "dead": 0}
    assert [str(mail["To"]) for mail in fake_smtp.mails] == ["ben@example.com"]


async def test_old_messages_and_signatures_are_deleted(restaurant: Restaurant, fake_smtp: FakeSmtp) -> None:
    booking = await restaurant.book(await restaurant.add_table())
    await restaurant.decide(booking, "confirm")
    await restaurant.send_mails()
    await restaurant.db.execute("UPDATE outbox SET settled_at = now() - interval '91 days' WHERE state = 'sent'")
    await restaurant.db.execute("UPDATE used_signature SET used_at = now() - interval '91 days'")
    cleanup = forget_old(restaurant.db, retentions(read_config(Config, {})))

    result = await run_now(restaurant.db, cleanup)

    assert (result["messages"], result["signatures"], result["cancel_tokens"]) == (2, 1, 0)


async def test_a_claim_is_renewed_while_its_sender_is_running(
    restaurant: Restaurant, fake_smtp: FakeSmtp, monkeypatch: pytest.MonkeyPatch
) -> None:
    await restaurant.book(await restaurant.add_table())
    begun, go_on = asyncio.Event(), asyncio.Event()
    send = smtp.send

    async def slow(*arguments: Any) -> None:
        begun.set()
        await go_on.wait()
        await send(*arguments)

    monkeypatch.setattr(smtp, "send", slow)
    extended = asyncio.Event()
    extend = extend_claims

    async def watched(*arguments: Any) -> None:
        await extend(*arguments)
        extended.set()

    monkeypatch.setattr(delivery, "extend_claims", watched)
    sending = asyncio.create_task(restaurant.send_mails(Policy(claim_seconds=3)))
    await begun.wait()
    claimed_until = "SELECT due_at FROM outbox WHERE topic = 'mail'"
    first_end = await restaurant.db.fetchval(claimed_until)
    await extended.wait()
    assert await restaurant.db.fetchval(claimed_until) > first_end
    assert await claim_due_messages(restaurant.db, "mail", 1, LEASE) == []
    go_on.set()

    assert (await sending)["sent"] == 1
    assert len(fake_smtp.mails) == 1


async def test_an_error_message_with_invalid_characters_is_stored(
    restaurant: Restaurant, monkeypatch: pytest.MonkeyPatch
) -> None:
    await restaurant.book(await restaurant.add_table())

    async def fail(*_: Any) -> None:
        raise OSError("NUL \0, half a pair \ud800, " + "long " * 200)

    monkeypatch.setattr(smtp, "send", fail)
    assert (await restaurant.send_mails())["failed"] == 1
    assert (await restaurant.db.fetchval("SELECT last_error FROM outbox WHERE topic = 'mail'")).startswith(
        "OSError: NUL"
    )
