"""What guests hear: once, whatever breaks on the way."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from common.config import Secret
from common.outbox import delivery
from common.outbox.delivery import Policy
from common.outbox.queries import claim_due_messages, update_failed, update_sent
from provider.dining import jobs
from provider.dining.mail import smtp
from tests.support.post_office import cancel_path

LEASE = timedelta(seconds=60)


async def test_each_event_is_told_once_to_one_recipient(restaurant: Any, office: Any) -> None:
    table = await restaurant.add_table(table_type="cabin", seats=4, price=25.5)
    booking = await restaurant.booked(
        table, email="ann@example.com", name="Ann", guests=3, starts_at="2999-01-01T19:00:00Z"
    )
    await restaurant.booked(table, email="ben@example.com")
    await restaurant.send_mails()
    await restaurant.admin("POST", f"accept_booking/?id={booking}")
    await restaurant.send_mails()
    await restaurant.admin("POST", f"cancel_booking/?id={booking}")
    await restaurant.send_mails()
    await restaurant.send_mails()

    told = [(str(mail["To"]), str(mail["Subject"])) for mail in office.mails]
    assert sorted(told[:2]) == [
        ("ann@example.com", "We have received your order for a table"),
        ("ben@example.com", "We have received your order for a table"),
    ]
    assert told[2:] == [
        ("ann@example.com", "Your table is confirmed"),
        ("ann@example.com", "Your table is cancelled"),
    ]
    assert len({mail["Message-ID"] for mail in office.mails}) == 4
    for envelope, mail in zip(office.envelopes, office.mails, strict=True):
        assert envelope.rcpt_tos == [mail["To"]]
        assert mail["Cc"] is None
        assert mail["Bcc"] is None


async def test_a_mail_says_what_was_ordered_in_text_and_in_html(restaurant: Any, office: Any) -> None:
    table = await restaurant.add_table(table_type="cabin", seats=4, price=25.5)
    await restaurant.booked(
        table, email="ann@example.com", name="Zoë O’Neill", guests=3, starts_at="2999-01-01T19:00:00Z", minutes=90
    )
    await restaurant.send_mails()

    [mail] = office.mails
    text, html = (mail.get_body((kind,)).get_content() for kind in ("plain", "html"))
    for part in (text, html):
        assert "Dear Zoë O’Neill," in part
        assert "cabin, 4 seats" in part
        assert "Tuesday, 1 January 2999, 19:00 UTC" in part
        assert "90 minutes" in part
        assert "25.50" in part
    assert cancel_path(text) == cancel_path(html)


@pytest.mark.parametrize("name", ["<b>Ann</b>", "Win at www.evil.example", "Call +1 234", "http://evil.example"])
async def test_what_is_no_name_is_not_repeated_to_a_stranger(restaurant: Any, office: Any, name: str) -> None:
    await restaurant.booked(await restaurant.add_table(), email="ann@example.com", name=name)
    await restaurant.send_mails()

    [envelope] = office.envelopes
    assert b"Dear guest," in envelope.original_content
    assert name.encode() not in envelope.original_content


async def test_smtp_that_is_down_delays_and_loses_nothing(restaurant: Any, office: Any) -> None:
    table = await restaurant.add_table()
    for number in range(12):
        await restaurant.booked(table, email=f"guest{number}@example.com")
    await office.close()

    for _ in range(3):
        assert await restaurant.send_mails() == {"sent": 0, "failed": 12, "dead": 0}
        assert await restaurant.send_mails() == {"sent": 0, "failed": 0, "dead": 0}
        await restaurant.hurry()
    stuck = await (await restaurant.admin("GET", "outbox/")).get_json()
    mails = [message for message in stuck if message["topic"] == "mail"]
    assert [(message["state"], message["attempts"]) for message in mails] == [("waiting", 3)] * 12
    assert "SMTP" in mails[0]["last_error"]
    await office.open()

    assert await restaurant.send_mails() == {"sent": 12, "failed": 0, "dead": 0}
    assert sorted(str(mail["To"]) for mail in office.mails) == sorted(f"guest{n}@example.com" for n in range(12))


@pytest.mark.parametrize("answer", ["451 later", "550 never", "421 closing"])
@pytest.mark.parametrize("stage", ["refuse_data", "refuse_recipient"])
async def test_a_server_that_refuses_for_a_while_gets_the_mail_later(
    restaurant: Any, office: Any, stage: str, answer: str
) -> None:
    await restaurant.booked(await restaurant.add_table())
    setattr(office, stage, answer)
    assert (await restaurant.send_mails())["failed"] == 1
    setattr(office, stage, None)
    await restaurant.hurry()

    assert (await restaurant.send_mails())["sent"] == 1
    assert len(office.mails) == 1


async def test_a_message_that_is_refused_again_and_again_dies_visibly_and_can_be_revived(
    restaurant: Any, office: Any
) -> None:
    await restaurant.booked(await restaurant.add_table())
    office.refuse_recipient = "550 no such mailbox"
    outcomes = []
    for _ in range(4):
        outcomes.append(await restaurant.send_mails(Policy(max_rejections=3, min_wait=60)))
        await restaurant.hurry()
    assert [outcome["dead"] for outcome in outcomes] == [0, 0, 1, 0]

    [dead] = await (await restaurant.admin("GET", "outbox/?state=dead")).get_json()
    assert (dead["event"], dead["attempts"]) == ("received", 3)
    assert "550 no such mailbox" in dead["last_error"]
    office.refuse_recipient = None
    assert (await restaurant.admin("POST", f"retry_message/?id={dead['id']}")).status_code == 204
    assert (await restaurant.admin("POST", f"retry_message/?id={dead['id']}")).status_code == 404
    assert (await restaurant.send_mails())["sent"] == 1


async def test_killed_between_sending_and_marking_sends_the_same_again(
    restaurant: Any, office: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await restaurant.booked(await restaurant.add_table())

    class KilledError(Exception):
        pass

    async def die(*_: Any) -> bool:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(delivery, "update_sent", die)
        with pytest.raises(KilledError):
            await restaurant.send_mails()
    assert (await restaurant.send_mails())["sent"] == 0, "it is still claimed"
    await restaurant.hurry()

    assert (await restaurant.send_mails())["sent"] == 1
    first, second = office.mails
    assert first["Message-ID"] == second["Message-ID"]
    assert first["Date"] == second["Date"]
    for mail in (first, second):
        path = cancel_path(mail.get_body(("plain",)).get_content())
        assert (await restaurant.client.get(path)).status_code == 200, "both buttons work"


async def test_two_senders_at_once_send_each_message_once(restaurant: Any, office: Any) -> None:
    table = await restaurant.add_table()
    for number in range(30):
        await restaurant.booked(table, email=f"guest{number}@example.com")

    outcomes = await asyncio.gather(*(restaurant.send_mails() for _ in range(3)))

    assert sum(outcome["sent"] for outcome in outcomes) == 30
    assert len({str(mail["To"]) for mail in office.mails}) == len(office.mails) == 30


async def test_a_sender_whose_claim_is_over_marks_nothing(restaurant: Any, office: Any) -> None:
    await restaurant.booked(await restaurant.add_table())
    [old] = await claim_due_messages(restaurant.db, "mail", 1, LEASE)
    await restaurant.hurry()
    await claim_due_messages(restaurant.db, "mail", 1, LEASE)

    assert not await update_sent(restaurant.db, old)
    await update_failed(restaurant.db, old, "late", LEASE, "dead")
    assert await restaurant.db.fetchval("SELECT state FROM outbox WHERE topic = 'mail'") == "waiting"


async def test_messages_of_one_booking_leave_in_their_order(restaurant: Any, office: Any) -> None:
    booking = await restaurant.booked(await restaurant.add_table())
    office.refuse_data = "451 later"
    await restaurant.send_mails()
    office.refuse_data = None
    await restaurant.admin("POST", f"accept_booking/?id={booking}")

    assert (await restaurant.send_mails())["sent"] == 0
    await restaurant.hurry()
    assert (await restaurant.send_mails())["sent"] == 2
    assert [str(mail["Subject"]) for mail in office.mails] == [
        "We have received your order for a table",
        "Your table is confirmed",
    ]


async def test_a_guest_with_only_a_phone_gets_a_text_message(
    restaurant: Any, office: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    await restaurant.booked(await restaurant.add_table(), phone="+4930123456")

    assert (await restaurant.tell_guests())["sent"] == 1

    assert office.mails == []
    output = capsys.readouterr()
    assert "+4930123456" not in output.out + output.err
    assert "+49…56" in output.out + output.err


async def test_a_message_that_breaks_our_own_code_does_not_keep_the_others(restaurant: Any, office: Any) -> None:
    table = await restaurant.add_table()
    bad, _ = await restaurant.booked(table), await restaurant.booked(table, email="ben@example.com")
    await restaurant.db.execute(
        "UPDATE outbox SET payload = '{}' WHERE subject = $1 AND topic = 'mail'", f"booking:{bad}"
    )

    assert await restaurant.send_mails() == {"sent": 1, "failed": 1, "dead": 0}
    assert [str(mail["To"]) for mail in office.mails] == ["ben@example.com"]


def test_the_address_of_the_mail_server_is_read_whole() -> None:
    route = smtp.route_of(Secret("smtps://us%40er:p%2Fw@mail.example"))
    assert (route.host, route.port, route.tls, route.username) == ("mail.example", 465, True, "us@er")
    assert route.password is not None
    assert route.password.reveal() == "p/w"
    assert "p/w" not in repr(route)


async def test_a_claim_is_held_for_as_long_as_its_sender_lives(
    restaurant: Any, office: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await restaurant.booked(await restaurant.add_table())
    begun, go_on = asyncio.Event(), asyncio.Event()
    send = smtp.send

    async def slow(*arguments: Any) -> None:
        begun.set()
        await go_on.wait()
        await send(*arguments)

    monkeypatch.setattr(smtp, "send", slow)
    extended = asyncio.Event()
    extend = delivery.extend_claims

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
    assert len(office.mails) == 1


async def test_an_error_in_anybodys_words_is_kept(restaurant: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    await restaurant.booked(await restaurant.add_table())

    async def fail(*_: Any) -> None:
        raise OSError("NUL \0, half a pair \ud800, " + "long " * 200)

    monkeypatch.setattr(smtp, "send", fail)
    assert (await restaurant.send_mails())["failed"] == 1
    assert (await restaurant.db.fetchval("SELECT last_error FROM outbox WHERE topic = 'mail'")).startswith(
        "OSError: NUL"
    )


async def test_mail_is_handed_over_encrypted_where_the_url_says_so(restaurant: Any, office: Any) -> None:
    """A server that does not speak TLS gets no mail by smtps://, and the mail waits."""
    await restaurant.booked(await restaurant.add_table())
    url = Secret(office.url.replace("smtp://", "smtps://"))

    assert (await jobs.send_mails(restaurant.db, restaurant.settings, url, Policy(min_wait=60)))["failed"] == 1
    assert office.mails == []
