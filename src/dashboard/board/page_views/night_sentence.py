"""How a night stands, in two or three sentences."""

from dataclasses import dataclass
from datetime import date, timedelta

from common.web.charts.number_text import count_text, range_text
from common.web.words import counted
from dashboard.board.page_views.books import Books
from dashboard.board.page_views.words import date_text, percent_text
from dashboard.bookings.curves import last_slept_like
from dashboard.bookings.models.nights import NightFigures
from dashboard.bookings.service import night_last_year

NIGHTS_COMPARED = 8
"""Nights of the usual curve, as `GET /hotels/{id}/booking-curve/usual` takes them by default."""
NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight")


@dataclass(frozen=True, slots=True)
class Usual:
    """The middle half of the nights compared, and their median, in whole rooms."""

    low: int
    median: int
    high: int


def night_sentence(books: Books, figures: NightFigures, usual: Usual | None, *, has_events: bool) -> str:
    """Such as "18 of 40 rooms are on the books (45%), 2 under the same time last year.", what is usual, and last year.

    has_events: whether the night has any event up to `as_of`.
    """
    first = books.hotel.first_event_date
    if first > min(figures.night, books.as_of):
        what = "this night" if figures.night < first else f"the books of {date_text(books.as_of)}"
        return f"The feed begins on {date_text(first)}: nothing is known of {what}."
    if figures.night < books.hotel.first_night:
        return f"The nights in the feed begin on {date_text(books.hotel.first_night)}: nothing is known of this night."
    ahead = (figures.night - books.as_of).days
    return " ".join(
        (_on_the_books(books, figures, ahead, has_events), _usual(books, figures, usual), _last_year(books, figures))
    ).replace("  ", " ")


def _on_the_books(books: Books, figures: NightFigures, ahead: int, has_events: bool) -> str:
    if not has_events:
        return "Nobody has booked this night yet." if ahead >= 0 else "Nobody booked this night."
    number, rooms = figures.on_the_books, books.hotel.rooms
    verb = slept_or_on_the_books(number if rooms is None else rooms, is_over=ahead < 0)
    beside = _beside_last_year(figures, ahead)
    if rooms is None:
        return f"{counted(number, 'room')} {verb}{beside}."
    return f"{count_text(number)} of {counted(rooms, 'room')} {verb} ({percent_text(number, rooms)}){beside}."


def _beside_last_year(figures: NightFigures, ahead: int) -> str:
    """Such as `, 2 under the same time last year`; empty if that is not known."""
    before, when = figures.last_year, "last year"
    if ahead >= 0:
        before, when = figures.same_time_last_year, "the same time last year"
    if before is None:
        return ""
    difference = figures.on_the_books - before
    if difference == 0:
        return f", as many as {'at ' if ahead >= 0 else ''}{when}"
    return f", {count_text(abs(difference))} {'over' if difference > 0 else 'under'} {when}"


def slept_or_on_the_books(number: int, *, is_over: bool) -> str:
    """What so many rooms, or room nights, are."""
    if is_over:
        return "was slept" if number == 1 else "were slept"
    return "is on the books" if number == 1 else "are on the books"


def _usual(books: Books, figures: NightFigures, usual: Usual | None) -> str:
    """Which nights the band is made of, and its ends."""
    ahead = (figures.night - books.as_of).days
    last = last_slept_like(figures.night, books.as_of)
    nights = [last - timedelta(weeks=number) for number in range(NIGHTS_COMPARED)]
    hotel, distance = books.hotel, timedelta(days=max(0, ahead))
    known = [night for night in nights if night >= hotel.first_night and night - distance >= hotel.first_event_date]
    if usual is None or not known:
        return ""
    of = f"the last {NUMBERS[len(known) - 1]} {last:%A}s ({_short(known[-1])} to {_short(last)})"
    if len(known) == 1:
        of = f"the last {last:%A} ({_short(last)})"
    when = f", {counted(ahead, 'day')} ahead" if ahead > 0 else ", on the day itself" if ahead == 0 else ""
    return f"Usual for {of}{when}: {range_text(usual.low, usual.high)}."


def _short(night: date) -> str:
    return f"{night.day} {night:%b}"


def _last_year(books: Books, figures: NightFigures) -> str:
    then, slept = figures.same_time_last_year, figures.last_year
    if night_last_year(figures.night, books.match) is None:
        return "29 February has no same date last year."
    if figures.night < books.as_of and slept is not None:
        return f"Last year {count_text(slept)}."
    parts = [
        "" if then is None else f"then {count_text(then)}",
        "" if slept is None else f"slept {count_text(slept)}",
    ]
    known = ", ".join(filter(None, parts))
    return f"Last year {known}." if known else ""
