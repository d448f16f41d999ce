"""The table of nights that the pages of a hotel and of a month share; `night_table.html` prints it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from common.web.charts.marks import Drawing
from common.web.charts.small import bar_with_mark
from dashboard.board.page_views.books import Books
from dashboard.board.page_views.words import percent_text, short_night
from dashboard.bookings.models.nights import NightFigures
from dashboard.bookings.service import night_last_year

FRIDAY, SATURDAY = 4, 5

MOST_BARS = 31
"""Rows of a table that has bars: those of a longer one would be half of the page."""

Pickups = tuple[int, int, int, int, int, int]
"""Of the date as_of, of the date before, and of the last 3, 7, 14 and 30 dates."""


@dataclass(frozen=True, slots=True)
class NightRow:
    """A night. bar: rooms on the books, with a mark of the same time last year, in a short table."""

    name: str
    address: str
    figures: NightFigures
    percent: str
    pickups: Pickups
    bar: Drawing | None
    is_weekend: bool


@dataclass(frozen=True, slots=True)
class NightTotals:
    """The sums over some nights; those of last year are None if they are not known of all nights."""

    nights: int
    on_the_books: int
    percent: str
    pickups: Pickups
    same_time_last_year: int | None
    difference: int | None
    last_year: int | None


@dataclass(frozen=True, slots=True)
class NightTable:
    """Nights in order, and their sums. label: what a screen reader calls the table. has_bars: whether rows have them.

    is_today: whether the first column of pickup is that of today.
    """

    label: str
    rows: tuple[NightRow, ...]
    totals: NightTotals
    is_today: bool
    has_bars: bool


def night_table(books: Books, nights: Sequence[NightFigures], label: str) -> NightTable:
    """The table of these nights."""
    rooms = books.hotel.rooms
    has_bars = len(nights) <= MOST_BARS
    widest = rooms or max((max(night.on_the_books, night.same_time_last_year or 0) for night in nights), default=0)
    rows = tuple(
        NightRow(
            short_night(night.night),
            books.night_page(night.night),
            night,
            percent_text(night.on_the_books, rooms),
            pickups_of(night),
            bar_with_mark(max(0, night.on_the_books), night.same_time_last_year, widest) if has_bars else None,
            night.night.weekday() in (FRIDAY, SATURDAY),
        )
        for night in nights
    )
    return NightTable(label, rows, night_totals(books, nights), books.is_today, has_bars)


def night_totals(books: Books, nights: Sequence[NightFigures]) -> NightTotals:
    """The sums over these nights."""
    on_the_books = sum(night.on_the_books for night in nights)
    same_time = sum_last_year(books, nights, lambda night: night.same_time_last_year)
    today, yesterday, pickup_3, pickup_7, pickup_14, pickup_30 = (
        sum(column) for column in zip((0,) * 6, *map(pickups_of, nights), strict=True)
    )
    return NightTotals(
        len(nights),
        on_the_books,
        percent_text(on_the_books, books.hotel.rooms and books.hotel.rooms * len(nights)),
        (today, yesterday, pickup_3, pickup_7, pickup_14, pickup_30),
        same_time,
        None if same_time is None else on_the_books - same_time,
        sum_last_year(books, nights, lambda night: night.last_year),
    )


def sum_last_year(
    books: Books, nights: Sequence[NightFigures], value_of: Callable[[NightFigures], int | None]
) -> int | None:
    """A sum over the counterparts of the nights; None if the value of one is not known, or if no night has one."""
    total, known = 0, False
    for night in nights:
        value = value_of(night)
        if value is not None:
            total, known = total + value, True
        elif night_last_year(night.night, books.match) is not None:
            return None
    return total if known else None


def pickups_of(night: NightFigures) -> Pickups:
    """The columns of pickup of a night."""
    return night.today, night.yesterday, night.pickup_3, night.pickup_7, night.pickup_14, night.pickup_30
