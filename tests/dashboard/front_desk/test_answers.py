"""The provider's answers to decisions: what it says about an order always wins, and a refused decision goes back."""

import time
from typing import Any

import pytest
from aioresponses import aioresponses

from common.outbox.delivery import Policy
from tests.support.desk import CALLBACK, Desk


def problem(detail: str, code: str = "conflict") -> dict[str, Any]:
    return {
        "type": "about:blank", "title": "Conflict", "status": 409, "detail": detail, "code": code, "request_id": ""
    }  # fmt: skip


async def order(desk: Desk) -> dict[str, Any]:
    [found] = await desk.orders()
    return found


async def test_a_refused_confirmation_waits_again_with_the_reason(desk: Desk, provider: aioresponses) -> None:
    await desk.receive()
    provider.post(CALLBACK, status=409, payload=problem("The table is taken.", "overlapping"))
    await desk.decide("confirm")
    await desk.send()

    [found] = await desk.orders("?status=waiting")
    assert (found["status"], found["refusal_reason"]) == ("waiting", "The table is taken.")
    assert (found["decision"], found["decided_at"], found["delivered"]) == (None, None, None)


@pytest.mark.parametrize(("decision", "status"), [("confirm", "confirmed"), ("decline", "declined")])
async def test_a_refused_order_can_be_decided_again(
    desk: Desk, provider: aioresponses, decision: Any, status: str
) -> None:
    await desk.receive()
    provider.post(CALLBACK, status=409, payload=problem("The table is taken."))
    await desk.decide("confirm")
    await desk.send()
    provider.post(CALLBACK, payload={"order_id": 70001, "status": status})

    assert (await desk.decide(decision)).status_code == 200
    assert (await order(desk))["refusal_reason"] is None
    assert (await desk.send())["sent"] == 1

    found = await order(desk)
    assert (found["status"], found["decision"], found["delivered"], found["refusal_reason"]) == (
        status,
        decision,
        True,
        None,
    )


@pytest.mark.parametrize("provider_status", ["confirmed", "declined", "cancelled", "expired"])
@pytest.mark.parametrize("notice_first", [True, False], ids=["notice first", "refusal first"])
async def test_what_the_provider_says_about_an_order_wins_over_the_decision(
    desk: Desk, provider: aioresponses, provider_status: str, notice_first: bool
) -> None:
    await desk.receive()
    provider.post(CALLBACK, status=409, body="not even JSON")
    await desk.decide("decline" if provider_status == "confirmed" else "confirm")

    if notice_first:
        await desk.receive(status=provider_status)
        assert (await order(desk))["status"] == provider_status
        await desk.send()
    else:
        await desk.send()
        assert (await order(desk))["status"] == "waiting"
        await desk.receive(status=provider_status)

    found = await order(desk)
    assert (found["status"], found["refusal_reason"]) == (provider_status, "The provider answered 409.")
    assert (await desk.decide("confirm")).status_code == 409
    assert (await desk.decide("decline")).status_code == 409


@pytest.mark.parametrize("status", ["confirmed", "declined", "cancelled", "expired"])
async def test_the_code_of_a_refusal_states_the_order_s_status(desk: Desk, provider: aioresponses, status: str) -> None:
    await desk.receive()
    provider.post(CALLBACK, status=409, payload=problem(f"The booking is {status}.", f"booking_{status}"))
    await desk.decide("decline" if status == "confirmed" else "confirm")
    await desk.send()

    found = await order(desk)
    assert (found["status"], found["refusal_reason"]) == (status, f"The booking is {status}.")


@pytest.mark.parametrize("code", ["booking_eaten", "booking_", "waiting?", "", "time_passed", "expired"])
async def test_another_code_of_a_refusal_states_nothing(desk: Desk, provider: aioresponses, code: str) -> None:
    await desk.receive()
    provider.post(CALLBACK, status=409, payload=problem("No.", code))
    await desk.decide("confirm")
    await desk.send()

    assert (await order(desk))["status"] == "waiting"


async def test_the_status_in_an_accepted_answer_wins(desk: Desk, provider: aioresponses) -> None:
    """The provider had applied the decision before, and the guest has cancelled since."""
    await desk.receive()
    provider.post(CALLBACK, payload={"order_id": 70001, "status": "cancelled"})
    await desk.decide("confirm")
    await desk.send()

    found = await order(desk)
    assert (found["status"], found["delivered"], found["refusal_reason"]) == ("cancelled", True, None)


@pytest.mark.parametrize("status", [400, 403, 404, 409, 410, 413, 422])
async def test_a_decision_that_is_refused_is_not_repeated_and_does_not_block_its_table(
    desk: Desk, provider: aioresponses, status: int
) -> None:
    for order_id in (70001, 70002):
        await desk.receive(id=order_id)
        await desk.decide("confirm", order_id)
    provider.post(CALLBACK, status=status)
    provider.post(CALLBACK, payload={"order_id": 70002, "status": "confirmed"})

    assert await desk.send() == {"sent": 2, "failed": 0, "dead": 0}
    assert {each["id"]: each["status"] for each in await desk.orders()} == {70001: "waiting", 70002: "confirmed"}


@pytest.mark.parametrize("status", [401, 408, 425, 429, 500, 503, 302])
async def test_a_decision_that_cannot_be_received_now_is_sent_again(
    desk: Desk, provider: aioresponses, status: int
) -> None:
    await desk.receive()
    await desk.decide("confirm")
    for _ in range(9):
        provider.post(CALLBACK, status=status)
        assert await desk.send() == {"sent": 0, "failed": 1, "dead": 0}
        await desk.make_all_due()
    assert (await order(desk))["status"] == "confirmed"
    provider.post(CALLBACK, payload={"order_id": 70001, "status": "confirmed"})
    assert (await desk.send())["sent"] == 1


async def test_a_decision_that_cannot_be_delivered_goes_back_to_the_waiting_list(
    desk: Desk, provider: aioresponses
) -> None:
    await desk.receive()
    await desk.decide("confirm")
    provider.post(CALLBACK, status=503)
    assert (await desk.send(Policy(max_attempts=1)))["dead"] == 1

    found = await order(desk)
    assert found["status"] == "waiting"
    assert found["refusal_reason"].startswith("The restaurant could not be told. UpstreamError")


async def test_a_late_answer_to_an_earlier_decision_changes_nothing(desk: Desk, provider: aioresponses) -> None:
    """The first decision died, staff decided anew, and an operator retries the first."""
    await desk.receive()
    await desk.decide("confirm")
    provider.post(CALLBACK, status=503)
    await desk.send(Policy(max_attempts=1))
    await desk.decide("decline")
    dead = await desk.db.fetchval("SELECT id FROM outbox WHERE state = 'dead'")
    await desk.client.post(f"/front-desk/outbox/{dead}/retry", headers=desk.staff)
    provider.post(CALLBACK, status=409, payload=problem("Too late."))
    provider.post(CALLBACK, payload={"order_id": 70001, "status": "declined"})

    assert (await desk.send())["sent"] == 2

    found = await order(desk)
    assert (found["status"], found["decision"], found["delivered"], found["refusal_reason"]) == (
        "declined", "decline", True, None
    )  # fmt: skip


async def test_a_poisoned_answer_is_not_asked_for_again_and_does_not_block_its_table(
    desk: Desk, provider: aioresponses
) -> None:
    """The front desk cannot store the answer, here because of a constraint."""
    for order_id in (70001, 70002):
        await desk.receive(id=order_id)
        await desk.decide("confirm", order_id)
    await desk.db.execute(
        "ALTER TABLE front_desk_order ADD CONSTRAINT poison CHECK (id <> 70001 OR provider_status = 'waiting')"
    )
    for order_id in (70001, 70002):
        provider.post(CALLBACK, payload={"order_id": order_id, "status": "confirmed"})

    for _ in range(3):
        await desk.send(Policy(max_rejections=3, min_wait=60))
        await desk.make_all_due()

    assert sum(map(len, provider.requests.values())) == 2
    states = {each["id"]: (each["status"], each["delivered"]) for each in await desk.orders()}
    assert states[70002] == ("confirmed", True)
    assert states[70001] == ("waiting", None)


@pytest.mark.parametrize("status", ["confirmed", "declined", "cancelled", "expired"])
async def test_an_order_that_is_settled_at_the_provider_cannot_be_decided(desk: Desk, status: str) -> None:
    await desk.receive()
    await desk.receive(status=status)

    for decision in ("confirm", "decline"):
        answer = await desk.decide(decision)
        assert (answer.status_code, (await answer.get_json())["code"]) == (409, f"order_{status}")
    assert await desk.db.fetchval("SELECT count(*) FROM outbox") == 0


async def test_a_confirmation_repeated_after_the_cancellation_is_a_conflict(desk: Desk) -> None:
    await desk.receive()
    assert (await desk.decide("confirm")).status_code == 200
    await desk.receive(status="cancelled")

    assert (await desk.decide("confirm")).status_code == 409


@pytest.mark.parametrize("first", ["confirmed", "cancelled"])
async def test_the_provider_s_status_only_moves_forward(desk: Desk, first: str) -> None:
    now = time.time()
    await desk.receive(now=now)
    await desk.receive(now=now - 1, status=first)
    await desk.receive(now=now - 2)
    assert (await order(desk))["status"] == first

    await desk.receive(now=now - 3, status="confirmed")
    assert (await order(desk))["status"] == first
    await desk.receive(now=now - 4, status="cancelled")
    assert (await order(desk))["status"] == "cancelled"


async def test_an_erased_guest_is_erased_here_too(desk: Desk) -> None:
    await desk.receive()
    await desk.receive(id=70002, name="Ben")

    answer = await desk.receive(name=None, email=None, phone=None, erased=True)
    again = await desk.receive(name=None, email=None, phone=None, erased=True, minutes=121)

    assert (answer.status_code, again.status_code) == (200, 200)
    other, erased = await desk.orders()
    assert (erased["name"], erased["email"], erased["phone"], erased["status"]) == (None, None, None, "waiting")
    assert (other["name"], other["email"]) == ("Ben", "ann@example.com")
    await desk.receive(status="cancelled")  # an older message with the guest's data, which arrives late
    assert (await desk.orders())[1]["name"] is None


async def test_an_order_of_an_erased_guest_can_arrive_first(desk: Desk) -> None:
    assert (await desk.receive(name=None, email=None, phone=None, erased=True)).status_code == 201
    assert await desk.db.fetchval("SELECT erased_at IS NOT NULL FROM front_desk_order")


async def test_a_guest_whom_the_first_message_erases_is_not_stored(desk: Desk) -> None:
    assert (await desk.receive(name="Ida", email="ida@example.org", phone="+4912345", erased=True)).status_code == 201
    row = await desk.db.fetchrow("SELECT name, email, phone, erased_at IS NOT NULL AS erased FROM front_desk_order")
    assert row is not None
    assert tuple(row) == (None, None, None, True)


@pytest.mark.parametrize("field", ["name", "email", "phone", "table_type"])
@pytest.mark.parametrize("text", ["Ann\u202e3", "\u200b", "a\nb", "a\0", ""])
async def test_text_that_cannot_be_seen_is_refused(desk: Desk, field: str, text: str) -> None:
    changes: dict[str, Any] = {field: text}
    answer = await desk.receive(**changes)

    assert answer.status_code == 400
    assert [error["field"] for error in (await answer.get_json())["errors"]] == [field]
