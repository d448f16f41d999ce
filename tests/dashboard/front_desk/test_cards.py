"""The cards of orders: how long they wait, whether there is a table, and what is said of their state."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from dashboard.front_desk.house import house_at
from dashboard.front_desk.models import DeskTable, Order, Overlap, TakenTable
from dashboard.front_desk.page_views.cards import Card, state_of, waiting_cards
from dashboard.front_desk.search import search_terms

NOW = datetime(2026, 11, 29, 17, 30, tzinfo=UTC)
START = datetime(2026, 11, 29, 18, tzinfo=UTC)
HOUSE = house_at("Europe/Berlin", NOW)
TABLES = [DeskTable(number, "regular", seats) for number, seats in ((1, 2), (2, 4), (3, 4), (4, 8), (5, 6), (6, 4))]


def order(number: int = 1, **changes: Any) -> Order:
    facts: dict[str, Any] = {
        "id": number, "status": "waiting", "table_id": 3, "table_type": "regular", "seats": 4, "price": Decimal(5),
        "currency": "EUR", "name": "Ann", "email": None, "phone": None, "guests": 4, "starts_at": START,
        "timezone": "Europe/Berlin", "day": START.date(), "minutes": 120, "notes": None, "ordered_at": NOW,
        "received_at": NOW, "decision": None, "decided_at": None, "delivered": None, "refusal_reason": None,
        "decline_reason": None, "mail_failure": None, "changed_at": NOW, "was_confirmed": False,
    }  # fmt: skip
    return Order(**facts | changes)


def card(shown: Order, *taken: int, rivals: int = 0) -> Card:
    """The card of an order while tables are confirmed from an hour before it to an hour before its end."""
    overlap = Overlap(9, START - timedelta(hours=1), START + timedelta(hours=1))
    held = [TakenTable(shown.id, each, overlap) for each in taken]
    return waiting_cards([shown], held, {shown.id: rivals, 9: 7}, TABLES, HOUSE)[0]


@pytest.mark.parametrize(
    ("seconds", "waits", "urgency"),
    [(-3, "under 1 min", ""), (59, "under 1 min", ""), (60, "1 min", ""), (300, "5 min", ""),
     (301, "5 min", "late"), (900, "15 min", "late"), (901, "15 min", "very-late"), (7500, "2 h 5 min", "very-late")],
)  # fmt: skip
def test_a_card_says_how_long_its_order_waits_and_when_that_is_too_long(seconds: int, waits: str, urgency: str) -> None:
    found = card(order(received_at=NOW - timedelta(seconds=seconds)))

    assert (found.waits, found.urgency) == (waits, urgency)


def test_a_card_says_whether_there_is_a_table() -> None:
    assert (card(order()).conflict, card(order()).tables) == ("", "Table 3 is free then.")
    taken = card(order(), 3)
    assert taken.conflict == "Table 3 is confirmed 18:00–20:00."
    assert taken.tables == ("Free then: table 2 (4 seats), table 6 (4 seats), table 5 (6 seats) and 1 more.")
    assert card(order(), 3, 2).tables == "Free then: table 6 (4 seats), table 5 (6 seats) and table 4 (8 seats)."
    full = card(order(guests=7), 3, 4)
    assert full.tables == "No other known table for 7 guests is free then."
    unknown = card(order(guests=None), *(each.table_id for each in TABLES))
    assert unknown.tables == "No other known table is free then."
    assert card(order(), 2).conflict == ""


def test_an_order_without_a_time_conflicts_with_nothing_and_names_no_table() -> None:
    found = card(order(starts_at=None, day=None))

    assert (found.when, found.conflict, found.tables, found.rivals) == ("The next time that suits", "", "", "")
    assert found.news == "New order: \u2068Ann\u2069, 4"


def test_a_card_counts_the_others_that_wait_for_its_table() -> None:
    assert card(order(), rivals=1).rivals == "1 other order waits for this table then."
    assert card(order(), rivals=2).rivals == "2 other orders wait for this table then."
    assert card(order()).rivals == ""


@pytest.mark.parametrize(
    ("start", "when"),
    [
        ("2026-11-29T18:00:00", "Tonight, 19:00–21:00 CET"),
        ("2026-11-29T11:00:00", "Today, 12:00–14:00 CET"),
        ("2026-11-29T22:30:00", "Tonight, 23:30–01:30 CET"),
        ("2026-11-30T18:00:00", "Tomorrow, 19:00–21:00 CET"),
        ("2026-12-05T18:00:00", "Sat 5 December, 19:00–21:00 CET"),
        ("2027-10-30T23:30:00", "Sun 31 October 2027, 01:30 CEST–02:30 CET"),
    ],
)
def test_a_time_is_said_as_hosts_say_it(start: str, when: str) -> None:
    assert card(order(starts_at=datetime.fromisoformat(start).replace(tzinfo=UTC))).when == when


def test_an_order_of_another_zone_names_it() -> None:
    assert card(order(timezone="Asia/Tokyo")).when == "Today, 03:00–05:00 JST (Asia/Tokyo)"
    assert card(order(timezone="Atlantis/Poseidonis")).when == "Tonight, 18:00–20:00 UTC (UTC)"


def test_a_card_says_when_an_order_was_long_on_its_way() -> None:
    assert card(order(ordered_at=NOW - timedelta(minutes=1))).ordered == ""
    assert card(order(ordered_at=NOW - timedelta(hours=1))).ordered == "17:30"
    assert card(order(ordered_at=NOW - timedelta(days=1))).ordered == "Sat 28 Nov, 18:30"


def test_what_is_announced_keeps_names_apart_and_tells_a_refused_order_from_a_new_one() -> None:
    assert card(order(name="محمد")).news == "New order: \u2068محمد\u2069, 4, 19:00"
    assert card(order(name=None, guests=None)).news == "New order: \u2068Guest\u2069, 19:00"
    assert card(order(refusal_reason="No.")).news == "Waits again: \u2068Ann\u2069, 4, 19:00"


@pytest.mark.parametrize(
    ("start", "said"),
    [
        ("2026-11-29T22:59", "23:59"),
        ("2026-11-29T23:00", "Tomorrow 00:00"),
        ("2026-12-05T18:00", "Sat 5 December 19:00"),
    ],
)
def test_what_is_announced_names_the_day_of_an_order_that_is_not_for_today(start: str, said: str) -> None:
    shown = order(starts_at=datetime.fromisoformat(start).replace(tzinfo=UTC))

    assert card(shown).news == f"New order: \u2068Ann\u2069, 4, {said}"


@pytest.mark.parametrize(
    ("changes", "kind", "text"),
    [
        ({"status": "confirmed", "decision": "confirm", "delivered": False}, "waiting",
         "Confirmation on its way to the restaurant"),
        ({"status": "declined", "decision": "decline", "delivered": False}, "waiting",
         "Refusal on its way to the restaurant"),
        ({"status": "confirmed", "decision": "confirm", "delivered": True}, "confirmed",
         "Confirmed, accepted by the restaurant"),
        ({"status": "confirmed"}, "confirmed", "Confirmed by the restaurant"),
        ({"status": "declined"}, "declined", "Declined by the restaurant"),
        ({"status": "cancelled"}, "cancelled", "Cancelled"),
        ({"status": "cancelled", "was_confirmed": True}, "cancelled", "Cancelled after it was confirmed"),
        ({"status": "expired"}, "cancelled", "Expired: nobody decided before its time ended"),
        ({"status": "declined", "decision": "decline", "delivered": True}, "declined",
         "Declined, accepted by the restaurant"),
    ],
)  # fmt: skip
def test_the_state_is_what_the_restaurant_has_said(changes: dict[str, Any], kind: str, text: str) -> None:
    state = state_of(order(**changes), HOUSE)

    assert (state.kind, state.text) == (kind, text)


@pytest.mark.parametrize(
    ("status", "decision", "text", "note"),
    [
        ("declined", "confirm", "Declined by the restaurant", "the confirmation of the front desk"),
        ("confirmed", "decline", "Confirmed by the restaurant", "the refusal of the front desk"),
        ("cancelled", "confirm", "Cancelled", "the confirmation of the front desk"),
    ],
)
def test_what_the_restaurant_says_comes_before_an_answer_that_it_has_not_received(
    status: str, decision: str, text: str, note: str
) -> None:
    state = state_of(order(status=status, decision=decision, delivered=False), HOUSE)

    assert (state.text, state.notes) == (text, (("Still on its way to the restaurant:", note),))
    assert state_of(order(status=status, decision=decision, delivered=True), HOUSE).notes == ()


@pytest.mark.parametrize(
    ("typed", "number", "digits"),
    [
        (" Ann ", None, None),
        ("70001", 70001, "70001"),
        ("#12", 12, None),
        ("030 123-456", None, "30123456"),
        ("+49 (30) 123", None, "4930123"),
        ("0049", 49, None),
        ("9" * 19, None, "9" * 19),
        ("²", None, None),
        ("ann2020@example.com", None, None),
    ],
)
def test_a_search_is_read_as_a_number_or_a_phone_where_it_can_be_one(
    typed: str, number: int | None, digits: str | None
) -> None:
    assert search_terms(typed) == (typed.strip(), number, digits)
