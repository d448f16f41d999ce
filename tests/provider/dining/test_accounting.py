"""The accounting program: orders that it is told of, and its decisions."""

import json
import time
from typing import Any

from aioresponses import aioresponses
from yarl import URL

from common.outbox.delivery import Policy
from common.web import signature
from provider.dining import jobs

ORDERS = "http://accounting.example/front-desk/orders"


async def test_the_accounting_program_gets_each_order_signed(restaurant: Any) -> None:
    table = await restaurant.add_table(table_type="room", seats=6, price=30)
    booking = await restaurant.booked(table, email="ann@example.com", name="Ann")

    with aioresponses() as accounting:
        accounting.post(ORDERS, exception=ConnectionRefusedError("down"))
        accounting.post(ORDERS, status=503)
        accounting.post(ORDERS, status=201)
        for outcome in ("failed", "failed", "sent"):
            did = await jobs.forward_orders(
                restaurant.db, restaurant.app.resources.http, restaurant.settings, Policy(min_wait=60)
            )
            assert did[outcome] == 1
            await restaurant.hurry()
        calls = accounting.requests["POST", URL(ORDERS)]

    for call in calls:
        signature.verify(restaurant.settings.accounting_secret, call.kwargs["headers"][signature.SIGNATURE_HEADER],
                         call.kwargs["data"], signed_at(call))  # fmt: skip
    order = json.loads(calls[-1].kwargs["data"])
    assert (order["id"], order["status"], order["table_id"], order["table_type"]) == (booking, "waiting", table, "room")
    assert order["callback_url"] == "http://restaurant.example/api/accounting/decisions"


def signed_at(call: Any) -> int:
    return int(call.kwargs["headers"][signature.SIGNATURE_HEADER].partition(",")[0].removeprefix("t="))


async def test_the_accounting_program_hears_of_a_cancellation_but_not_of_its_own_decisions(restaurant: Any) -> None:
    booking = await restaurant.booked(await restaurant.add_table())
    await restaurant.decide(booking, "confirm")
    await restaurant.admin("POST", f"cancel_booking/?id={booking}")

    with aioresponses() as accounting:
        accounting.post(ORDERS, status=200, repeat=True)
        await jobs.forward_orders(restaurant.db, restaurant.app.resources.http, restaurant.settings)
        calls = accounting.requests["POST", URL(ORDERS)]

    assert [json.loads(call.kwargs["data"])["status"] for call in calls] == ["waiting", "cancelled"]


async def test_a_decision_moves_the_booking_and_again_is_harmless(restaurant: Any) -> None:
    booking = await restaurant.booked(await restaurant.add_table())

    first = await restaurant.decide(booking, "confirm")
    again = await restaurant.decide(booking, "confirm", decided_by="the other replica")

    assert (first.status_code, again.status_code) == (200, 200)
    assert await again.get_json() == {"order_id": booking, "status": "confirmed"}
    assert (await restaurant.decide(booking, "decline")).status_code == 409
    assert (await restaurant.decide(booking + 1, "confirm")).status_code == 404
    assert await restaurant.db.fetchval("SELECT count(*) FROM outbox WHERE event = 'confirmed'") == 1


async def test_a_decision_that_comes_after_the_cancellation_is_refused(restaurant: Any) -> None:
    booking = await restaurant.booked(await restaurant.add_table())
    await restaurant.admin("POST", f"cancel_booking/?id={booking}")

    answer = await restaurant.decide(booking, "confirm")

    assert answer.status_code == 409
    assert (await answer.get_json())["code"] == "booking_declined"


async def test_decisions_are_signed_fresh_and_new(restaurant: Any) -> None:
    booking = await restaurant.booked(await restaurant.add_table())
    path, body = "/api/accounting/decisions", b'{"order_id": 1, "decision": "confirm"}'
    unsigned = await restaurant.client.post(path, data=body, headers={"Content-Type": "application/json"})
    assert unsigned.status_code == 401
    now = time.time()
    assert (await restaurant.decide(booking, "confirm", now=now - 301)).status_code == 401
    assert (await restaurant.decide(booking, "confirm", now=now)).status_code == 200
    assert (await restaurant.decide(booking, "confirm", now=now)).status_code == 401
