"""Emails as they stand in the outbox: complete, and sent byte for byte."""

import email.policy
from email import message_from_bytes
from typing import Any

import pytest

from provider.dining.mail import compose as composing
from tests.support.fake_smtp import FakeSmtp, body, cancel_path
from tests.support.restaurant import START, Restaurant


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    return environment | {
        "PROVIDER_RESTAURANT_NAME": "Zum Löwen",
        "PROVIDER_RESTAURANT_ADDRESS": "Hafenstraße 1, Hamburg",
        "PROVIDER_CURRENCY": "CHF",
        "PROVIDER_REPLY_TO": "host@loewen.example",
    }


ORDER: dict[str, Any] = {
    "email": "ann@example.com", "phone": "+4930123456", "name": "Ann", "guests": 2, "starts_at": START, "minutes": 90,
    "notes": "A high chair, please.\nAnd a window.",
}  # fmt: skip


async def stored_sources(restaurant: Restaurant) -> list[bytes]:
    rows = await restaurant.db.fetch("SELECT payload ->> 'source' FROM outbox WHERE topic = 'mail' ORDER BY id")
    return [row[0].encode("ascii") for row in rows]


async def test_an_email_names_the_restaurant_and_describes_the_whole_order(
    restaurant: Restaurant, fake_smtp: FakeSmtp
) -> None:
    await restaurant.book(await restaurant.add_table(table_type="cabin", seats=4, price=25.5), **ORDER)
    await restaurant.send_mails()

    [mail] = fake_smtp.mails
    assert mail["From"].addresses[0].display_name == "Zum Löwen"
    assert mail["From"].addresses[0].addr_spec == "dining@nightaudit.example"
    assert mail["Reply-To"] == "host@loewen.example"
    assert mail.defects == []
    for text in (body(mail), body(mail, "html")):
        for part in ("Zum Löwen", "Hafenstraße 1, Hamburg", "cabin, 4 seats", "2", "90 minutes", "25.50 CHF", "Ann",
                     "+4930123456", "A high chair, please.", "And a window.", "no. 70001"):  # fmt: skip
            assert part in text


@pytest.mark.parametrize("notes", ["see www.evil.example", "https://evil.example", "write to eve@evil.example",
                                   "call 030 1234567", "evil.com"])  # fmt: skip
async def test_notes_that_could_be_clicked_are_not_quoted_in_an_email_to_a_stranger(
    restaurant: Restaurant, fake_smtp: FakeSmtp, notes: str
) -> None:
    response = await restaurant.post_order(await restaurant.add_table(), email="ann@example.com", notes=notes)
    assert (await response.get_json())["notes"] == notes
    await restaurant.send_mails()

    [mail] = fake_smtp.mails
    for text in (body(mail), body(mail, "html")):
        assert notes not in text
        assert "as you wrote them to us" in text


async def test_what_is_sent_is_what_stands_in_the_outbox_at_every_attempt(
    restaurant: Restaurant, fake_smtp: FakeSmtp, monkeypatch: pytest.MonkeyPatch
) -> None:
    booking = await restaurant.book(await restaurant.add_table(), **ORDER)
    await restaurant.admin("POST", f"accept_booking/?id={booking}")
    stored = await stored_sources(restaurant)
    monkeypatch.delattr(composing, "compose")
    await restaurant.db.execute("DELETE FROM dining_cancel_token")

    async def refuse_to_mark(*_: Any) -> bool:
        return False

    for marked in (False, True):
        with monkeypatch.context() as context:
            if not marked:
                context.setattr("common.outbox.delivery.update_sent", refuse_to_mark)
            await restaurant.make_all_due()
            await restaurant.send_mails()
            await restaurant.make_all_due()
            await restaurant.send_mails()

    received = [envelope.original_content for envelope in fake_smtp.envelopes]
    assert set(received) == set(stored)
    assert len(received) > len(stored)
    for source in stored:
        parsed = message_from_bytes(source, policy=email.policy.default)
        assert parsed["Date"]
        assert parsed["Message-ID"]


async def test_the_cancel_button_in_the_outbox_works_before_the_email_is_sent(
    restaurant: Restaurant, fake_smtp: FakeSmtp
) -> None:
    await restaurant.book(await restaurant.add_table(), **ORDER)
    [source] = await stored_sources(restaurant)
    mail = message_from_bytes(source, policy=email.policy.default)

    assert (await restaurant.client.get(cancel_path(mail))).status_code == 200


async def test_an_email_without_reply_to_and_with_a_named_sender_keeps_its_name(
    restaurant: Restaurant, fake_smtp: FakeSmtp
) -> None:
    object.__setattr__(restaurant.settings, "mail_from", "Reception <desk@loewen.example>")
    object.__setattr__(restaurant.settings, "reply_to", None)
    await restaurant.book(await restaurant.add_table(), email="ann@example.com")
    await restaurant.send_mails()

    [mail] = fake_smtp.mails
    assert mail["From"] == "Reception <desk@loewen.example>"
    assert mail["Reply-To"] is None
    assert fake_smtp.envelopes[0].mail_from == "desk@loewen.example"
