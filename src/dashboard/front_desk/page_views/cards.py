"""Orders as cards of the page: the waiting ones, how long they wait and whether there is a table, and the others."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from common.web.page_frame import duration_words
from common.web.words import counted, listed
from dashboard.front_desk.house import House
from dashboard.front_desk.models import STATUS_AFTER, Decision, DeskTable, Order, TakenTable
from dashboard.front_desk.page_views.words import clock, day_name, isolated, moment, span, when

LATE = timedelta(minutes=5)
VERY_LATE = timedelta(minutes=15)
SLOW = timedelta(minutes=2)
"""An order that needed longer from the guest to the desk shows when the guest ordered."""
TABLES_NAMED = 3
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ANSWERS: dict[Decision, str] = {"confirm": "confirmation", "decline": "refusal"}


@dataclass(frozen=True)
class Card:
    """An order as the page shows it.

    waits: `4 min`. urgency: `late`, `very-late` or nothing. conflict: when the table is confirmed for another order
    then; empty if it is not. tables: which tables are free then. rivals: how many other orders wait for the table then.
    ordered: when the guest ordered, if that was long before the order arrived. news: what is announced when the card
    appears. began: when the order began to wait, in microseconds.
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
    began: int


def waiting_cards(
    orders: Sequence[Order],
    taken: Sequence[TakenTable],
    rivals: Mapping[int, int],
    tables: Sequence[DeskTable],
    house: House,
) -> list[Card]:
    """The cards of waiting orders.

    taken: the tables that are confirmed for others then. rivals: by id, how many others wait for the table then.
    tables: all that are known.
    """
    return [_waiting_card(order, [each for each in taken if each.asked_id == order.id], rivals.get(order.id, 0),
                          tables, house) for order in orders]  # fmt: skip


def _waiting_card(
    order: Order, taken: Sequence[TakenTable], rivals: int, tables: Sequence[DeskTable], house: House
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
        f"{counted(rivals, 'other order')} {'waits' if rivals == 1 else 'wait'} for this table then." if rivals else "",
        moment(order.ordered_at, house) if order.received_at - order.ordered_at > SLOW else "",
        news_of(order, house),
        microseconds(order.changed_at),
    )


def waited_words(waited: timedelta) -> str:
    """Such as `4 min`, rounded down."""
    seconds = max(0.0, waited / timedelta(seconds=1))
    return "under 1 min" if seconds < 60 else duration_words(seconds)


def microseconds(instant: datetime) -> int:
    """An instant as a number that a browser compares."""
    return (instant - EPOCH) // timedelta(microseconds=1)


def news_of(order: Order, house: House) -> str:
    """What is announced of an order that begins to wait, or waits again after a decision that did not take effect."""
    facts = [isolated(order.name or "Guest")]
    if order.guests is not None:
        facts.append(str(order.guests))
    if order.starts_at is not None:
        start = order.starts_at.astimezone(order.zone)
        today = house.now.astimezone(order.zone).date()
        day = "" if start.date() == today else f"{day_name(start.date(), today)} "
        facts.append(f"{day}{clock(start, order.zone)}")
    return f"{'Waits again' if order.refusal_reason else 'New order'}: {', '.join(facts)}"


def _free_tables(order: Order, taken: Collection[int], tables: Sequence[DeskTable]) -> str:
    """The smallest known tables for the guests that nobody has then."""
    needed = order.guests or 1
    free = [each for each in tables if each.seats >= needed and each.table_id not in (order.table_id, *taken)]
    if not free:
        party = "" if order.guests is None else f" for {counted(order.guests, 'guest')}"
        return f"No other known table{party} is free then."
    free.sort(key=lambda each: (each.seats, each.table_id))
    named = (f"table {each.table_id} ({counted(each.seats, 'seat')})" for each in free)
    return f"Free then: {listed(named, TABLES_NAMED)}."


@dataclass(frozen=True)
class State:
    """What has become of an order. kind: a class of the style sheet. notes: what else staff have to know."""

    kind: str
    text: str
    notes: tuple[tuple[str, str], ...]
    when: str
    changed: str


def state_of(order: Order, house: House) -> State:
    """The state of an order; what the restaurant says of it comes before the answer of the front desk."""
    is_as_decided = order.decision is not None and order.status == STATUS_AFTER[order.decision]
    notes = []
    if order.decision is not None and not order.delivered and not is_as_decided:
        notes.append(("Still on its way to the restaurant:", f"the {ANSWERS[order.decision]} of the front desk"))
    if order.refusal_reason:
        notes.append(("The last decision of the front desk did not take effect:", order.refusal_reason))
    if order.decline_reason:
        told = "for" if is_as_decided and not order.delivered else "told to"
        notes.append((f"Reason {told} the guest:", order.decline_reason))
    kind, text = _state(order, is_as_decided)
    return State(kind, text, tuple(notes), when(order, house), moment(order.changed_at, house))


def _state(order: Order, is_as_decided: bool) -> tuple[str, str]:
    """is_as_decided: whether the status is what the front desk decided."""
    match order.status:
        case "cancelled" if order.was_confirmed:
            return "cancelled", "Cancelled after it was confirmed"
        case "expired":
            return "cancelled", "Expired: nobody decided before its time ended"
        case "waiting":
            return "cancelled", "Nobody has answered, and its time has passed"
        case "confirmed" | "declined" if is_as_decided and order.delivered:
            return order.status, f"{order.status.capitalize()}, accepted by the restaurant"
        case "confirmed" | "declined" if is_as_decided:
            answer = "Confirmation" if order.status == "confirmed" else "Refusal"
            return "waiting", f"{answer} on its way to the restaurant"
        case "confirmed" | "declined":
            return order.status, f"{order.status.capitalize()} by the restaurant"
    return order.status, order.status.capitalize()
