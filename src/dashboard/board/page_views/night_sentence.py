"""How a night stands, in two or three sentences."""

from dataclasses import dataclass

from common.web.charts.number_text import count_text, range_text
from dashboard.board.page_views.books import Books
from dashboard.board.page_views.words import counted, long_day, percent_text
from dashboard.bookings.models.nights import NightFigures
from dashboard.bookings.service import night_last_year


@dataclass(frozen=True, slots=True)
class Usual:
    """The middle half of the nights compared, and their median, in whole rooms."""

    low: int
    median: int
    high: int


def night_sentence(books: Books, figures: NightFigures, usual: Usual | None, *, has_events: bool) -> str:
    """Such as "18 of 40 rooms are on the books (45%). Usual for a Saturday 15 days ahead: 21 to 25. Last year then 20."

    has_events: whether the night has any event up to `as_of`.
    """
    first = books.hotel.first_event_date
    if first > min(figures.night, books.as_of):
        what = "this night" if figures.night < first else f"the books of {long_day(books.as_of)}"
        return f"The feed begins on {long_day(first)}: nothing is known of {what}."
    ahead = (figures.night - books.as_of).days
    return " ".join(
        (_on_the_books(books, figures, ahead, has_events), _usual(figures, usual, ahead), _last_year(books, figures))
    ).replace("  ", " ")


def _on_the_books(books: Books, figures: NightFigures, ahead: int, has_events: bool) -> str:
    if not has_events:
        return "Nobody has booked this night yet." if ahead >= 0 else "Nobody booked this night."
    number, rooms = figures.on_the_books, books.hotel.rooms
    verb = slept_or_on_the_books(number if rooms is None else rooms, is_over=ahead < 0)
    if rooms is None:
        return f"{counted(number, 'room')} {verb}."
    return f"{count_text(number)} of {counted(rooms, 'room')} {verb} ({percent_text(number, rooms)})."


def slept_or_on_the_books(number: int, *, is_over: bool) -> str:
    """What so many rooms, or room nights, are."""
    if is_over:
        return "was slept" if number == 1 else "were slept"
    return "is on the books" if number == 1 else "are on the books"


def _usual(figures: NightFigures, usual: Usual | None, ahead: int) -> str:
    if usual is None:
        return ""
    when = f" {counted(ahead, 'day')} ahead" if ahead > 0 else " on the day itself" if ahead == 0 else ""
    return f"Usual for a {figures.night:%A}{when}: {range_text(usual.low, usual.high)}."


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
