"""Orders whose time has begun or passed."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aioresponses import aioresponses
from yarl import URL

from common.db.pool import transaction
from provider.dining import service
from tests.support.fake_smtp import FakeSmtp, body, cancel_path
from tests.support.restaurant import ACCOUNTING_URL, EVENING, START_TEXT, Restaurant

START = EVENING
MINUTE = timedelta(minutes=1)
EXPIRED = "We did not decide on your order in time"


async def book(restaurant: Restaurant, minutes: int = 120, **order: Any) -> int:
    order = {"email": "ann@example.com", "starts_at": START.isoformat(), "minutes": minutes} | order
    return await restaurant.book(await restaurant.add_table(), **order)


@pytest.mark.parametrize("minutes", [1, 120, 1440])
async def test_an_order_that_nobody_decided_expires_at_its_end_and_not_before(
    restaurant: Restaurant, minutes: int
) -> None:
    booking = await book(restaurant, minutes)
    end = START + minutes * MINUTE

    assert await restaurant.expire_orders(end - timedelta(microseconds=1)) == {"expired": 0}
    assert await restaurant.status(booking) == "waiting"
    assert await restaurant.expire_orders(end) == {"expired": 1}
    assert await restaurant.expire_orders(end) == {"expired": 0}
    assert [(each["status"], each["changed_by"]) for each in await restaurant.history(booking)] == [
        ("waiting", "guest"), ("expired", "clock")
    ]  # fmt: skip


async def test_the_guest_and_the_accounting_program_are_told_of_an_expired_order(
    restaurant: Restaurant, fake_smtp: FakeSmtp
) -> None:
    await book(restaurant)
    await restaurant.send_mails()
    await restaurant.expire_orders(START + 3 * timedelta(hours=1))
    await restaurant.send_mails()

    mail = fake_smtp.mails[-1]
    assert mail["Subject"] == EXPIRED
    assert "no table was reserved" in body(mail)
    assert "cancel_booking" not in body(mail) + body(mail, "html")
    with aioresponses() as accounting:
        accounting.post(f"{ACCOUNTING_URL}/orders", status=200, repeat=True)
        await restaurant.forward_orders()
        calls = accounting.requests["POST", URL(f"{ACCOUNTING_URL}/orders")]
    assert [json.loads(call.kwargs["data"])["status"] for call in calls] == ["waiting", "expired"]


async def test_a_guest_with_only_a_phone_is_told_by_a_text_message(restaurant: Restaurant) -> None:
    await book(restaurant, email=None, phone="+4930123456")
    await restaurant.expire_orders(START + timedelta(days=1))

    assert (await restaurant.send_guest_messages())["sent"] == 2


async def test_only_waiting_orders_with_a_start_expire(restaurant: Restaurant) -> None:
    confirmed, declined, without_start = (
        await book(restaurant),
        await book(restaurant),
        await book(restaurant, starts_at=None),
    )
    await restaurant.admin("POST", f"accept_booking/?id={confirmed}")
    await restaurant.admin("POST", f"cancel_booking/?id={declined}")

    assert await restaurant.expire_orders(datetime(3999, 1, 1, tzinfo=UTC)) == {"expired": 0}
    assert [await restaurant.status(each) for each in (confirmed, declined, without_start)] == [
        "confirmed", "declined", "waiting"
    ]  # fmt: skip


async def test_all_ended_orders_expire_in_one_run(restaurant: Restaurant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provider.dining.jobs.EXPIRY_BATCH", 2)
    for _ in range(5):
        await book(restaurant)

    assert await restaurant.expire_orders(START + timedelta(days=1)) == {"expired": 5}


async def test_an_order_that_was_confirmed_meanwhile_does_not_expire(restaurant: Restaurant) -> None:
    booking = await book(restaurant)
    await restaurant.admin("POST", f"accept_booking/?id={booking}")

    async with transaction(restaurant.db) as connection:
        late = START + timedelta(days=1)
        assert await service.expire_booking(connection, restaurant.settings, booking, late) is None
    assert await restaurant.status(booking) == "confirmed"


async def test_an_order_cannot_be_confirmed_after_its_end_and_can_be_declined(restaurant: Restaurant) -> None:
    booking, other = await book(restaurant), await book(restaurant)
    for each in (booking, other):
        await restaurant.move_start(each, datetime.now(UTC) - timedelta(hours=3))

    by_admin = await restaurant.admin("POST", f"accept_booking/?id={booking}")
    by_accounting = await restaurant.decide(booking, "confirm")

    for response in (by_admin, by_accounting):
        assert response.status_code == 409
        assert (await response.get_json())["code"] == "time_passed", "it still waits, and can be declined"
    assert (await restaurant.admin("POST", f"cancel_booking/?id={booking}")).status_code == 200
    assert (await restaurant.decide(other, "decline")).status_code == 200


async def test_a_decision_on_an_expired_order_hears_so(restaurant: Restaurant) -> None:
    booking = await book(restaurant)
    await restaurant.expire_orders(START + timedelta(days=1))

    for decision in ("confirm", "decline"):
        response = await restaurant.decide(booking, decision)
        assert (response.status_code, (await response.get_json())["code"]) == (409, "booking_expired")


async def test_a_decision_that_was_applied_can_be_repeated_after_the_end(restaurant: Restaurant) -> None:
    booking = await book(restaurant)
    assert (await restaurant.decide(booking, "confirm")).status_code == 200
    await restaurant.move_start(booking, datetime.now(UTC) - timedelta(hours=3))

    again = await restaurant.decide(booking, "confirm", decided_by="again")
    assert (again.status_code, (await again.get_json())["status"]) == (200, "confirmed")


async def test_an_order_can_be_confirmed_while_its_time_has_begun_and_the_mail_has_no_button(
    restaurant: Restaurant, fake_smtp: FakeSmtp
) -> None:
    booking = await book(restaurant)
    await restaurant.move_start(booking, datetime.now(UTC) - timedelta(minutes=10))

    assert (await restaurant.admin("POST", f"accept_booking/?id={booking}")).status_code == 200
    await restaurant.send_mails()

    confirmation = fake_smtp.mails[-1]
    assert confirmation["Subject"] == "Your table is confirmed"
    for part in (body(confirmation), body(confirmation, "html")):
        assert "cancel_booking" not in part
        assert "button" not in part


async def test_an_email_says_until_when_its_button_works(restaurant: Restaurant, fake_smtp: FakeSmtp) -> None:
    """It may arrive late, and is sent as it was written."""
    await book(restaurant)
    await restaurant.send_mails()

    [mail] = fake_smtp.mails
    for part in (body(mail), body(mail, "html")):
        assert f"with the button below until {START_TEXT}." in part


async def test_a_button_works_until_the_start_and_not_at_it(restaurant: Restaurant, fake_smtp: FakeSmtp) -> None:
    await book(restaurant)
    await restaurant.send_mails()
    path = cancel_path(fake_smtp.mails[0])

    assert (await restaurant.client.get(path)).status_code == 200
    for ago in (timedelta(0), timedelta(seconds=1)):
        await restaurant.db.execute("UPDATE dining_cancel_token SET expires_at = $1", datetime.now(UTC) - ago)
        assert (await restaurant.client.get(path)).status_code == 404


@pytest.mark.parametrize(("ago", "minutes", "status"), [(4, 3, 400), (4, 5, 201), (6, 60, 400), (0, 1, 201)])
async def test_an_order_must_end_in_the_future(restaurant: Restaurant, ago: int, minutes: int, status: int) -> None:
    """Its start may have been a few minutes ago: the guest may stand at the door."""
    table = await restaurant.add_table()
    order = {
        "email": "ann@example.com",
        "starts_at": (datetime.now(UTC) - ago * MINUTE).isoformat(),
        "minutes": minutes,
    }

    ordered = await restaurant.post_order(table, **order)
    set_by_admin = await restaurant.admin("POST", f"set_booking/?id={await restaurant.add_table()}", json=order)

    for response in (ordered, set_by_admin):
        assert response.status_code == status
        if status == 400:
            [error] = (await response.get_json())["errors"]
            assert (error["field"], error["message"]) == ("starts_at", "must be in the future")
