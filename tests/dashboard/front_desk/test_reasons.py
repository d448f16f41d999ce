"""The reason that the desk shows is the one that the guest is told, whoever decided first."""

import re
from typing import Any

import pytest
from aioresponses import CallbackResult, aioresponses

from common.outbox.delivery import Policy
from tests.support.desk import CALLBACK, Desk

FULL = "We are full."
FIRE = "The kitchen is on fire."


async def decline(desk: Desk) -> None:
    answer = await desk.client.post("/front-desk/orders/70001/decline", headers=desk.staff, json={"reason": FULL})
    assert answer.status_code == 200
    assert (await answer.get_json())["decline_reason"] == FULL


async def state(desk: Desk) -> tuple[str, str | None]:
    """The status of the order, and the reason in its list and on the page."""
    [order] = await desk.orders()
    shown = re.search(r"Reason (?:told to|for) the guest: <bdi>(.*?)</bdi>", await desk.page())
    assert order["decline_reason"] == (shown[1] if shown else None)
    return order["status"], order["decline_reason"]


def refusal(status: str) -> dict[str, Any]:
    return {
        "type": "about:blank", "title": "Conflict", "status": 409, "detail": f"The booking is {status}.",
        "code": f"booking_{status}", "request_id": "",
    }  # fmt: skip


@pytest.mark.parametrize("push_first", [True, False], ids=["push first", "refusal first"])
@pytest.mark.parametrize(
    ("status", "told"), [("confirmed", None), ("cancelled", None), ("cancelled", FIRE), ("expired", None)]
)
async def test_a_guest_who_was_never_told_the_reason_of_a_refused_decline_is_not_said_to_have_been(
    desk: Desk, provider: aioresponses, status: str, told: str | None, push_first: bool
) -> None:
    await desk.log_in()
    await desk.receive()
    await decline(desk)
    provider.post(CALLBACK, status=409, payload=refusal(status))

    if push_first:
        await desk.receive(status=status, decline_reason=told)
        assert await state(desk) == (status, told)
        await desk.send()
    else:
        await desk.send()
        assert await state(desk) == (status, None)
        await desk.receive(status=status, decline_reason=told)

    assert await state(desk) == (status, told)


@pytest.mark.parametrize("push_first", [True, False], ids=["push first", "answer first"])
@pytest.mark.parametrize("told", [FIRE, None])
async def test_of_two_reasons_the_desk_shows_the_one_that_the_guest_was_told(
    desk: Desk, provider: aioresponses, told: str | None, push_first: bool
) -> None:
    await desk.log_in()
    await desk.receive()
    await decline(desk)
    assert await state(desk) == ("declined", FULL)
    provider.post(CALLBACK, payload={"order_id": 70001, "status": "declined", "reason": told})

    if push_first:
        await desk.receive(status="declined", decline_reason=told)
        assert await state(desk) == ("declined", told)
    await desk.send()
    assert await state(desk) == ("declined", told)
    if not push_first:
        await desk.receive(status="declined", decline_reason=told)
    assert await state(desk) == ("declined", told)


async def test_a_message_with_the_same_status_still_says_why(desk: Desk, provider: aioresponses) -> None:
    """The answer to a confirmation stated the status first, which has no room for a reason."""
    await desk.log_in()
    await desk.receive()
    await desk.decide("confirm")
    provider.post(CALLBACK, status=409, payload=refusal("declined"))
    await desk.send()
    assert await state(desk) == ("declined", None)

    await desk.receive(status="declined", decline_reason=FIRE)
    assert await state(desk) == ("declined", FIRE)
    await desk.receive(status="declined", mail_failure="550 no such mailbox")
    assert await state(desk) == ("declined", FIRE)


async def test_a_repeated_cancellation_is_still_one_of_a_confirmed_table(desk: Desk) -> None:
    await desk.receive()
    await desk.receive(status="confirmed")
    await desk.receive(status="cancelled")
    await desk.receive(status="cancelled", mail_failure="550 no such mailbox")

    assert (await desk.orders())[0]["was_confirmed"] is True


@pytest.mark.parametrize("stored", ["confirmed", "expired", "declined", "cancelled"])
@pytest.mark.parametrize("newest", ["expired", "declined", "cancelled"])
async def test_the_newest_word_of_the_provider_holds(desk: Desk, stored: str, newest: str) -> None:
    await desk.receive()
    await desk.receive(status=stored)
    await desk.receive(status=newest, decline_reason=FIRE)

    [order] = await desk.orders()
    assert (order["status"], order["decline_reason"]) == (newest, FIRE)


@pytest.mark.parametrize("status", ["declined", "cancelled"])
@pytest.mark.parametrize("reason", ["a\u202eb", "x" * 501, 5])
async def test_an_answer_whose_reason_could_not_be_shown_still_states_the_status(
    desk: Desk, provider: aioresponses, reason: Any, status: str
) -> None:
    await desk.receive()
    await decline(desk)
    provider.post(CALLBACK, payload={"order_id": 70001, "status": status, "reason": reason})
    assert (await desk.send())["sent"] == 1

    [order] = await desk.orders()
    assert (order["status"], order["delivered"], order["decline_reason"]) == (status, True, None)


async def test_the_order_of_an_erased_guest_is_declined_without_the_reason(desk: Desk, provider: aioresponses) -> None:
    await desk.receive()
    await desk.receive(name=None, email=None, erased=True)

    answer = await desk.client.post("/front-desk/orders/70001/decline", headers=desk.staff, json={"reason": FULL})
    assert (answer.status_code, (await answer.get_json())["decline_reason"]) == (200, None)
    assert await desk.db.fetchval("SELECT payload ->> 'reason' FROM outbox") is None
    provider.post(CALLBACK, payload={"order_id": 70001, "status": "declined", "reason": FIRE})
    assert (await desk.send())["sent"] == 1
    assert (await desk.orders())[0]["decline_reason"] is None


async def test_an_answer_that_comes_after_the_erasure_and_cannot_be_stored_does_not_keep_the_reason(
    desk: Desk, provider: aioresponses
) -> None:
    await desk.receive()
    await decline(desk)
    await desk.db.execute("ALTER TABLE front_desk_order ADD CONSTRAINT poison CHECK (provider_status = 'waiting')")

    async def erase(*_: Any, **__: Any) -> CallbackResult:
        await desk.receive(erased=True)
        return CallbackResult(payload={"order_id": 70001, "status": "declined", "reason": "Ann came too late."})

    provider.post(CALLBACK, callback=erase)
    await desk.send(Policy(max_rejections=1))

    assert await desk.db.fetchval("SELECT state FROM outbox") == "dead"
    assert await desk.db.fetchval("SELECT count(*) FROM outbox WHERE outbox::text LIKE '%Ann%'") == 0


async def test_erasure_takes_the_reason_from_an_answer_that_could_not_be_stored(
    desk: Desk, provider: aioresponses
) -> None:
    """The message that was given up keeps the rest of the answer; one without an answer is left as it is."""
    await desk.receive()
    await decline(desk)
    await desk.db.execute("ALTER TABLE front_desk_order ADD CONSTRAINT poison CHECK (provider_status = 'waiting')")
    provider.post(CALLBACK, payload={"order_id": 70001, "status": "declined", "reason": "Ann came too late."})
    await desk.send(Policy(max_rejections=1))
    await decline(desk)
    assert await desk.db.fetchval("SELECT count(*) FROM outbox WHERE outcome::text LIKE '%Ann%'") == 1

    await desk.receive(erased=True)

    assert await desk.db.fetchval("SELECT count(*) FROM outbox WHERE outbox::text LIKE '%Ann%'") == 0
    kept = await desk.db.fetch("SELECT state, outcome ->> 'status' AS status FROM outbox ORDER BY id")
    assert [tuple(message) for message in kept] == [("dead", "declined"), ("waiting", None)]
