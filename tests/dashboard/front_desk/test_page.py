"""The front desk's page, used as a browser without scripts would."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from aioresponses import aioresponses

from common.config import Secret, read_config
from common.web.input_types import MAX_ID
from common.web.page_session import LIFETIME, hash_session, insert_session
from dashboard.app import create_app
from dashboard.config import Config
from dashboard.front_desk.queries import lists
from dashboard.front_desk.staff import REALM
from tests.support.desk import CALLBACK, STAFF_TOKEN, Desk


async def test_the_page_asks_for_the_token_first(desk: Desk) -> None:
    await desk.receive()

    answer = await desk.client.get("/front-desk")

    page = await answer.get_data(as_text=True)
    assert 'name="token"' in page
    assert "ann@example.com" not in page
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"


async def test_a_login_sets_a_cookie_hidden_from_scripts_and_other_sites(desk: Desk) -> None:
    answer = await desk.log_in()

    assert (answer.status_code, answer.headers["Location"]) == (303, "/front-desk")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Path=/front-desk" in cookie
    assert await desk.db.fetchval("SELECT length(token_hash) FROM page_session") == 32


class TestBehindAProxy:
    @pytest.fixture
    def environment(self, environment: dict[str, str]) -> dict[str, str]:
        return environment | {"DASHBOARD_TRUSTED_PROXIES": "all"}

    @pytest.mark.parametrize("scheme", ["https", "http"])
    async def test_the_cookie_of_a_login_over_https_is_sent_over_https_alone(self, desk: Desk, scheme: str) -> None:
        """The proxy speaks http to us, and says what the browser spoke to it."""
        form, headers = {"token": STAFF_TOKEN}, {"X-Forwarded-Proto": scheme, "X-Forwarded-For": "203.0.113.7"}
        answer = await desk.client.post("/front-desk/login", form=form, headers=headers)

        assert ("; Secure" in answer.headers["Set-Cookie"]) == (scheme == "https")


async def test_a_wrong_token_is_refused_and_throttled(desk: Desk) -> None:
    for _ in range(5):
        answer = await desk.log_in("wrong")
        assert answer.headers["Location"] == "/front-desk?notice=invalid_token"
    assert "Set-Cookie" not in answer.headers

    answer = await desk.log_in()

    assert answer.headers["Location"] == "/front-desk?notice=throttled"
    assert "Set-Cookie" not in answer.headers


async def test_a_login_leads_to_the_page_that_was_asked_for_even_after_a_wrong_token(desk: Desk) -> None:
    asked = "/front-desk?day=2999-01-01&search=Ann"
    form = {"token": "wrong", "target": asked}
    refused = (await desk.client.post("/front-desk/login", form=form)).headers["Location"]

    page = await (await desk.client.get(refused)).get_data(as_text=True)
    assert "This token is not valid." in page
    target = re.search(r'name="target" value="([^"]*)"', page)
    assert target is not None
    form = {"token": STAFF_TOKEN, "target": unescape(target[1])}
    assert (await desk.client.post("/front-desk/login", form=form)).headers["Location"] == asked


@pytest.mark.parametrize(
    "target",
    ["", "/board/system", "//evil.example", "https://evil.example/front-desk/", "/front-deskevil",
     "/front-desk/\r\nX: y", "/front-desk?day=ä"],
)  # fmt: skip
async def test_a_login_leads_to_no_page_outside_the_front_desk(desk: Desk, target: str) -> None:
    answer = await desk.client.get("/front-desk", query_string={"notice": "logged_out", "target": target})
    assert 'name="target" value="/front-desk"' in await answer.get_data(as_text=True)
    for token, location in (("wrong", "/front-desk?notice=invalid_token"), (STAFF_TOKEN, "/front-desk")):
        answer = await desk.client.post("/front-desk/login", form={"token": token, "target": target})
        assert answer.headers["Location"] == location


async def test_the_buttons_decide_orders(desk: Desk) -> None:
    await desk.receive(name="<script>alert(1)</script>")
    await desk.receive(id=70002, name="Ben")
    await desk.log_in()
    page = await desk.page()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>" not in page
    csrf = await desk.csrf()

    for order, decision, notice in ((70001, "confirm", "confirmed"), (70002, "decline", "declined")):
        fields = {"csrf": csrf, "order": str(order), "decision": decision}
        answer = await desk.client.post("/front-desk/decide", form=fields)
        assert answer.status_code == 303
        assert answer.headers["Location"] == f"/front-desk?notice={notice}"

    assert [order["status"] for order in await desk.orders()] == ["declined", "confirmed"]
    page = await desk.page()
    assert "Confirmation on its way to the restaurant" in page
    assert "Refusal on its way to the restaurant" in page
    again = await desk.client.post("/front-desk/decide", form={"csrf": csrf, "order": "70001", "decision": "decline"})
    assert again.headers["Location"] == "/front-desk?notice=already_settled"


@pytest.mark.parametrize("csrf", ["", "0" * 64, "ä"])
async def test_a_form_without_the_csrf_token_of_the_session_decides_nothing(desk: Desk, csrf: str) -> None:
    await desk.receive()
    await desk.log_in()

    fields = {"csrf": csrf, "order": "70001", "decision": "confirm"}
    answer = await desk.client.post("/front-desk/decide", form=fields)

    assert answer.status_code == 403
    assert [order["status"] for order in await desk.orders()] == ["waiting"]


async def test_a_form_from_another_site_decides_nothing(desk: Desk) -> None:
    await desk.receive()
    await desk.log_in()
    fields = {"csrf": await desk.csrf(), "order": "70001", "decision": "confirm"}

    for site in ("cross-site", "same-site"):
        answer = await desk.client.post("/front-desk/decide", form=fields, headers={"Sec-Fetch-Site": site})
        assert answer.status_code == 403
    assert (await desk.orders())[0]["status"] == "waiting"
    for origin in ("null", "http://localhost.evil.example", "https://evil.example"):
        answer = await desk.client.post("/front-desk/decide", form=fields, headers={"Origin": origin})
        assert answer.status_code == 403
    assert (await desk.orders())[0]["status"] == "waiting"
    answer = await desk.client.post("/front-desk/decide", form=fields, headers={"Origin": "http://localhost"})
    assert answer.status_code == 303
    for site in ("same-origin", "none"):
        answer = await desk.client.post("/front-desk/decide", form=fields, headers={"Sec-Fetch-Site": site})
        assert answer.status_code == 303


async def test_a_logout_that_its_page_did_not_send_ends_nothing(desk: Desk) -> None:
    await desk.log_in()

    assert (await desk.client.post("/front-desk/logout", form={"csrf": "0" * 64})).status_code == 403
    assert 'name="token"' not in await desk.page()


async def test_a_session_of_other_pages_does_not_open_the_front_desk(desk: Desk) -> None:
    await insert_session(desk.db, hash_session("of-an-operator", Secret(STAFF_TOKEN)), "operations", LIFETIME)
    desk.client.set_cookie("localhost", REALM.cookie, "of-an-operator", path="/front-desk")

    assert 'name="token"' in await desk.page()
    assert (await desk.client.get("/front-desk/orders")).status_code == 401


async def test_a_logout_ends_the_session_in_the_browser_and_the_database(desk: Desk) -> None:
    await desk.receive()
    await desk.log_in()
    fields = {"csrf": await desk.csrf(), "order": "70001", "decision": "confirm"}
    assert desk.client.cookie_jar is not None
    cookie = next(iter(desk.client.cookie_jar))
    assert cookie.value is not None

    await desk.client.post("/front-desk/logout", form=fields)
    desk.client.set_cookie("localhost", cookie.name, cookie.value, path="/front-desk")
    answer = await desk.client.post("/front-desk/decide", form=fields)

    assert answer.headers["Location"] == "/front-desk?notice=session_expired"
    assert [order["status"] for order in await desk.orders()] == ["waiting"]


async def test_forms_with_invalid_values_are_refused(desk: Desk) -> None:
    await desk.log_in()
    csrf = await desk.csrf()

    for order, decision in (
        ("x", "confirm"),
        ("1", "eat"),
        ("²", "confirm"),
        ("0", "confirm"),
        (f"{MAX_ID + 1}", "confirm"),
    ):
        fields = {"csrf": csrf, "order": order, "decision": decision}
        assert (await desk.client.post("/front-desk/decide", form=fields)).status_code == 400
    assert (await desk.client.post("/front-desk/decide", json={"csrf": csrf})).status_code == 415
    unknown = {"csrf": csrf, "order": f"{MAX_ID}", "decision": "confirm"}
    answer = await desk.client.post("/front-desk/decide", form=unknown)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/front-desk?notice=already_settled")


@pytest.mark.parametrize("order_id", [1, 10**18, MAX_ID])
async def test_the_page_decides_orders_with_every_id(desk: Desk, order_id: int) -> None:
    await desk.receive(id=order_id)
    await desk.log_in()
    assert (await desk.client.get(f"/front-desk/decline?order={order_id}")).status_code == 200

    fields = {"csrf": await desk.csrf(), "order": str(order_id), "decision": "confirm"}
    answer = await desk.client.post("/front-desk/decide", form=fields)

    assert answer.headers["Location"] == "/front-desk?notice=confirmed"
    assert [order["status"] for order in await desk.orders()] == ["confirmed"]


async def test_the_page_says_when_there_are_more_orders_than_it_shows(desk: Desk) -> None:
    await desk.receive()
    await desk.log_in()
    await desk.db.execute(
        "INSERT INTO front_desk_order"
        " (table_id, id, callback_url, table_type, seats, price, minutes, ordered_at, provider_status)"
        " SELECT 1, number, '', 'room', 2, 1, 60, now(), 'waiting' FROM generate_series(1, 19) AS number"
    )
    page = await desk.page()
    assert "20 orders wait" in page
    assert "have waited longest" not in page
    await desk.receive(id=70002)
    page = await desk.page()
    assert "21 orders wait" in page
    assert "<title>(21) Front desk</title>" in page
    assert "Here are the 20 that have waited longest; 1 more follows as soon as" in page
    assert page.count('class="card order"') == 20


async def test_a_session_past_its_end_shows_the_login_and_decides_nothing(desk: Desk) -> None:
    await desk.receive()
    await desk.log_in()
    fields = {"csrf": await desk.csrf(), "order": "70001", "decision": "confirm"}
    await desk.db.execute("UPDATE page_session SET expires_at = now()")

    assert 'name="token"' in await desk.page()
    answer = await desk.client.post("/front-desk/decide", form=fields)
    assert answer.headers["Location"] == "/front-desk?notice=session_expired"
    assert (await desk.orders())[0]["status"] == "waiting"


async def test_a_session_ends_when_its_token_is_no_longer_accepted(
    desk: Desk, environment: dict[str, str], dashboard_url: Secret
) -> None:
    await desk.receive()
    await desk.log_in()
    assert desk.client.cookie_jar is not None
    cookie = next(iter(desk.client.cookie_jar))
    assert cookie.value is not None

    for tokens, is_over in ((f"the-next-staff-token,{STAFF_TOKEN}", False), ("the-next-staff-token", True)):
        settings = {**environment, "DASHBOARD_STAFF_TOKEN": tokens}
        app = create_app(read_config(Config, settings), dashboard_url)
        async with app.test_app():
            client = app.test_client()
            client.set_cookie("localhost", cookie.name, cookie.value, path="/front-desk")
            page = await (await client.get("/front-desk")).get_data(as_text=True)
        assert ('name="token"' in page) == is_over


async def test_a_session_lasts_twelve_hours(desk: Desk) -> None:
    answer = await desk.log_in()

    assert "Max-Age=43200" in answer.headers["Set-Cookie"]
    assert await desk.db.fetchval("SELECT expires_at - now() BETWEEN '11:59' AND '12:00' FROM page_session")


async def decide(desk: Desk, decision: str, order_id: int = 70001) -> str:
    """Press a button of the page; returns the text of the notice that follows."""
    fields = {"csrf": await desk.csrf(), "order": str(order_id), "decision": decision}
    answer = await desk.client.post("/front-desk/decide", form=fields)
    page = await (await desk.client.get(answer.headers["Location"])).get_data(as_text=True)
    match = re.search(r'role="status">([^<]+)<', page)
    assert match is not None
    return match[1]


@pytest.mark.parametrize("decision", ["confirm", "decline"])
async def test_the_notice_promises_nothing_that_the_restaurant_has_not_said(desk: Desk, decision: str) -> None:
    await desk.receive()
    await desk.log_in()

    notice = await decide(desk, decision)

    assert notice.startswith("Sent to the restaurant")
    assert "guest" not in notice


async def confirm_in_vain(desk: Desk, provider: aioresponses) -> None:
    """Confirm a new order, which the provider refuses."""
    await desk.receive()
    await desk.log_in()
    await decide(desk, "confirm")
    provider.post(CALLBACK, status=410)
    await desk.send()


async def test_a_refused_order_stands_in_the_waiting_list_with_the_reason_and_its_buttons(
    desk: Desk, provider: aioresponses
) -> None:
    await confirm_in_vain(desk, provider)

    page = await desk.page()
    assert "The last decision did not take effect" in page
    assert "The provider answered 410." in page
    assert 'value="confirm"' in page
    assert "1 order waits" in page


async def test_the_reason_of_a_refused_confirmation_is_not_given_as_that_of_the_decline(
    desk: Desk, provider: aioresponses
) -> None:
    await confirm_in_vain(desk, provider)
    await desk.receive(status="declined")  # by the restaurant's admin

    page = await desk.page()
    assert "Declined" in page
    assert "The last decision of the front desk did not take effect: <bdi>The provider answered 410." in page


async def move_start(desk: Desk, minutes_ago: int) -> None:
    await desk.db.execute("UPDATE front_desk_order SET starts_at = now() - $1 * interval '1 minute'", minutes_ago)


@pytest.mark.parametrize(("minutes_ago", "warned"), [(-60, False), (-1, False), (1, True), (119, True)])
async def test_staff_are_warned_before_they_confirm_an_order_whose_time_has_begun(
    desk: Desk, minutes_ago: int, warned: bool
) -> None:
    await desk.receive()
    await desk.log_in()
    await move_start(desk, minutes_ago)

    page = await desk.page()
    assert ("The time of this order has begun" in page) == warned
    assert 'value="confirm"' in page


async def test_an_order_without_a_start_is_never_too_late(desk: Desk) -> None:
    await desk.receive(starts_at=None)
    await desk.log_in()

    assert "has begun" not in await desk.page()
    assert (await decide(desk, "confirm")).startswith("Sent to the restaurant")


async def test_an_order_whose_time_has_passed_leaves_the_waiting_list_and_cannot_be_confirmed(desk: Desk) -> None:
    await desk.receive()
    await desk.receive(id=70002)
    await desk.log_in()
    fields = {"csrf": await desk.csrf(), "order": "70001", "decision": "confirm"}
    await move_start(desk, 121)

    page = await desk.page()
    assert "No order" in page
    assert 'value="confirm"' not in page
    answer = await desk.client.post("/front-desk/decide", form=fields)
    assert answer.headers["Location"] == "/front-desk?notice=too_late"
    by_program = await desk.decide("confirm")
    assert (by_program.status_code, (await by_program.get_json())["code"]) == (409, "time_passed")
    assert (await desk.decide("decline", 70002)).status_code == 200


async def test_a_cancelled_table_stands_first_until_its_time_has_passed(desk: Desk, provider: aioresponses) -> None:
    provider.post(CALLBACK, payload={"order_id": 70001, "status": "confirmed"}, repeat=True)
    for number in range(40):
        await desk.receive(id=70001 + number)
        await desk.decide("confirm", 70001 + number)
    await desk.send()
    await desk.receive(status="cancelled")
    for number in range(1, 40):  # all others are settled later
        await desk.receive(id=70001 + number, status="confirmed")
    await desk.log_in()

    page = await desk.page()
    head, _, rest = page.partition(">Waiting<")
    freed, _, settled = rest.partition("Settled last")
    assert (
        'Cancelled: <a href="#order-70001">Tue 1 January 2999, 19:00–21:00 UTC, table 3001</a> (<bdi>Ann</bdi>)' in head
    )
    assert "Cancelled tables" in freed
    assert 'id="order-70001"' in freed
    assert "Cancelled after it was confirmed" in freed
    assert 'id="order-70001"' not in settled

    await desk.db.execute("UPDATE front_desk_order SET starts_at = now() - interval '1 day' WHERE id = 70001")
    assert "Cancelled tables" not in await desk.page()


@pytest.mark.parametrize("decided", [False, True])
async def test_an_order_that_was_never_confirmed_is_no_cancelled_table(desk: Desk, decided: bool) -> None:
    await desk.receive()
    if decided:
        await desk.decide("confirm")  # but not delivered
    await desk.receive(status="cancelled")
    await desk.log_in()

    page = await desk.page()
    assert "Cancelled tables" not in page
    assert "after it was confirmed" not in page
    assert "Cancelled" in page


@pytest.mark.parametrize("minutes", [1, 120])
async def test_the_time_of_an_order_passes_at_its_end_and_not_before(desk: Desk, minutes: int) -> None:
    await desk.receive(minutes=minutes)
    await desk.receive(id=70002, minutes=minutes, status="confirmed")
    await desk.receive(id=70002, status="cancelled")
    start = datetime(2999, 1, 1, 19, tzinfo=UTC)
    end = start + timedelta(minutes=minutes)
    just_before = end - timedelta(microseconds=1)

    [order] = await lists.select_waiting(desk.db, just_before, 10)
    assert (order.has_ended(just_before), order.has_ended(end)) == (False, True)
    assert (order.has_begun(start - timedelta(microseconds=1)), order.has_begun(start)) == (False, True)
    assert await lists.select_waiting(desk.db, end, 10) == []
    assert len(await lists.select_freed(desk.db, just_before, 10)) == 1
    assert await lists.select_freed(desk.db, end, 10) == []


async def test_a_cancelled_table_without_a_time_stands_first_for_a_day(desk: Desk) -> None:
    await desk.receive(starts_at=None, status="confirmed")
    await desk.receive(starts_at=None, status="cancelled")
    now = datetime.now(UTC)

    assert len(await lists.select_freed(desk.db, now + timedelta(hours=23), 10)) == 1
    assert await lists.select_freed(desk.db, now + timedelta(hours=25), 10) == []


async def test_a_table_that_the_restaurant_confirmed_itself_is_a_cancelled_table(desk: Desk) -> None:
    await desk.receive()
    await desk.receive(status="confirmed")
    await desk.receive(status="cancelled")
    await desk.log_in()

    assert "Cancelled after it was confirmed" in await desk.page()


async def test_settled_orders_stand_by_their_last_change(desk: Desk) -> None:
    for order_id in (70001, 70002, 70003):
        await desk.receive(id=order_id)
        await desk.decide("decline", order_id)
    await desk.receive(id=70001, status="cancelled")
    await desk.receive(id=70003, status="declined")  # says nothing new
    await desk.log_in()

    assert re.findall(r'id="order-(\d+)"', await desk.page()) == ["70001", "70003", "70002"]


BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.mark.parametrize("query", ["?utm_source=mail", "?fbclid=x&notice=logged_out", "?notice=unknown", "?a=1&a=2"])
async def test_unknown_parameters_are_ignored(desk: Desk, query: str) -> None:
    answer = await desk.client.get(f"/front-desk{query}")

    assert answer.status_code == 200
    assert 'name="token"' in await answer.get_data(as_text=True)


async def test_a_form_of_an_earlier_session_is_answered_with_a_page(desk: Desk) -> None:
    await desk.receive()
    await desk.log_in()
    stale = {"csrf": await desk.csrf(), "order": "70001", "decision": "confirm"}
    await desk.log_in()

    answer = await desk.client.post("/front-desk/decide", form=stale, headers=BROWSER)

    assert (answer.status_code, answer.mimetype) == (403, "text/html")
    assert "opened before the last log-in" in await answer.get_data(as_text=True)
    assert (await desk.orders())[0]["status"] == "waiting"


@pytest.mark.parametrize("path", ["/front-desk/login", "/front-desk/decide", "/front-desk/logout"])
async def test_errors_of_the_forms_are_pages_for_people_and_problems_for_programs(desk: Desk, path: str) -> None:
    for headers, mimetype in ((BROWSER, "text/html"), ({}, "application/problem+json")):
        posted = await desk.client.post(path, json={}, headers=headers)
        opened = await desk.client.get(path, headers=headers)
        assert (posted.status_code, posted.mimetype) == (415, mimetype)
        assert (opened.status_code, opened.mimetype) == (405, mimetype)


async def test_names_stand_in_elements_of_their_own_direction(desk: Desk) -> None:
    await desk.receive(name="محمد علی", table_type="اتاق")
    await desk.log_in()

    page = await desk.page()
    assert "<bdi>محمد علی</bdi>, 3 guests" in page
    assert "<bdi>اتاق</bdi> 3001" in page


async def test_the_pages_lead_home(desk: Desk) -> None:
    assert '<a href="/">' in await desk.page()
    await desk.log_in()
    assert '<a href="/">' in await desk.page()


async def test_the_login_names_the_token_of_the_demo_and_no_other(
    desk: Desk, environment: dict[str, str], dashboard_url: Secret
) -> None:
    assert STAFF_TOKEN not in await desk.page()

    demo = {name: value for name, value in environment.items() if name != "DASHBOARD_STAFF_TOKEN"}
    outside = demo | {
        "NIGHTAUDIT_DEMO": "0", "DASHBOARD_STAFF_TOKEN": "staff-of-a-real-restaurant",
        "DASHBOARD_ACCOUNTING_SECRET": "a-secret-that-both-programs-know",
    }  # fmt: skip
    for settings, named in ((demo, True), (outside, False)):
        app = create_app(read_config(Config, settings), dashboard_url)
        async with app.test_app():
            page = await (await app.test_client().get("/front-desk")).get_data(as_text=True)
        assert ("The token of the demo is <code>staff</code>." in page) == named
        assert "staff-of-a-real-restaurant" not in page
