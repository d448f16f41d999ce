"""Notes of guests and reasons of staff, safe in every place; bounced emails; and the erasure of all of them."""

import json
from typing import Any

import pytest
from aioresponses import aioresponses
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from common.outbox.delivery import Policy
from common.web.input_types import one_line, parse_name, parse_notes
from tests.support.fake_smtp import FakeSmtp, body
from tests.support.restaurant import ACCOUNTING_URL, START, Restaurant

REASON = "We are full that evening.\nPerhaps on Sunday?"


async def orders_sent(restaurant: Restaurant) -> list[dict[str, Any]]:
    """Send the due orders to the accounting program; returns what it received."""
    with aioresponses() as accounting:
        accounting.post(f"{ACCOUNTING_URL}/orders", status=201, repeat=True)
        await restaurant.forward_orders()
        calls = accounting.requests.get(("POST", URL(f"{ACCOUNTING_URL}/orders")), [])
    return [json.loads(call.kwargs["data"]) for call in calls]


async def test_notes_reach_staff_and_the_accounting_program(restaurant: Restaurant) -> None:
    notes = " A high chair,\r\nplease 👨‍👩‍👧 & <b>quiet</b>\t"
    booking = await restaurant.book(await restaurant.add_table(), email="ann@example.com", notes=notes)

    stored = "A high chair,\nplease 👨‍👩‍👧 & <b>quiet</b>"
    shown = await (await restaurant.admin("GET", f"view_booking/?id={booking}")).get_json()
    assert shown["booking"]["notes"] == stored
    [order] = await orders_sent(restaurant)
    assert order["notes"] == stored


async def test_notes_are_escaped_in_emails(restaurant: Restaurant, fake_smtp: FakeSmtp) -> None:
    await restaurant.book(await restaurant.add_table(), email="ann@example.com", notes="<b>quiet</b> & dark")
    await restaurant.send_mails()

    [mail] = fake_smtp.mails
    assert "<b>quiet</b> & dark" in body(mail)
    assert "&lt;b&gt;quiet&lt;/b&gt; &amp; dark" in body(mail, "html")


@pytest.mark.parametrize("notes", ["x" * 501, "a\u202eb", "a\u0000b", "a\ue000", "a\u2028b", 1, ["a"], "\ud800"])
async def test_notes_that_are_not_safe_are_refused(restaurant: Restaurant, notes: Any) -> None:
    response = await restaurant.post_order(await restaurant.add_table(), email="ann@example.com", notes=notes)

    assert response.status_code == 400


@pytest.mark.parametrize("notes", ["", " \n\t ", None])
async def test_empty_notes_are_none(restaurant: Restaurant, notes: str | None) -> None:
    response = await restaurant.post_order(await restaurant.add_table(), email="ann@example.com", notes=notes)

    assert (response.status_code, (await response.get_json())["notes"]) == (201, None)


@given(st.text(max_size=600))
def test_accepted_notes_are_stable_and_fit_the_database(text: str) -> None:
    try:
        notes = parse_notes(text)
    except ValueError:
        return
    assert notes is None or (1 <= len(notes) <= 500 and parse_notes(notes) == notes)
    assert notes is None or not {"\x00", "\r", "\u202e", "\u2028"} & set(notes)


@given(st.text(max_size=80))
def test_a_failure_of_any_wording_becomes_a_line_that_the_front_desk_accepts(text: str) -> None:
    line = one_line(f"550 {text}", 300)

    assert parse_name(line, 300) == line


@pytest.mark.parametrize("by", ["admin", "accounting"])
async def test_the_guest_is_told_why_an_order_was_declined(
    restaurant: Restaurant, fake_smtp: FakeSmtp, by: str
) -> None:
    booking = await restaurant.book(await restaurant.add_table(), email="ann@example.com")
    if by == "admin":
        response = await restaurant.admin("POST", f"cancel_booking/?id={booking}", json={"reason": REASON})
        assert (await response.get_json())["reason"] == REASON
    else:
        assert (await restaurant.decide(booking, "decline", reason=REASON)).status_code == 200
    await restaurant.send_mails()

    mail = fake_smtp.mails[-1]
    for text in (body(mail), body(mail, "html")):
        assert "We are full that evening." in text
    if by == "admin":
        assert [order["decline_reason"] for order in await orders_sent(restaurant)] == [None, REASON]


async def test_a_guest_with_only_a_phone_is_told_the_reason_too(
    restaurant: Restaurant, capsys: pytest.CaptureFixture[str]
) -> None:
    booking = await restaurant.book(await restaurant.add_table(), phone="+4930123456")
    await restaurant.admin("POST", f"cancel_booking/?id={booking}", json={"reason": "We are full."})
    await restaurant.send_guest_messages()
    await restaurant.send_guest_messages()

    output = capsys.readouterr()
    assert "Reason: We are full." in output.out + output.err


@pytest.mark.parametrize("body_sent", [{"reason": "x" * 501}, {"reason": 1}, {"why": "full"}])
async def test_an_invalid_reason_is_refused_and_changes_nothing(
    restaurant: Restaurant, body_sent: dict[str, Any]
) -> None:
    booking = await restaurant.book(await restaurant.add_table())

    response = await restaurant.admin("POST", f"cancel_booking/?id={booking}", json=body_sent)
    assert response.status_code == 400
    assert await restaurant.status(booking) == "waiting"


async def test_an_email_that_bounces_for_good_is_told_to_the_accounting_program(
    restaurant: Restaurant, fake_smtp: FakeSmtp
) -> None:
    await restaurant.book(await restaurant.add_table(), email="ann@example.com")
    await orders_sent(restaurant)
    fake_smtp.refuse_recipient = "550 <ann@example.com> no such mailbox"
    assert (await restaurant.send_mails(Policy(max_rejections=1)))["dead"] == 1

    [order] = await orders_sent(restaurant)
    assert (order["id"], order["status"]) == (70001, "waiting")
    assert order["mail_failure"] == (
        "The email “We have received your order for a table” did not reach the guest: "
        "SMTP: 550 <ann@example.com> no such mailbox"
    )
    assert await orders_sent(restaurant) == []


async def test_a_failed_email_that_is_delivered_later_is_told_to_the_accounting_program(
    restaurant: Restaurant, fake_smtp: FakeSmtp
) -> None:
    booking = await restaurant.book(await restaurant.add_table(), email="ann@example.com")
    await orders_sent(restaurant)
    fake_smtp.refuse_recipient = "550 full"
    await restaurant.send_mails(Policy(max_rejections=1))
    await restaurant.decide(booking, "confirm")
    await restaurant.send_mails(Policy(max_rejections=1))
    received, confirmed = (order["mail_failure"] for order in await orders_sent(restaurant))
    assert "received your order" in received
    assert "confirmed" in confirmed

    fake_smtp.refuse_recipient = None
    told = []
    for dead in sorted(
        await (await restaurant.admin("GET", "outbox/?state=dead")).get_json(), key=lambda row: row["id"]
    ):
        await restaurant.admin("POST", f"retry_message/?id={dead['id']}")
        await restaurant.send_mails()
        told += [(order["mail_delivered"], order["mail_failure"]) for order in await orders_sent(restaurant)]
    assert told == [(True, confirmed), (True, None)]


async def test_an_email_that_fails_again_after_a_retry_is_told_to_the_accounting_program_again(
    restaurant: Restaurant, fake_smtp: FakeSmtp
) -> None:
    booking = await restaurant.book(await restaurant.add_table(), email="ann@example.com")
    fake_smtp.refuse_recipient = "550 full"
    await restaurant.send_mails(Policy(max_rejections=1))
    await restaurant.decide(booking, "confirm")
    await restaurant.send_mails(Policy(max_rejections=1))
    confirmed = (await orders_sent(restaurant))[-1]["mail_failure"]
    assert "confirmed" in confirmed
    for dead in await (await restaurant.admin("GET", "outbox/?state=dead")).get_json():
        await restaurant.admin("POST", f"retry_message/?id={dead['id']}")

    fake_smtp.refuse_recipient, fake_smtp.accepted_first = "550 full again", 1
    await restaurant.send_mails(Policy(max_rejections=1))

    told = [(order["mail_delivered"], order["mail_failure"]) for order in await orders_sent(restaurant)]
    assert told == [(True, confirmed), (False, confirmed.replace("550 full", "550 full again"))]


async def test_a_failure_that_the_accounting_program_did_not_take_is_not_sent_after_the_delivery(
    restaurant: Restaurant, fake_smtp: FakeSmtp
) -> None:
    await restaurant.book(await restaurant.add_table(), email="ann@example.com")
    await orders_sent(restaurant)
    fake_smtp.refuse_recipient = "550 full"
    await restaurant.send_mails(Policy(max_rejections=1))
    [mail] = await (await restaurant.admin("GET", "outbox/?state=dead")).get_json()
    with aioresponses() as accounting:
        accounting.post(f"{ACCOUNTING_URL}/orders", status=422)
        await restaurant.forward_orders(Policy(max_rejections=1))
    fake_smtp.refuse_recipient = None
    await restaurant.admin("POST", f"retry_message/?id={mail['id']}")
    await restaurant.send_mails()

    for dead in await (await restaurant.admin("GET", "outbox/?state=dead")).get_json():
        await restaurant.admin("POST", f"retry_message/?id={dead['id']}")

    told = [(order["mail_delivered"], order["mail_failure"]) for order in await orders_sent(restaurant)]
    assert told == [(True, None)]


async def test_an_email_that_arrives_at_once_is_not_told_to_the_accounting_program(
    restaurant: Restaurant, fake_smtp: FakeSmtp
) -> None:
    await restaurant.book(await restaurant.add_table(), email="ann@example.com")
    await orders_sent(restaurant)
    assert (await restaurant.send_mails())["sent"] == 1
    assert await orders_sent(restaurant) == []


async def test_a_bounce_of_an_erased_guest_is_told_to_nobody(restaurant: Restaurant, fake_smtp: FakeSmtp) -> None:
    await restaurant.book(await restaurant.add_table(), email="ann@example.com", notes="Ann's birthday")
    fake_smtp.refuse_recipient = "550 <ann@example.com> no such mailbox"
    await restaurant.send_mails(Policy(max_rejections=1))
    await restaurant.admin("POST", "erase_guest/", json={"email": "ann@example.com"})

    orders = await orders_sent(restaurant)
    assert [order["erased"] for order in orders] == [False, False, True]
    assert {order[name] for order in orders for name in ("mail_failure", "notes", "email")} == {None}


async def test_erasure_deletes_notes_reasons_and_whole_messages(restaurant: Restaurant, fake_smtp: FakeSmtp) -> None:
    table = await restaurant.add_table()
    booking = await restaurant.book(table, email="ann@example.com", notes="Anniversary of Ann", starts_at=START)
    await restaurant.admin("POST", f"cancel_booking/?id={booking}", json={"reason": "Sorry, Ann"})
    await restaurant.admin("POST", "erase_guest/", json={"email": "ann@example.com"})

    for name in ("dining_booking", "outbox", "idempotency_key", "dining_booking_status_change"):
        rows = await restaurant.db.fetch(f'SELECT "{name}"::text FROM "{name}"')
        assert not any("Ann" in row[0] or "ann@" in row[0] for row in rows), name
