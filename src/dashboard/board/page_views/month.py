"""The page of a month: its rows become a sentence, a chart and tables."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from common.limits import EARLIEST_NIGHT, LATEST_NIGHT
from common.web.charts.build_up import BuildUp as BuildUpData
from common.web.charts.build_up import BuildUpDay, build_up
from common.web.charts.marks import Chart, Words
from common.web.charts.number_text import count_text
from common.web.words import counted
from dashboard.board.page_views.books import Books
from dashboard.board.page_views.links import PageLink
from dashboard.board.page_views.night_sentence import slept_or_on_the_books
from dashboard.board.page_views.night_table import NightTable, NightTotals, night_table
from dashboard.board.page_views.words import date_text, percent_text
from dashboard.bookings.curves import BUILD_UP_DAYS
from dashboard.bookings.models.curves import BuildUp
from dashboard.bookings.models.nights import NightFigures
from dashboard.bookings.months import month_after

BUILD_UP_SERIES = ("on the books", "last year")
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True)
class WeekdayAverage:
    """The average night of a weekday. same_time_last_year: None if no night of last year is known."""

    name: str
    on_the_books: float
    same_time_last_year: float | None
    difference: float | None


@dataclass(frozen=True, slots=True)
class MonthView:
    """What the template of a month prints.

    is_known: whether the hotel's events begin early enough to know the month. notes: on the chart, in sentences.
    """

    name: str
    when: str
    sentence: str
    is_known: bool
    build_up: Chart
    notes: tuple[str, ...]
    weekdays: tuple[WeekdayAverage, ...]
    table: NightTable
    steps: tuple[PageLink, ...]


def month_view(books: Books, nights: Sequence[NightFigures], found: BuildUp) -> MonthView:
    """The page of the month of these nights, with its build-up."""
    month, last = nights[0].night, nights[-1].night
    name = f"{month:%B %Y}"
    table = night_table(books, nights, f"Nights of {name}")
    sentence = month_sentence(books, nights, table.totals, found.last_year_slept)
    return MonthView(
        name,
        when_words(books, month, last),
        sentence,
        books.hotel.first_event_date <= min(last, books.as_of) and books.hotel.first_night <= last,
        _chart(books, table.totals, found, Words(f"How {name} filled", sentence, "day", BUILD_UP_SERIES)),
        tuple(_notes(books, month, found)),
        weekday_averages(nights),
        table,
        _steps(books, month),
    )


def month_sentence(books: Books, nights: Sequence[NightFigures], totals: NightTotals, slept: int | None) -> str:
    """Such as "544 of 1,240 room nights are on the books (44%). Last year then 655, slept 877." """
    first, last = books.hotel.first_event_date, nights[-1].night
    if first > min(last, books.as_of):
        what = "this month" if last < first else f"the books of {date_text(books.as_of)}"
        return f"The feed begins on {date_text(first)}: nothing is known of {what}."
    if last < books.hotel.first_night:
        return f"The nights in the feed begin on {date_text(books.hotel.first_night)}: nothing is known of this month."
    number, rooms = totals.on_the_books, books.hotel.rooms
    is_over = last < books.as_of
    past = [night.on_the_books for night in nights if night.night < books.as_of]
    if past and not is_over:
        state = _month_in_progress(past, totals, rooms and rooms * totals.nights)
    elif rooms is None:
        verb = slept_or_on_the_books(number, is_over=is_over)
        state = f"{counted(number, 'room night')} {verb}."
    else:
        whole = rooms * totals.nights
        verb = slept_or_on_the_books(whole, is_over=is_over)
        state = f"{count_text(number)} of {counted(whole, 'room night')} {verb} ({percent_text(number, whole)})."
    then = _last_year_words(totals.same_time_last_year, slept, is_over=is_over)
    return f"{state} Last year {then}." if then else state


def _month_in_progress(past: Sequence[int], totals: NightTotals, whole: int | None) -> str:
    """The slept nights and those ahead. whole: the room nights of the month; None if the rooms are not known."""
    slept, ahead = sum(past), totals.on_the_books - sum(past)
    state = f"{counted(slept, 'room night')} slept in {counted(len(past), 'night')}, {count_text(ahead)} on the books"
    state += f" for {count_text(totals.nights - len(past))} more"
    if whole is None:
        return f"{state}."
    number = totals.on_the_books
    return f"{state}: {count_text(number)} of {count_text(whole)} ({percent_text(number, whole)})."


def when_words(books: Books, month: date, last: date) -> str:
    """Where a month is beside the date of the books."""
    if last < books.as_of:
        return "slept"
    left = (last - books.as_of).days + 1
    if month <= books.as_of:
        return f"{counted(left, 'night')} left"
    ahead = counted((month - books.as_of).days, "day")
    return f"begins in {ahead}" if books.is_today else f"begins {ahead} later"


def weekday_averages(nights: Sequence[NightFigures]) -> tuple[WeekdayAverage, ...]:
    """The averages of the nights of each weekday to one decimal, Monday first."""

    def average(weekday: int, value_of: Callable[[NightFigures], int | None]) -> float | None:
        values = [value_of(night) for night in nights if night.night.weekday() == weekday]
        known = [value for value in values if value is not None]
        return round(sum(known) / len(known), 1) if known else None

    averages = []
    for weekday, name in enumerate(WEEKDAYS):
        on_the_books = average(weekday, lambda night: night.on_the_books) or 0
        before = average(weekday, lambda night: night.same_time_last_year)
        averages.append(WeekdayAverage(name, on_the_books, before, None if before is None else on_the_books - before))
    return tuple(averages)


def _last_year_words(then: int | None, slept: int | None, *, is_over: bool) -> str:
    if is_over and slept is not None:
        return f"{count_text(slept)}"
    parts = ("" if then is None else f"then {count_text(then)}", "" if slept is None else f"slept {count_text(slept)}")
    return ", ".join(filter(None, parts))


def _chart(books: Books, totals: NightTotals, found: BuildUp, words: Words) -> Chart:
    days = [BuildUpDay(item.day, item.this_year, item.last_year) for item in found.items]
    rooms = books.hotel.rooms
    then = _last_year_words(totals.same_time_last_year, found.last_year_slept, is_over=days[-1].day < books.as_of)
    label = f"{count_text(totals.on_the_books)}{f'; last year {then}' if then else ''}"
    return build_up(BuildUpData(days, books.as_of, rooms and rooms * totals.nights, label), words)


def _notes(books: Books, month: date, found: BuildUp) -> list[str]:
    begin = month - timedelta(days=BUILD_UP_DAYS)
    notes = [
        f"Room nights of the month on the books at the end of each day, from {counted(BUILD_UP_DAYS, 'day')} before it."
    ]
    if books.as_of < begin:
        notes.append(f"These books are older than {date_text(begin)}, where the chart begins.")
    if found.items[-1].last_year is None and found.last_year_slept is None:
        notes.append("Last year's month is not known to its end.")
    compared = "364 days before, so that weekdays are the same" if books.match == "weekday" else "of the same dates"
    notes.append(f"Last year: the nights {compared}.")
    return notes


def _steps(books: Books, month: date) -> tuple[PageLink, ...]:
    """Links to the months around."""
    steps = []
    before, after = month_after(month, -1), month_after(month, 1)
    if before >= EARLIEST_NIGHT:
        steps.append(PageLink(f"‹ {before:%B %Y}", f"{before:%B %Y}", books.month_page(before)))
    if after <= LATEST_NIGHT:
        steps.append(PageLink(f"{after:%B %Y} ›", f"{after:%B %Y}", books.month_page(after)))
    return tuple(steps)
