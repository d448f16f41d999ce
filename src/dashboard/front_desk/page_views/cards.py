"""Orders as cards of the page: the waiting ones, how long they wait and whether there is a table, and the others."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

from common.web.page_frame import duration_words
from common.web.words import counted, listed
from dashboard.front_desk.house import House
from dashboard.front_desk.models import DeskTable, Order, TakenTable
from dashboard.front_desk.page_views.words import clock, isolated, moment, span, when

LATE = timedelta(minutes=5)
VERY_LATE = timedelta(minutes=15)
SLOW = timedelta(minutes=2)
"""An order that needed longer from the guest to the desk shows when the guest ordered."""
TABLES_NAMED = 3


@dataclass(frozen=True)
class Card:
    """An order as the page shows it.

    waits: `4 min`. urgency: `late`, `very-late` or nothing. conflict: who has the table then; empty without one.
    tables: which tables are free then. rivals: other orders that wait for the table then. ordered: when the guest did,
    if that was long before it arrived. news: what is announced when the card appears.
    """

    order: Order
    when: str
    waits: str
    urgency: str
    has_begun: bool
    conflict: str
    tables: str
    rivals: str
    ordered: str
    news: str


def waiting_cards(
    orders: Sequence[Order], taken: Sequence[TakenTable], tables: Sequence[DeskTable], house: House
) -> list[Card]:
    """The cards of waiting orders. taken: the tables that are confirmed for others then. tables: all that are known."""
    return [_waiting_card(order, orders, [each for each in taken if each.asked_id == order.id], tables, house)
            for order in orders]  # fmt: skip


def _waiting_card(
    order: Order, others: Sequence[Order], taken: Sequence[TakenTable], tables: Sequence[DeskTable], house: House
) -> Card:
    waited = house.now - order.received_at
    own = next((each.overlap for each in taken if each.table_id == order.table_id), None)
    conflict = tables_text = ""
    if own is not None:
        conflict = f"Table {order.table_id} is confirmed {span(own.starts_at, own.ends_at, order.zone)}."
        tables_text = _free_tables(order, {each.table_id for each in taken}, tables)
    elif order.starts_at is not None:
        tables_text = f"Table {order.table_id} is free then."
    return Card(
        order,
        when(order, house),
        waited_words(waited),
        "very-late" if waited > VERY_LATE else "late" if waited > LATE else "",
        order.has_begun(house.now),
        conflict,
        tables_text,
        _rivals(order, others),
        moment(order.ordered_at, house) if order.received_at - order.ordered_at > SLOW else "",
        news_of(order),
    )


def waited_words(waited: timedelta) -> str:
    """Such as `4 min`, rounded down."""
    seconds = max(0.0, waited / timedelta(seconds=1))
    return "less than 1 min" if seconds < 60 else duration_words(seconds)


def news_of(order: Order) -> str:
    """What is announced of an order that begins to wait, or waits again after a decision that did not take effect."""
    facts = [isolated(order.name or "Guest")]
    if order.guests is not None:
        facts.append(str(order.guests))
    if order.starts_at is not None:
        facts.append(clock(order.starts_at, order.zone))
    return f"{'Waits again' if order.refusal_reason else 'New order'}: {', '.join(facts)}"


def _free_tables(order: Order, taken: Collection[int], tables: Sequence[DeskTable]) -> str:
    """The smallest known tables for the guests that nobody has then."""
    needed = order.guests or 1
    free = [each for each in tables if each.seats >= needed and each.table_id not in (order.table_id, *taken)]
    if not free:
        return f"No other known table for {needed} is free then."
    free.sort(key=lambda each: (each.seats, each.table_id))
    named = (f"table {each.table_id} ({counted(each.seats, 'seat')})" for each in free)
    return f"Free then: {listed(named, TABLES_NAMED)}."


def _rivals(order: Order, others: Sequence[Order]) -> str:
    """How many other waiting orders ask for the same table at the same time."""
    if order.starts_at is None or order.ends_at is None:
        return ""
    count = sum(
        other.table_id == order.table_id
        and other.id != order.id
        and other.starts_at is not None
        and other.ends_at is not None
        and other.starts_at < order.ends_at
        and other.ends_at > order.starts_at
        for other in others
    )
    if not count:
        return ""
    return f"{counted(count, 'other order')} {'waits' if count == 1 else 'wait'} for this table then."


@dataclass(frozen=True)
class State:
    """What has become of an order. kind: a class of the style sheet. notes: what else staff have to know."""

    kind: str
    text: str
    notes: tuple[tuple[str, str], ...]
    when: str
    changed: str


def state_of(order: Order, house: House) -> State:
    """The state of an order as the restaurant and the desk know it."""
    notes = []
    if order.refusal_reason:
        notes.append(("The last decision of the front desk did not take effect:", order.refusal_reason))
    if order.decline_reason:
        notes.append(("Reason told to the guest:", order.decline_reason))
    kind, text = _state(order)
    return State(kind, text, tuple(notes), when(order, house), moment(order.changed_at, house))


def _state(order: Order) -> tuple[str, str]:
    if order.delivered is False and order.status in ("confirmed", "declined"):
        return "waiting", f"{'Confirmation' if order.decision == 'confirm' else 'Refusal'} on its way to the restaurant"
    match order.status:
        case "cancelled" if order.was_confirmed:
            return "cancelled", "Cancelled after it was confirmed"
        case "expired":
            return "cancelled", "Expired: nobody decided before its time ended"
        case "waiting":
            return "cancelled", "Nobody has answered, and its time has passed"
        case "confirmed" | "declined" if order.delivered:
            return order.status, f"{order.status.capitalize()}, accepted by the restaurant"
        case "confirmed" | "declined":
            return order.status, f"{order.status.capitalize()} by the restaurant"
    return order.status, order.status.capitalize()
