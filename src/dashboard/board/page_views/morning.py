"""The words of the morning page."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from common.jobs.lease import JobState
from common.web.charts.number_text import count_text, signed_text
from common.web.words import counted
from dashboard.board.page_views.question import Question
from dashboard.board.page_views.words import date_text, hotel_name, outlook, short_night, was_or_were
from dashboard.bookings.job_names import NIGHT_AUDIT
from dashboard.bookings.models.morning import LastEvent
from dashboard.bookings.models.summary import TotalFigures
from dashboard.catalog.models import PriceMove
from dashboard.catalog.page_views.words import price_text

MOVES_SHOWN = 3
DIFFERENCES = ("changed_upstream", "missing_upstream")


def headline(total: TotalFigures, question: Question, first_event_date: date) -> str:
    """The first sentences of the page: last night, yesterday, and the next 30 nights.

    first_event_date: the earliest one of a hotel. Nothing is known of the books before it, nor of a night before it.
    """
    of_all = "" if total.rooms is None else f"{count_text(total.last_night)} of "
    rooms = counted(total.last_night if total.rooms is None else total.rooms, "room")
    begins = f"The feed begins on {date_text(first_event_date)}: nothing is known of"
    if first_event_date > question.as_of:
        return f"{begins} the books of {date_text(question.as_of)}."
    ahead = outlook(total.next_30.on_the_books, total.next_30.difference, is_past=question.is_past)
    if first_event_date == question.as_of:
        return f"{begins} the night before; {ahead}."
    slept = f"{of_all}{rooms} {was_or_were(total.last_night)} slept"
    booked = counted(total.yesterday.bookings, "room night")
    cancelled = f"{count_text(total.yesterday.cancellations)} cancelled"
    if question.is_past:
        day_before = question.as_of - timedelta(days=1)
        return f"On {day_before.day} {day_before:%B} {slept}, {booked} booked and {cancelled}; {ahead}."
    were = was_or_were(total.yesterday.bookings)
    return f"Last night {slept}. Yesterday {booked} {were} booked and {cancelled}; {ahead}."


def checked_words(hotels: int, stores: int | None, products: int | None) -> str:
    """What was looked at where nothing is unusual; None for what was not."""
    counts = ((hotels, "hotel"), (stores, "store"), (products, "product"))
    words = [counted(count, noun) for count, noun in counts if count is not None]
    return f"Nothing unusual. Checked {', '.join(words)}."


@dataclass(frozen=True)
class Move:
    """A product whose price moved within a day."""

    product_id: UUID
    name: str
    price: str
    change: str
    is_cheaper: bool


def largest_moves(moves: Iterable[PriceMove]) -> list[Move]:
    """The prices that moved most within a day, by per cent."""
    moved = [
        (100 * (each.price - each.price_before) / each.price_before, each)
        for each in moves
        if each.price_before and each.price != each.price_before
    ]
    moved.sort(key=lambda each: -abs(each[0]))
    return [
        Move(each.product_id, each.name, price_text(each.price), f"{signed_text(round(percent, 1))}%", percent < 0)
        for percent, each in moved[:MOVES_SHOWN]
    ]


@dataclass(frozen=True)
class JobsShown:
    """The jobs whose last run failed, and when the last night audit ended and how many differences it found.

    has_failed_audit: whether the last night audit of a feed failed, so that its differences are not known.
    """

    failing: Sequence[str]
    audited_at: datetime | None
    differences: int
    has_failed_audit: bool


def jobs_shown(states: Iterable[JobState]) -> JobsShown:
    """What the page says of the jobs. Of the audits of several feeds, the one that ended first counts.

    An audit that failed has found nothing, and has no time: what it did is not known.
    """
    states = list(states)
    audits = [state for state in states if state.name.partition(":")[0] == NIGHT_AUDIT]
    ended = [state.last_finished for state in audits if state.last_finished is not None and state.last_outcome == "ok"]
    found = (state.last_result.get(kind, 0) for state in audits for kind in DIFFERENCES)
    return JobsShown(
        [state.name for state in states if state.interval_seconds > 0 and state.last_outcome == "failed"],
        min(ended) if audits and len(ended) == len(audits) else None,
        int(sum(found)),
        any(state.last_outcome == "failed" for state in audits),
    )


def last_event_words(event: LastEvent) -> str:
    """Such as `Harbour House, Sat 12 Dec, +1`."""
    nights = event.bookings + event.cancellations
    first = short_night(event.first_night)
    if event.first_night.year != event.at.year:
        first += f" {event.first_night.year}"
    when = first if nights == 1 else f"{count_text(nights)} nights from {first}"
    changes = [signed_text(each) for each in (event.bookings, -event.cancellations) if each]
    return f"{hotel_name(event.hotel_id, event.name)}, {when}, {' '.join(changes)}"
