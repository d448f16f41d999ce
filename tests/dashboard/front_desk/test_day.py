"""The day, the search and the live page over HTTP: figures, forms of the table, rights, and when a page is old."""

import csv
import gzip
import io
import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from aioresponses import aioresponses

from dashboard.front_desk.models import DeskTotals
from dashboard.front_desk.page_views.cards import microseconds
from tests.support.desk import CALLBACK, Desk
from tests.support.pages import Element, addresses, by_id, named, read_page, rows, styled

WEST: dict[str, Any] = {"timezone": "America/Sao_Paulo"}
DAY = "2999-01-01"


async def day_of(desk: Desk, query: str = f"?day={DAY}") -> dict[str, Any]:
    answer = await desk.client.get(f"/front-desk/day{query}", headers=desk.staff)
    assert answer.status_code == 200, await answer.get_data(as_text=True)
    found: dict[str, Any] = await answer.get_json()
    return found


async def receive_evening(desk: Desk) -> None:
    """Table 3001 is confirmed 19:00–21:00 UTC; another order asks for it at 20:00, and one for another table."""
    await desk.receive(id=1)
    await desk.receive(id=1, status="confirmed")
    await desk.receive(id=2, name="Ben", starts_at=f"{DAY}T20:00:00Z")
    await desk.receive(id=3, name="Eve", table_id=4001, starts_at=f"{DAY}T21:00:00Z", phone="+4930123456")
    await desk.receive(id=4, name="Gone", starts_at=f"{DAY}T19:00:00Z")
    await desk.receive(id=4, status="declined")
    await desk.receive(id=5, name="Timeless", starts_at=None)


async def test_a_day_has_its_waiting_and_confirmed_orders_with_what_they_overlap(desk: Desk) -> None:
    await receive_evening(desk)

    found = await day_of(desk)
    assert (found["day"], found["timezone"]) == (DAY, "UTC")
    assert [(item["id"], item["status"], item["overlaps"]) for item in found["items"]] == [
        (1, "confirmed", False),
        (2, "waiting", True),
        (3, "waiting", False),
    ]
    assert found["items"][1]["overlap"] == {
        "order_id": 1,
        "starts_at": f"{DAY}T19:00:00.000000Z",
        "ends_at": f"{DAY}T21:00:00.000000Z",
    }
    assert found["items"][0]["ends_at"] == f"{DAY}T21:00:00.000000Z"
    assert found["tables"] == [
        {"table_id": 3001, "table_type": "cabin", "seats": 4},
        {"table_id": 4001, "table_type": "cabin", "seats": 4},
    ]
    assert (await day_of(desk, "?day=2999-01-02"))["items"] == []


async def test_two_orders_that_touch_do_not_overlap(desk: Desk) -> None:
    await desk.receive(id=1)
    await desk.receive(id=1, status="confirmed")
    await desk.receive(id=2, starts_at=f"{DAY}T21:00:00Z")
    await desk.receive(id=3, starts_at=f"{DAY}T17:00:00Z")

    assert [item["overlaps"] for item in (await day_of(desk))["items"]] == [False, False, False]


async def test_an_order_past_midnight_overlaps_with_one_of_the_next_day(desk: Desk) -> None:
    await desk.receive(id=1, starts_at=f"{DAY}T23:00:00Z")
    await desk.receive(id=1, status="confirmed")
    await desk.receive(id=2, starts_at="2999-01-02T00:30:00Z")

    following = (await day_of(desk, "?day=2999-01-02"))["items"]
    assert [(item["id"], item["day"], item["overlaps"]) for item in following] == [
        (1, DAY, False),
        (2, "2999-01-02", True),
    ]
    assert [item["id"] for item in (await day_of(desk))["items"]] == [1]


async def test_the_day_is_the_restaurants_and_by_default_its_current_one(desk: Desk) -> None:
    assert (await day_of(desk, ""))["items"] == []
    await desk.receive(id=1, starts_at="2999-01-02T01:00:00Z", **WEST)

    assert [item["id"] for item in (await day_of(desk))["items"]] == [1]
    await desk.db.execute("UPDATE front_desk_order SET starts_at = now()")
    found = await day_of(desk, "")
    assert found["timezone"] == "America/Sao_Paulo"
    assert [item["day"] for item in found["items"]] == [found["day"]]


async def test_a_day_is_paged_and_the_same_in_every_form(desk: Desk) -> None:
    await receive_evening(desk)
    first = await desk.client.get(f"/front-desk/day?day={DAY}&limit=2", headers=desk.staff)
    following = re.search(r"<(.*)>; rel=\"next\"", first.headers["Link"])
    assert following is not None
    second = await (await desk.client.get(following[1], headers=desk.staff)).get_json()

    assert [item["id"] for item in (await first.get_json())["items"] + second["items"]] == [1, 2, 3]
    answer = await desk.client.get(f"/front-desk/day?day={DAY}&format=csv", headers=desk.staff)
    lines = list(csv.DictReader(io.StringIO(await answer.get_data(as_text=True))))
    assert [(line["id"], line["overlaps"], line["overlap_order_id"]) for line in lines] == [
        ("1", "false", ""),
        ("2", "true", "1"),
        ("3", "false", ""),
    ]
    workbook = await desk.client.get(f"/front-desk/day?day={DAY}&format=xlsx", headers=desk.staff)
    assert (await workbook.get_data(as_text=False))[:2] == b"PK"


@pytest.mark.parametrize("query", ["?day=tomorrow", "?day=9999-12-31", "?day=", "?limit=0", "?cursor=x"])
async def test_a_day_that_is_not_valid_is_refused(desk: Desk, query: str) -> None:
    assert (await desk.client.get(f"/front-desk/day{query}", headers=desk.staff)).status_code == 400


async def test_the_links_of_the_page_to_its_figures_work_with_its_session_and_with_the_token_alone(desk: Desk) -> None:
    await receive_evening(desk)
    path = f"/front-desk/day?day={DAY}"
    assert (await desk.client.get(path)).status_code == 401
    await desk.log_in()

    page = await (await desk.client.get(f"/front-desk?day={DAY}")).get_data(as_text=True)
    linked = re.findall(r'href="(/front-desk/day[^"]*)"', page)
    assert {link.replace("&amp;", "&") for link in linked} == {path, f"{path}&format=csv", f"{path}&format=xlsx"}
    answer = await desk.client.get(path)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert (await desk.client.head(path)).status_code == 200
    wrong = {"Authorization": "Bearer wrong-token-of-staff"}
    assert (await desk.client.get(path, headers=wrong)).status_code == 401
    assert (await desk.client.post("/front-desk/orders/2/confirm")).status_code == 401


async def test_every_figure_of_the_day_is_that_of_the_json(desk: Desk) -> None:
    await receive_evening(desk)
    await desk.log_in()

    page = read_page(await (await desk.client.get(f"/front-desk?day={DAY}")).get_data(as_text=True))
    found = await day_of(desk)
    times, *listed = rows(styled(page, "list")[0])
    assert times == ["Time", "Name", "Guests", "Table"]
    assert [(line[0], line[2], line[3]) for line in listed] == [
        (f"{item['starts_at'][11:16]}–{item['ends_at'][11:16]}", str(item["guests"]), str(item["table_id"]))
        for item in found["items"]
    ]
    plan = styled(page, "timetable")[0]
    assert [row.text.split()[0] for row in named(plan, "th") if row.attributes["scope"] == "row"] == [
        str(table["table_id"]) for table in found["tables"]
    ]
    slots = {slot.attributes["href"].rpartition("=%23")[2]: slot for slot in styled(plan, "slot")}
    assert {number: slot.attributes["class"] for number, slot in slots.items()} == {
        "1": "slot confirmed",
        "2": "slot conflict",
        "3": "slot waiting",
    }
    assert "1 order confirmed for 3 guests; 2 wait; 1 overlaps." in by_id(page, "day").text


async def test_a_card_warns_of_a_confirmed_order_and_names_the_tables_that_are_free(desk: Desk) -> None:
    await receive_evening(desk)
    await desk.log_in()

    page = read_page(await desk.page())
    assert "Table 3001 is confirmed 19:00–21:00. Free then: table 4001 (4 seats)." in by_id(page, "order-2").text
    assert "Table 4001 is free then." in by_id(page, "order-3").text
    assert "The next time that suits" in by_id(page, "order-5").text


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("eve", [3]), ("EVE", [3]), ("030 123456", [3]), ("+49 30 12", [3]), ("2", [2]),
        ("ann@example", [5, 4, 3, 2, 1]), ("nobody", []), ("%", []), ("_", []), ("#2", [2]),
    ],
)  # fmt: skip
async def test_orders_are_found_by_name_phone_mail_and_number(desk: Desk, search: str, found: list[int]) -> None:
    await receive_evening(desk)
    await desk.log_in()

    answer = await desk.client.get("/front-desk/orders", query_string={"search": search}, headers=desk.staff)
    assert [order["id"] for order in await answer.get_json()] == found
    answer = await desk.client.get("/front-desk", query_string={"search": search})
    page = read_page(await answer.get_data(as_text=True))
    shown = [each.attributes["id"] for each in by_id(page, "found").below if each.name == "article"]
    assert shown == [f"found-{number}" for number in found]
    heading = named(by_id(page, "found"), "h2")[0].text
    assert heading == f"{len(found) or 'No'} {'order' if len(found) < 2 else 'orders'} found for “{search}”"


async def test_a_found_order_that_waits_can_be_answered_and_one_that_does_not_shows_its_state(desk: Desk) -> None:
    await receive_evening(desk)
    await desk.log_in()
    answer = await desk.client.get("/front-desk?search=example.com")
    page = read_page(await answer.get_data(as_text=True))

    waiting, settled = by_id(page, "found-2"), by_id(page, "found-4")
    assert [button.text for button in named(waiting, "button")] == ["Confirm", "Yes, decline"]
    assert named(settled, "button") == []
    assert "Declined by the restaurant" in settled.text


@pytest.mark.parametrize("query", ["?day=2999-13-01", "?search=%00", f"?search={'x' * 301}"])
async def test_a_question_that_is_not_valid_is_answered_with_a_page_that_names_it(desk: Desk, query: str) -> None:
    await desk.log_in()
    answer = await desk.client.get(f"/front-desk{query}", headers={"Accept": "text/html"})

    assert answer.status_code == 400
    assert 'aria-invalid="true"' in await answer.get_data(as_text=True)


@pytest.mark.parametrize("day", ["0001-01-02", "9999-12-30"])
async def test_the_ends_of_the_calendar_are_days_too(desk: Desk, day: str) -> None:
    await desk.receive()
    await desk.log_in()

    page = await (await desk.client.get(f"/front-desk?day={day}")).get_data(as_text=True)
    assert "No table is confirmed or asked for." in page


@pytest.mark.parametrize(("day", "shown"), [(DAY, f"day={DAY}&"), ("9999-12-31", ""), ("x", ""), ("", "")])
async def test_an_answer_leads_back_to_the_day_that_was_shown(desk: Desk, day: str, shown: str) -> None:
    await desk.receive()
    await desk.log_in()
    fields = {"csrf": await desk.csrf(), "order": "70001", "decision": "confirm", "day": day}

    answer = await desk.client.post("/front-desk/decide", form=fields)
    assert answer.headers["Location"] == f"/front-desk?{shown}notice=confirmed"


async def insert_orders(desk: Desk, first: int, last: int, status: str = "waiting", **decision: str) -> None:
    """Orders of table 3001 at the time of `ORDER`, straight into the table."""
    await desk.db.execute(
        """
        INSERT INTO front_desk_order (table_id, id, callback_url, table_type, seats, price, name, email, starts_at,
                                      minutes, ordered_at, provider_status, was_confirmed, decision, decided_at,
                                      decided_by)
        SELECT 3001, number, '', 'cabin', 4, 1, 'Guest ' || number, number || '@example.com',
               '2999-01-01 19:00:00Z', 120, now(), $3::text, $3 = 'cancelled', $4::text,
               CASE WHEN $4 IS NOT NULL THEN now() END, CASE WHEN $4 IS NOT NULL THEN 'front desk' END
          FROM generate_series($1::bigint, $2::bigint) AS number
        """,
        first, last, status, decision.get("decision"),
    )  # fmt: skip


async def search_page(desk: Desk, search: str, more: str = "") -> Element:
    answer = await desk.client.get(f"/front-desk?search={quote(search)}{more}")
    return read_page(await answer.get_data(as_text=True))


async def test_a_card_counts_all_that_wait_for_its_table_in_the_list_and_in_a_search(desk: Desk) -> None:
    await insert_orders(desk, 1, 30)
    await insert_orders(desk, 31, 31, "confirmed")
    await desk.receive(id=32, table_id=4001)
    await desk.log_in()

    page = await search_page(desk, "#1")
    for shown in ("order-1", "found-1"):
        assert "29 other orders wait for this table then." in by_id(page, shown).text
    await desk.db.execute("UPDATE front_desk_order SET minutes = 1, starts_at = now() - interval '1 day' WHERE id > 10")
    assert "9 other orders wait for this table then." in by_id(await search_page(desk, "#1"), "found-1").text


async def test_the_order_whose_number_is_typed_stands_first_among_many_with_the_same_digits(desk: Desk) -> None:
    await insert_orders(desk, 1, 1, "confirmed")
    await insert_orders(desk, 100, 199, "confirmed")
    await desk.log_in()

    found = by_id(await search_page(desk, "1"), "found")
    assert [each.attributes["id"] for each in found.below if each.name == "article"][:2] == ["found-1", "found-199"]
    assert "The newest 10 orders found" in found.text


async def test_a_bar_of_the_timetable_and_a_line_of_the_list_lead_to_their_order_alone(desk: Desk) -> None:
    await insert_orders(desk, 1, 1, "confirmed")
    await insert_orders(desk, 100, 199, "declined")
    await desk.log_in()
    page = read_page(await (await desk.client.get(f"/front-desk?day={DAY}")).get_data(as_text=True))

    for place in ("timetable", "list"):
        [link] = {link for link in addresses(styled(page, place)[0]) if "search" in link}
        found = read_page(await (await desk.client.get(f"/front-desk{link}")).get_data(as_text=True))
        shown = [each.attributes["id"] for each in by_id(found, "found").below if each.name == "article"]
        assert shown == ["found-1"]


async def test_every_decision_that_is_on_its_way_is_counted(desk: Desk) -> None:
    await insert_orders(desk, 1, 40, decision="confirm")
    await insert_orders(desk, 41, 90, "declined")
    await desk.log_in()

    assert (
        "40 decisions are still on the way to the restaurant." in by_id(read_page(await desk.page()), "headline").text
    )
    assert 'href="/front-desk#settled"' in await (await desk.client.get("/front-desk?search=1")).get_data(as_text=True)


async def test_today_leaves_out_what_is_over_before_what_comes(desk: Desk) -> None:
    """Of more orders than the page shows; the day is that of the restaurant."""
    await desk.db.execute(
        """
        INSERT INTO front_desk_order (table_id, id, callback_url, table_type, seats, price, starts_at, minutes,
                                      ordered_at, provider_status, timezone)
        SELECT 1, number, '', 'cabin', 4, 1, now() - interval '40 minutes',
               CASE WHEN number <= 100 THEN 30 ELSE 120 END, now(), 'confirmed', zone
          FROM (SELECT CASE WHEN extract(hour FROM now() AT TIME ZONE 'UTC') < 12 THEN 'Asia/Tokyo'
                            ELSE 'America/Sao_Paulo' END) AS clocks (zone), -- it is day there
               generate_series(1, 102) AS number
        """
    )
    await desk.log_in()

    day = by_id(read_page(await desk.page()), "day")
    assert "Orders that are over are left out. 2 orders confirmed" in day.text
    assert len(rows(styled(day, "list")[0])) == 3


async def test_each_cancelled_table_stands_somewhere_however_many_there_are(desk: Desk) -> None:
    await insert_orders(desk, 1, 13, "cancelled")
    await desk.log_in()

    page = read_page(await desk.page())
    shown = {each.attributes["id"] for place in ("freed", "settled") for each in by_id(page, place).below
             if each.name == "article"}  # fmt: skip
    assert shown == {f"order-{number}" for number in range(1, 14)}


async def test_a_page_that_counts_an_order_which_it_did_not_read_yet_says_that_none_waits(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order arrives between the two statements."""

    async def one_waits(*_: object) -> DeskTotals:
        return DeskTotals(1, datetime.now(UTC), 0)

    monkeypatch.setattr("dashboard.front_desk.queries.desk.select_desk_totals", one_waits)
    await desk.log_in()

    assert "No order waits for an answer." in await desk.page()


async def test_without_a_script_a_page_asks_for_itself_again_with_its_search(desk: Desk) -> None:
    await desk.log_in()

    answer = await desk.client.get(f"/front-desk?day={DAY}&search=Ann%20B&notice=confirmed")
    assert f'content="20;url=/front-desk?day={DAY}&amp;search=Ann+B"' in await answer.get_data(as_text=True)
    assert 'content="20;url=/front-desk"' in await desk.page()


async def test_a_page_names_its_last_order_only_if_it_does_not_show_all(desk: Desk) -> None:
    """The script takes a card that enters for a new order unless it is older than that one."""
    await insert_orders(desk, 1, 20)
    await desk.log_in()
    assert by_id(read_page(await desk.page()), "cards").attributes["data-newest"] == ""

    await insert_orders(desk, 21, 21)
    cards = by_id(read_page(await desk.page()), "cards")
    newest = await desk.db.fetchval("SELECT changed_at FROM front_desk_order WHERE id = 21")
    assert cards.attributes["data-newest"] == str(microseconds(newest))
    ages = [each.attributes["data-at"] for each in cards.below if "data-at" in each.attributes]
    assert len(ages) == 20
    assert max(ages) < cards.attributes["data-newest"]


async def tag_of(desk: Desk) -> str:
    answer = await desk.client.get("/front-desk")
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.headers["ETag"]


async def test_a_page_is_old_as_soon_as_anything_of_an_order_changes(
    desk: Desk, provider: aioresponses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.front_desk.routes_page.RENEWED_SECONDS", 1_000_000_000)
    provider.post(CALLBACK, status=410)
    provider.post(CALLBACK, payload={"order_id": 70001, "status": "confirmed"})
    await desk.log_in()
    tags = [await tag_of(desk)]

    async def note() -> None:
        tag = await tag_of(desk)
        assert tag not in tags
        tags.append(tag)
        again = await desk.client.get("/front-desk", headers={"If-None-Match": tag})
        assert (again.status_code, again.headers.get("ETag")) == (304, tag)

    for change in (
        {}, {"mail_failure": "550 no such mailbox"}, {"mail_delivered": True},
    ):  # fmt: skip
        await desk.receive(**change)
        await note()
    for _ in range(2):  # the first is refused, the second accepted
        await desk.decide("confirm")
        await note()
        await desk.send()
        await note()
    await desk.receive(status="cancelled")
    await note()
    await desk.receive(status="cancelled", erased=True)
    await note()


async def test_a_change_that_is_committed_after_a_later_one_makes_the_page_old(desk: Desk) -> None:
    await desk.receive(id=1)
    await desk.receive(id=2)
    await desk.log_in()
    before = await tag_of(desk)

    await desk.db.execute(
        "UPDATE front_desk_order SET mail_failure = 'x', updated_at = updated_at + interval '1 us' WHERE id = 1"
    )
    assert await tag_of(desk) != before


async def test_a_page_renews_itself_while_orders_wait(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboard.front_desk.routes_page.RENEWED_SECONDS", 1e-6)
    await desk.receive()
    await desk.log_in()

    assert await tag_of(desk) != await tag_of(desk)


async def test_a_found_order_whose_time_has_passed_has_no_button(desk: Desk) -> None:
    await desk.receive()
    await desk.log_in()
    await desk.db.execute("UPDATE front_desk_order SET starts_at = now() - interval '1 day'")
    page = read_page(await (await desk.client.get("/front-desk?search=ann")).get_data(as_text=True))

    found = by_id(page, "found-70001")
    assert named(found, "button") == []
    assert "Nobody has answered, and its time has passed" in found.text


@pytest.mark.parametrize("search", ["", "&search=guest"])
async def test_a_page_with_all_that_it_can_show_is_small(desk: Desk, search: str) -> None:
    await desk.db.execute(
        """
        INSERT INTO front_desk_order (table_id, id, callback_url, table_type, seats, price, name, guests, email, phone,
                                      starts_at, minutes, ordered_at, provider_status, was_confirmed, notes)
        SELECT number % 40, number, '', 'regular', 4, 10, 'Guest number ' || number, 4, number || '@example.com',
               '+4930' || number, '2999-01-01 18:00:00Z'::timestamptz + number % 9 * interval '45 minutes', 90, now(),
               (ARRAY['waiting', 'confirmed', 'cancelled', 'declined'])[number % 4 + 1], number % 4 = 2,
               'We would like to sit near a window, please.'
          FROM generate_series(1, 1000) AS number
        """
    )
    await desk.log_in()

    page = await (await desk.client.get(f"/front-desk?day={DAY}{search}")).get_data(as_text=False)
    assert b"Of the first 100 orders (there are more): " in page
    assert b"more than 8 more" in page
    assert (b"The newest 10 orders found" in page) == bool(search)
    assert len(page) <= 120_000
    assert len(gzip.compress(page)) <= 20_000
