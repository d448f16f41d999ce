"""Orders at the front desk: received with a signature, decided by staff, sent to the provider."""

import asyncio
import json
import time

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from aioresponses import aioresponses
from yarl import URL

from common import upstream
from common.config import Secret, Secrets
from common.outbox.delivery import Policy
from common.upstream import create_client_session
from common.web import signature
from dashboard.front_desk import jobs
from dashboard.front_desk.models import DecisionOutcome
from dashboard.front_desk.settings import FrontDeskSettings
from tests.support.desk import CALLBACK, SECRET, Desk


async def test_an_order_is_received_once(desk: Desk) -> None:
    now = time.time()

    first = await desk.receive(now=now)
    again = await desk.receive(now=now - 1)

    assert (first.status_code, again.status_code) == (201, 200)
    [order] = await desk.orders()
    assert (order["id"], order["status"], order["delivered"], order["price"]) == (70001, "waiting", None, 25.5)


async def test_concurrent_copies_of_an_order_are_received_once(desk: Desk) -> None:
    now = time.time()

    answers = await asyncio.gather(*(desk.receive(now=now - each) for each in range(8)))

    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]


async def test_an_id_that_is_known_with_another_table_is_a_conflict(desk: Desk) -> None:
    await desk.receive()

    assert (await desk.receive(table_id=3002)).status_code == 409
    assert len(await desk.orders()) == 1


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "t=1,v1=00",
        "v1=" + "0" * 64,
        "t=1,v1=" + "0" * 64 + ",v1=" + "0" * 64,
    ],
)
async def test_an_order_without_a_valid_signature_is_refused(desk: Desk, header: str | None) -> None:
    headers = {
        "Content-Type": "application/json",
        **({signature.SIGNATURE_HEADER: header} if header is not None else {}),
    }

    answer = await desk.client.post("/front-desk/orders", data=b"{}", headers=headers)

    assert answer.status_code == 401
    assert answer.content_type == "application/problem+json"
    assert "WWW-Authenticate" in answer.headers


@pytest.mark.parametrize("seconds", [-3600, -310, 310, 10**9])
async def test_a_signature_from_another_time_is_refused(desk: Desk, seconds: float) -> None:
    assert (await desk.receive(now=time.time() + seconds)).status_code == 401


async def test_a_signature_is_valid_once_even_if_the_request_was_refused(desk: Desk) -> None:
    now = time.time()

    assert (await desk.receive(now=now)).status_code == 201
    assert (await desk.receive(now=now)).status_code == 401
    assert (await desk.receive(now=now, surprise=1)).status_code == 400
    assert (await desk.receive(now=now, surprise=1)).status_code == 401


async def test_another_secret_or_another_body_is_refused(desk: Desk) -> None:
    assert (await desk.receive(secret=Secret("another"))).status_code == 401
    header = signature.sign(SECRET, b"{}", time.time())
    headers = {"Content-Type": "application/json", signature.SIGNATURE_HEADER: header}
    assert (await desk.client.post("/front-desk/orders", data=b"{ }", headers=headers)).status_code == 401
    assert await desk.orders() == []


@pytest.mark.parametrize(
    "address",
    [
        "http://provider.example.evil.example/base/api/accounting/decisions",
        "http://evil.example/base/api/accounting/decisions",
        "https://provider.example/base/api",
        "http://provider.example:81/base/api",
        "http://provider.example/based/api",
        "http://provider.example/base",
        "http://provider.example/base/../admin",
        "http://provider.example/base/%2e%2e/admin",
        "http://provider.example/base/%2E./admin",
        "http://provider.example/base/..%2fadmin",
        "http://provider.example/base/%252e%252e/admin",
        "http://provider.example/base\\..\\admin",
        "http://provider.example@evil.example/base/api",
        "http://user@provider.example/base/api",
        "http://provider.example/base/api?next=1",
        "http://provider.example/base/api#here",
        "http://provider.example/base//api",
        "file:///base/api",
        "//provider.example/base/api",
        "http://provider.example:x/base/api",
        "http://provider.example:0/base/api",
        "http://[::1/base/api",
        "http://provider.example/base/\u00a0api",
        "http://provider.example/ba\nse/api",
    ],
)
async def test_only_addresses_under_the_provider_are_called(desk: Desk, address: str) -> None:
    answer = await desk.receive(callback_url=address)

    assert answer.status_code == 400
    assert [fault["field"] for fault in (await answer.get_json())["errors"]] == ["callback_url"]


async def test_another_spelling_of_the_same_address_is_accepted(desk: Desk) -> None:
    assert (await desk.receive(callback_url="HTTP://PROVIDER.example:80/base/api/x")).status_code == 201


@pytest.mark.parametrize(
    ("start", "status"), [("0001-01-02T00:00:00Z", 201), ("9997-12-31T23:59:59Z", 201), ("9998-01-01T00:00:00Z", 400),
                          ("9999-12-31T00:00:00Z", 400)]
)  # fmt: skip
async def test_an_order_is_received_if_its_end_can_be_computed(desk: Desk, start: str, status: int) -> None:
    assert (await desk.receive(starts_at=start, minutes=100_000)).status_code == status


async def test_staff_need_their_token(desk: Desk) -> None:
    await desk.receive()

    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic the-staff-token"}):
        for request, path in (
            (desk.client.get, "orders"),
            (desk.client.post, "orders/70001/confirm"),
            (desk.client.post, "orders/70001/decline"),
        ):
            answer = await request(f"/front-desk/{path}", headers=headers)
            assert answer.status_code == 401
    assert (await desk.orders())[0]["status"] == "waiting"


async def test_a_decision_reaches_the_provider_signed(desk: Desk, provider: aioresponses) -> None:
    await desk.receive()
    provider.post(CALLBACK, payload={"order_id": 70001, "status": "confirmed"})

    answer = await desk.decide("confirm")
    order = await answer.get_json()
    assert (answer.status_code, order["status"], order["delivered"]) == (200, "confirmed", False)
    assert await desk.send() == {"sent": 1, "failed": 0, "dead": 0}

    [call] = provider.requests["POST", URL(CALLBACK)]
    body = call.kwargs["data"]
    assert json.loads(body) == {"order_id": 70001, "decision": "confirm", "decided_by": "front desk"}
    header = call.kwargs["headers"][signature.SIGNATURE_HEADER]
    signature.verify(Secrets(SECRET), header, body, time.time())
    assert call.kwargs["allow_redirects"] is False
    [order] = await desk.orders()
    assert (order["status"], order["delivered"], order["refusal_reason"]) == ("confirmed", True, None)


async def test_the_callback_address_is_called_as_the_order_spells_it(desk: Desk, provider: aioresponses) -> None:
    await desk.receive(callback_url=f"{CALLBACK}/")
    provider.post(f"{CALLBACK}/", payload={"order_id": 70001, "status": "confirmed"})

    await desk.decide("confirm")

    assert (await desk.send())["sent"] == 1


async def test_a_repeated_decision_changes_nothing_and_the_opposite_one_is_a_conflict(desk: Desk) -> None:
    await desk.receive()

    assert (await desk.decide("decline")).status_code == 200
    assert (await desk.decide("decline")).status_code == 200
    assert (await desk.decide("confirm")).status_code == 409
    assert (await desk.decide("confirm", 7)).status_code == 404
    assert await desk.db.fetchval("SELECT count(*) FROM outbox") == 1


@pytest.mark.parametrize(
    ("size", "reason"), [(0, "Too late."), (jobs.MAX_RESPONSE_BYTES, "The provider answered 409.")]
)
async def test_a_reason_that_arrives_in_two_parts_is_read_whole(
    size: int, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = asyncio.Event()

    async def read_body(response: upstream.UpstreamResponse, max_bytes: int) -> bytes:
        reading.set()
        return await upstream.read_body(response, max_bytes)

    monkeypatch.setattr(jobs, "read_body", read_body)
    problem = {"type": "x" * size, "title": "Conflict", "status": 409, "detail": "Too late.", "code": "x"}
    body = json.dumps({**problem, "request_id": ""}).encode()

    async def refuse(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=409)
        await response.prepare(request)
        await response.write(body[:20])
        await reading.wait()
        await response.write(body[20:])
        return response

    app = web.Application()
    app.router.add_post("/", refuse)
    settings = FrontDeskSettings("http://provider.example", Secrets(Secret("a-secret")), Secrets(Secret("a-token")))
    async with TestServer(app) as server, create_client_session() as client:
        assert await jobs.post_decision(client, str(server.make_url("/")), b"{}", settings) == DecisionOutcome(
            reason, None
        )


async def test_an_order_that_the_guest_cancelled_cannot_be_decided(desk: Desk) -> None:
    now = time.time()
    await desk.receive(now=now)
    await desk.receive(status="cancelled")

    assert (await desk.decide("confirm")).status_code == 409
    assert (await desk.receive(now=now - 2)).status_code == 200
    assert [order["status"] for order in await desk.orders()] == ["cancelled"]


async def test_a_decision_is_retried_until_the_provider_is_back(desk: Desk, provider: aioresponses) -> None:
    await desk.receive()
    await desk.decide("confirm")
    provider.post(CALLBACK, exception=ConnectionRefusedError("down"))
    provider.post(CALLBACK, status=503)
    provider.post(CALLBACK, status=401)
    provider.post(CALLBACK, payload={"order_id": 70001, "status": "confirmed"})

    for _ in range(3):
        assert await desk.send() == {"sent": 0, "failed": 1, "dead": 0}
        assert await desk.send() == {"sent": 0, "failed": 0, "dead": 0}
        await desk.make_all_due()

    assert (await desk.orders())[0]["delivered"] is False
    assert await desk.send() == {"sent": 1, "failed": 0, "dead": 0}
    assert (await desk.orders())[0]["delivered"] is True


async def test_two_confirmations_of_a_table_are_sent_in_order(desk: Desk, provider: aioresponses) -> None:
    for order_id in (70001, 70002):
        await desk.receive(id=order_id)
        await desk.decide("confirm", order_id)
    provider.post(CALLBACK, exception=ConnectionRefusedError("down"))
    assert await desk.send() == {"sent": 0, "failed": 1, "dead": 0}
    assert await desk.send() == {"sent": 0, "failed": 0, "dead": 0}, "the second does not overtake the first"

    await desk.make_all_due()
    provider.post(CALLBACK, payload={"order_id": 70001, "status": "confirmed"})
    provider.post(CALLBACK, status=409)
    assert await desk.send() == {"sent": 2, "failed": 0, "dead": 0}
    assert {order["id"]: order["status"] for order in await desk.orders()} == {70001: "confirmed", 70002: "waiting"}


async def test_an_address_outside_the_provider_is_not_called_later_either(desk: Desk, provider: aioresponses) -> None:
    await desk.receive()
    await desk.decide("confirm")
    await desk.db.execute("UPDATE front_desk_order SET callback_url = 'http://evil.example/base/api'")

    assert (await desk.send(Policy(max_attempts=1)))["dead"] == 1
    assert not provider.requests


async def test_a_dead_decision_is_listed_and_can_be_retried(desk: Desk, provider: aioresponses) -> None:
    await desk.receive()
    await desk.decide("confirm")
    provider.post(CALLBACK, status=500)
    provider.post(CALLBACK, payload={"order_id": 70001, "status": "confirmed"})
    assert (await desk.send(Policy(max_attempts=1)))["dead"] == 1

    [message] = await (await desk.client.get("/front-desk/outbox", headers=desk.staff)).get_json()
    assert (message["state"], message["event"]) == ("dead", "order 70001 decision 1")
    path = f"/front-desk/outbox/{message['id']}/retry"
    assert (await desk.client.post(path)).status_code == 401
    assert (await desk.client.post(path, headers=desk.staff)).status_code == 204
    assert (await desk.client.post(path, headers=desk.staff)).status_code == 404
    assert (await desk.send())["sent"] == 1
    assert (await desk.orders())[0]["status"] == "confirmed"


async def test_orders_come_in_pages(desk: Desk) -> None:
    for number in range(5):
        await desk.receive(id=70001 + number)

    seen, path = [], "/front-desk/orders?limit=2&status=waiting"
    while path:
        answer = await desk.client.get(path, headers=desk.staff)
        seen += [order["id"] for order in await answer.get_json()]
        path = answer.headers.get("Link", "").partition(">")[0].removeprefix("<")
    assert seen == [70005, 70004, 70003, 70002, 70001]
