"""What the front desk shows of an order: local times, notes, reasons, and emails that did not reach the guest."""

import json
import re
from typing import Any

import pytest
from aioresponses import aioresponses
from yarl import URL

from tests.support.desk import CALLBACK, Desk

WEST: dict[str, Any] = {"timezone": "America/Sao_Paulo", "starts_at": "2999-01-02T01:00:00Z"}
"""22:00 on New Year's Day in São Paulo."""
REASON = "We are full that evening."


async def decline(desk: Desk, **body: Any) -> Any:
    return await desk.client.post("/front-desk/orders/70001/decline", headers=desk.staff, **body)


async def test_an_order_is_found_by_its_id(desk: Desk) -> None:
    await desk.receive(notes="A high chair, please.", currency="CHF", **WEST)

    answer = await desk.client.get("/front-desk/orders/70001", headers=desk.staff)
    order = await answer.get_json()
    assert answer.status_code == 200
    assert (order["id"], order["timezone"], order["day"]) == (70001, "America/Sao_Paulo", "2999-01-01")
    assert (order["notes"], order["currency"], order["mail_failure"]) == ("A high chair, please.", "CHF", None)
    assert order["starts_at"] == "2999-01-02T01:00:00.000000Z"
    assert [order] == await desk.orders()
    assert (await desk.client.get("/front-desk/orders/7", headers=desk.staff)).status_code == 404
    assert (await desk.client.get("/front-desk/orders/0", headers=desk.staff)).status_code == 404
    assert (await desk.client.get("/front-desk/orders/70001")).status_code == 401


async def test_orders_of_a_day_are_those_of_the_restaurants_day(desk: Desk) -> None:
    await desk.receive(id=1, **WEST)
    await desk.receive(id=2, timezone="Asia/Tokyo", starts_at="2999-01-01T16:00:00Z")
    await desk.receive(id=3, starts_at="2999-01-01T23:59:00Z")
    await desk.receive(id=4, starts_at=None)
    await desk.decide("confirm", 3)

    async def found(query: str) -> list[int]:
        return [order["id"] for order in await desk.orders(query)]

    assert await found("?day=2999-01-01") == [3, 1]
    assert await found("?day=2999-01-02") == [2]
    assert await found("?day=2999-01-01&status=waiting") == [1]
    assert await found("?day=2999-01-01&status=confirmed") == [3]
    assert await found("") == [4, 3, 2, 1]
    answer = await desk.client.get("/front-desk/orders?day=tomorrow", headers=desk.staff)
    assert [error["field"] for error in (await answer.get_json())["errors"]] == ["day"]


@pytest.mark.parametrize(
    ("field", "value"),
    [("timezone", "Mars/Olympus"), ("timezone", "CET"), ("timezone", None), ("notes", "x" * 501),
     ("notes", "a\u202eb"), ("decline_reason", "a\u0000"), ("mail_failure", ""), ("currency", "E\u200bUR")],
)  # fmt: skip
async def test_an_order_that_could_not_be_shown_is_refused(desk: Desk, field: str, value: Any) -> None:
    answer = await desk.receive(**{field: value})

    assert [error["field"] for error in (await answer.get_json())["errors"]] == [field]


async def test_the_page_shows_local_times_and_notes(desk: Desk) -> None:
    await desk.receive(notes="<b>A high chair</b>,\nplease.", currency="EUR", **WEST)
    await desk.log_in()

    page = await desk.page()
    assert "Tue 1 January 2999, 22:00–00:00 UTC-03:00" in page
    assert "Times are local to America/Sao_Paulo." in page
    assert "&lt;b&gt;A high chair&lt;/b&gt;,\nplease." in page
    assert "25.50 <bdi>EUR</bdi>" in page


async def test_staff_decline_with_a_reason_that_the_provider_is_told(desk: Desk, provider: aioresponses) -> None:
    await desk.receive()
    provider.post(CALLBACK, payload={"order_id": 70001, "status": "declined", "reason": REASON})

    answer = await decline(desk, json={"reason": f" {REASON} "})
    assert (answer.status_code, (await answer.get_json())["decline_reason"]) == (200, REASON)
    await desk.send()

    [call] = provider.requests["POST", URL(CALLBACK)]
    assert json.loads(call.kwargs["data"])["reason"] == REASON
    [order] = await desk.orders()
    assert (order["status"], order["decline_reason"], order["refusal_reason"]) == ("declined", REASON, None)


@pytest.mark.parametrize("body", [{"json": {"reason": "x" * 501}}, {"json": {"why": "full"}}, {"json": {"reason": 5}},
                                  {"data": b"full", "headers": None}])  # fmt: skip
async def test_an_invalid_reason_declines_nothing(desk: Desk, body: dict[str, Any]) -> None:
    await desk.receive()
    call = {**body, "headers": desk.staff}

    answer = await desk.client.post("/front-desk/orders/70001/decline", **call)
    assert answer.status_code in (400, 415)
    assert (await desk.orders())[0]["status"] == "waiting"


async def test_a_reason_is_forgotten_when_the_provider_refuses_the_decision(desk: Desk, provider: aioresponses) -> None:
    await desk.receive()
    await decline(desk, json={"reason": REASON})
    problem = {"type": "x", "title": "Conflict", "status": 409, "detail": "No.", "code": "x", "request_id": ""}
    provider.post(CALLBACK, status=409, payload=problem)
    await desk.send()

    [order] = await desk.orders()
    assert (order["status"], order["refusal_reason"], order["decline_reason"]) == ("waiting", "No.", None)


async def test_the_provider_tells_why_the_restaurants_admin_declined(desk: Desk) -> None:
    await desk.receive()
    await desk.receive(status="declined", decline_reason=REASON)

    assert (await desk.orders())[0]["decline_reason"] == REASON


async def test_the_page_declines_with_a_reason(desk: Desk) -> None:
    await desk.receive(notes="Window")
    await desk.log_in()
    link = re.search(r'href="(/front-desk/decline\?order=70001)"', await desk.page())
    assert link is not None
    form = await (await desk.client.get(link[1])).get_data(as_text=True)
    assert 'name="reason"' in form
    assert "http-equiv" not in form, "a reload would lose what was typed"
    assert "Window" in form

    fields = {"csrf": await desk.csrf(), "order": "70001", "decision": "decline", "reason": f"{REASON}\r\nSorry."}
    answer = await desk.client.post("/front-desk/decide", form=fields)
    assert answer.headers["Location"].endswith("notice=declined")
    assert (await desk.orders())[0]["decline_reason"] == f"{REASON}\nSorry."
    assert REASON in await desk.page()


async def test_the_page_to_decline_is_for_waiting_orders_and_staff(desk: Desk) -> None:
    await desk.receive()
    page = "/front-desk/decline?order="
    assert 'name="token"' in await (await desk.client.get(f"{page}70001")).get_data(as_text=True)
    await desk.log_in()
    for number in ("7", "", "x", "9" * 30, "-1"):
        assert (await desk.client.get(f"{page}{number}")).headers["Location"].endswith("notice=already_settled")
    await desk.decide("confirm")
    assert (await desk.client.get(f"{page}70001")).headers["Location"].endswith("notice=already_settled")


@pytest.mark.parametrize(
    ("reason", "fault"),
    [
        (f"<b>{'x' * 501}", "The reason must have at most 500 characters."),
        (
            "\n<b>We are\u202e full",
            "The reason must not contain control characters or characters that turn or hide text.",
        ),
    ],
)
async def test_the_page_gives_a_refused_reason_back_with_the_fault(desk: Desk, reason: str, fault: str) -> None:
    await desk.receive()
    await desk.log_in()
    fields = {"csrf": await desk.csrf(), "order": "70001", "decision": "decline", "reason": reason}

    answer = await desk.client.post("/front-desk/decide", form=fields)
    page = await answer.get_data(as_text=True)
    assert (answer.status_code, answer.content_type) == (400, "text/html; charset=utf-8")
    assert fault in page
    typed = re.search(r"<textarea[^>]*>\n(.*?)</textarea>", page, re.DOTALL)
    assert typed is not None
    assert typed[1] == reason.replace("<b>", "&lt;b&gt;")
    assert (await desk.orders())[0]["status"] == "waiting"

    assert (await desk.client.post("/front-desk/decide", form=fields | {"reason": REASON})).status_code == 303
    refused = await desk.client.post("/front-desk/decide", form=fields)
    assert refused.headers["Location"].endswith("notice=already_settled")


async def test_an_email_that_bounced_shows_beside_its_order(desk: Desk) -> None:
    failure = "The email “Your table is confirmed” did not reach the guest: SMTP: 550 no such mailbox"
    await desk.receive()
    await desk.receive(status="confirmed")
    answer = await desk.receive(status="confirmed", mail_failure=failure, now=None)
    await desk.log_in()

    assert (await answer.get_json())["mail_failure"] == failure
    assert (await desk.orders())[0]["mail_failure"] == failure
    assert failure in await desk.page()


async def test_a_failed_email_that_is_delivered_later_no_longer_shows(desk: Desk) -> None:
    await desk.receive()
    await desk.receive(mail_failure="550 full")
    await desk.receive(mail_delivered=True, mail_failure="550 another email")
    assert (await desk.orders())[0]["mail_failure"] == "550 another email"

    await desk.receive(mail_delivered=True)
    assert (await desk.orders())[0]["mail_failure"] is None


async def test_erasure_takes_notes_reasons_and_failures(desk: Desk) -> None:
    await desk.receive(notes="Ann's birthday", mail_failure="550 ann@example.com")
    await decline(desk, json={"reason": "Sorry, Ann"})
    await desk.receive(status="declined", erased=True)

    [order] = await desk.orders()
    assert {order[name] for name in ("name", "email", "notes", "decline_reason", "mail_failure")} == {None}
    for table in ("front_desk_order", "outbox"):
        rows = await desk.db.fetch(f'SELECT "{table}"::text FROM "{table}"')
        assert not any("Ann" in row[0] or "ann@" in row[0] for row in rows), table
    await desk.receive(mail_failure="550 ann@example.com", decline_reason="Ann", status="declined")
    assert (await desk.orders())[0]["mail_failure"] is None
