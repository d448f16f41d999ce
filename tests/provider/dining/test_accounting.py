"""The orders sent to the accounting program, and its decisions."""

import json
import time
from typing import Any

import pytest
from aioresponses import aioresponses
from yarl import URL

from common.web import signature
from tests.support.restaurant import ACCOUNTING_URL, Restaurant

ORDERS = f"{ACCOUNTING_URL}/orders"


async def test_an_order_is_signed_at_each_attempt(restaurant: Restaurant) -> None:
    table = await restaurant.add_table(table_type="room", seats=6, price=30)
    booking = await restaurant.book(table, email="ann@example.com", name="Ann")

    with aioresponses() as accounting:
        accounting.post(ORDERS, exception=ConnectionRefusedError("down"))
        accounting.post(ORDERS, status=503)
        accounting.post(ORDERS, status=201)
        for outcome in ("failed", "failed", "sent"):
            assert (await restaurant.forward_orders())[outcome] == 1
            await restaurant.make_all_due()
        calls = accounting.requests["POST", URL(ORDERS)]

    for call in calls:
        signature.verify(restaurant.settings.accounting_secret, call.kwargs["headers"][signature.SIGNATURE_HEADER],
                         call.kwargs["data"], signed_at(call))  # fmt: skip
    order = json.loads(calls[-1].kwargs["data"])
    assert (order["id"], order["status"], order["table_id"], order["table_type"]) == (booking, "waiting", table, "room")
    assert order["callback_url"] == "http://restaurant.example/api/accounting/decisions"


def signed_at(call: Any) -> int:
    return int(call.kwargs["headers"][signature.SIGNATURE_HEADER].partition(",")[0].removeprefix("t="))


async def test_the_accounting_program_is_notified_of_cancellations_but_not_of_its_own_decisions(
    restaurant: Restaurant,
) -> None:
    booking = await restaurant.book(await restaurant.add_table())
    await restaurant.decide(booking, "confirm")
    await restaurant.admin("POST", f"cancel_booking/?id={booking}")

    with aioresponses() as accounting:
        accounting.post(ORDERS, status=200, repeat=True)
        await restaurant.forward_orders()
        calls = accounting.requests["POST", URL(ORDERS)]

    assert [json.loads(call.kwargs["data"])["status"] for call in calls] == ["waiting", "cancelled"]


async def test_a_decision_changes_the_status_once_and_can_be_repeated(restaurant: Restaurant) -> None:
    booking = await restaurant.book(await restaurant.add_table())

    first = await restaurant.decide(booking, "confirm")
    again = await restaurant.decide(booking, "confirm", decided_by="another replica")

    assert (first.status_code, again.status_code) == (200, 200)
    assert await again.get_json() == {"order_id": booking, "status": "confirmed", "reason": None}
    assert (await restaurant.decide(booking, "decline")).status_code == 409
    assert (await restaurant.decide(booking + 1, "confirm")).status_code == 404
    assert await restaurant.db.fetchval("SELECT count(*) FROM outbox WHERE event = 'confirmed'") == 1


async def test_a_decision_is_repeated_after_the_guest_has_cancelled_and_changes_nothing(restaurant: Restaurant) -> None:
    """Its sender may have missed our first response."""
    booking = await restaurant.book(await restaurant.add_table())
    await restaurant.decide(booking, "confirm")
    await restaurant.admin("POST", f"cancel_booking/?id={booking}")

    again = await restaurant.decide(booking, "confirm", decided_by="again")

    assert again.status_code == 200
    assert await again.get_json() == {"order_id": booking, "status": "cancelled", "reason": None}
    assert [each["status"] for each in await restaurant.history(booking)] == ["waiting", "confirmed", "cancelled"]


async def test_a_decision_of_the_admin_is_not_one_of_the_accounting_program(restaurant: Restaurant) -> None:
    """The admin confirmed and cancelled; the accounting program now hears that its own confirmation is too late."""
    booking = await restaurant.book(await restaurant.add_table())
    await restaurant.admin("POST", f"accept_booking/?id={booking}")
    assert (await restaurant.decide(booking, "confirm")).status_code == 200, "it is confirmed already"
    await restaurant.admin("POST", f"cancel_booking/?id={booking}")

    late = await restaurant.decide(booking, "confirm", decided_by="again")

    assert (late.status_code, (await late.get_json())["code"]) == (409, "booking_cancelled")


async def test_the_history_names_who_decided(restaurant: Restaurant) -> None:
    booking = await restaurant.book(await restaurant.add_table())
    await restaurant.decide(booking, "decline", decided_by="Ann")

    assert (await restaurant.history(booking))[-1]["changed_by"] == "accounting: Ann"


@pytest.mark.parametrize("status", [400, 403, 404, 409, 413, 415, 422])
async def test_an_order_that_is_refused_is_not_repeated_and_does_not_block_the_next_change(
    restaurant: Restaurant, status: int
) -> None:
    booking = await restaurant.book(await restaurant.add_table())
    await restaurant.admin("POST", f"cancel_booking/?id={booking}")

    with aioresponses() as accounting:
        accounting.post(ORDERS, status=status)
        accounting.post(ORDERS, status=200)
        assert await restaurant.forward_orders() == {"sent": 1, "failed": 0, "dead": 1}
        calls = accounting.requests["POST", URL(ORDERS)]

    assert [json.loads(call.kwargs["data"])["status"] for call in calls] == ["waiting", "declined"]
    [dead] = await (await restaurant.admin("GET", "outbox/?state=dead")).get_json()
    assert (dead["topic"], dead["attempts"]) == ("accounting", 1)
    assert str(status) in dead["last_error"]


@pytest.mark.parametrize("status", [401, 408, 425, 429, 500, 502, 503, 302])
async def test_an_order_that_cannot_be_received_now_is_sent_again(restaurant: Restaurant, status: int) -> None:
    await restaurant.book(await restaurant.add_table())

    with aioresponses() as accounting:
        for _ in range(9):
            accounting.post(ORDERS, status=status)
            assert await restaurant.forward_orders() == {"sent": 0, "failed": 1, "dead": 0}
            await restaurant.make_all_due()
        accounting.post(ORDERS, status=204)
        assert (await restaurant.forward_orders())["sent"] == 1


async def test_a_decision_after_the_booking_was_declined_is_refused(restaurant: Restaurant) -> None:
    booking = await restaurant.book(await restaurant.add_table())
    await restaurant.admin("POST", f"cancel_booking/?id={booking}")

    response = await restaurant.decide(booking, "confirm")

    assert response.status_code == 409
    assert (await response.get_json())["code"] == "booking_declined"


async def test_a_decision_needs_a_recent_signature_that_was_not_used_before(restaurant: Restaurant) -> None:
    booking = await restaurant.book(await restaurant.add_table())
    path, body = "/api/accounting/decisions", b'{"order_id": 1, "decision": "confirm"}'
    unsigned = await restaurant.client.post(path, data=body, headers={"Content-Type": "application/json"})
    assert unsigned.status_code == 401
    now = time.time()
    for seconds in (-301, 302):
        assert (await restaurant.decide(booking, "confirm", now=now + seconds)).status_code == 401
    assert (await restaurant.decide(booking, "confirm", now=now)).status_code == 200
    assert (await restaurant.decide(booking, "confirm", now=now)).status_code == 401


async def test_the_answer_to_a_decision_says_what_the_guest_was_told(restaurant: Restaurant) -> None:
    booking = await restaurant.book(await restaurant.add_table())
    await restaurant.admin("POST", f"cancel_booking/?id={booking}", json={"reason": "The kitchen is on fire."})

    answer = await restaurant.decide(booking, "decline", reason="We are full.")

    assert await answer.get_json() == {"order_id": booking, "status": "declined", "reason": "The kitchen is on fire."}


async def test_the_order_of_an_erased_guest_is_declined_without_the_reason(restaurant: Restaurant) -> None:
    by_admin, by_accounting = (
        await restaurant.book(await restaurant.add_table()),
        await restaurant.book(await restaurant.add_table()),
    )
    await restaurant.admin("POST", "erase_guest/", json={"email": "ann@example.com"})

    first = await restaurant.admin("POST", f"cancel_booking/?id={by_admin}", json={"reason": "Sorry, Ann"})
    second = await restaurant.decide(by_accounting, "decline", reason="Sorry, Ann")

    for answer in (first, second):
        assert (answer.status_code, (await answer.get_json())["reason"]) == (200, None)
