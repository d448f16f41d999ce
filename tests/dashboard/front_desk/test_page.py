"""The front desk's page, used as a browser without scripts would."""

import pytest

from tests.support.desk import Desk


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
    assert await desk.db.fetchval("SELECT length(token_hash) FROM front_desk_session") == 32


async def test_a_wrong_token_is_refused_and_throttled(desk: Desk) -> None:
    for _ in range(5):
        answer = await desk.log_in("wrong")
        assert answer.headers["Location"] == "/front-desk?notice=invalid_token"
    assert "Set-Cookie" not in answer.headers

    answer = await desk.log_in()

    assert answer.headers["Location"] == "/front-desk?notice=throttled"
    assert "Set-Cookie" not in answer.headers


async def test_the_buttons_decide_orders(desk: Desk) -> None:
    await desk.receive(name="<script>alert(1)</script>")
    await desk.receive(id=70002, name="Ben")
    await desk.log_in()
    page = await desk.page()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script" not in page
    csrf = await desk.csrf()

    for order, decision in ((70001, "confirm"), (70002, "decline")):
        fields = {"csrf": csrf, "order": str(order), "decision": decision}
        answer = await desk.client.post("/front-desk/decide", form=fields)
        assert answer.status_code == 303

    assert [order["status"] for order in await desk.orders()] == ["declined", "confirmed"]
    assert "on its way" in await desk.page()
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

    answer = await desk.client.post("/front-desk/decide", form=fields, headers={"Sec-Fetch-Site": "cross-site"})

    assert answer.status_code == 403


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

    for order, decision in (("x", "confirm"), ("1", "eat"), ("²", "confirm"), ("9" * 30, "confirm")):
        fields = {"csrf": csrf, "order": order, "decision": decision}
        assert (await desk.client.post("/front-desk/decide", form=fields)).status_code == 400
    assert (await desk.client.post("/front-desk/decide", json={"csrf": csrf})).status_code == 415


async def test_the_page_says_when_there_are_more_orders_than_it_shows(desk: Desk) -> None:
    await desk.receive()
    await desk.log_in()
    await desk.db.execute(
        "INSERT INTO front_desk_order"
        " (table_id, id, callback_url, table_type, seats, price, minutes, ordered_at, provider_status)"
        " SELECT 1, number, '', 'room', 2, 1, 60, now(), 'waiting' FROM generate_series(1, 199) AS number"
    )
    assert "200 orders wait" in await desk.page()
    assert "More than" not in await desk.page()
    await desk.receive(id=70002)
    page = await desk.page()
    assert "More than 200 orders wait" in page
    assert page.count('class="card order"') == 200
