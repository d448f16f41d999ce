"""The calendar of a hotel's nights: months of links, shaded by what the reader chose."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from common.web.charts.number_text import count_text, signed_text
from common.web.words import counted
from dashboard.board.inputs import Shades
from dashboard.board.page_views.books import Books
from dashboard.board.page_views.words import short_night
from dashboard.bookings.models.nights import NightFigures

FULL = 5
"""The shade of a full house; the shades below it are fifths of its rooms."""
FEW, MANY = 3, 6
"""Differences in rooms from which a shade is the second and the third."""
CHANGES = ("−6 or less", "−5 to −3", "−2, −1", "0", "+1, +2", "+3 to +5", "+6 or more")
AHEAD, BEHIND = ("", "s1", "s2", "s4"), ("", "b1", "b2", "b3")


@dataclass(frozen=True, slots=True)
class Cell:
    """A night. change: the difference that is shaded, in words; empty for the shades of a fill."""

    address: str
    label: str
    day: int
    on_the_books: str
    change: str
    style: str


@dataclass(frozen=True, slots=True)
class CalendarMonth:
    """A month. skipped: days of its first week before it. weeks: its nights, the first from Monday on."""

    name: str
    skipped: int
    weeks: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True)
class Shade:
    """An entry of the key."""

    style: str
    text: str


@dataclass(frozen=True, slots=True)
class Calendar:
    """Months in order, and what their shades mean."""

    months: tuple[CalendarMonth, ...]
    key: tuple[Shade, ...]
    meaning: str


def calendar(books: Books, nights: Sequence[NightFigures], show: Shades) -> Calendar:
    """The calendar of whole months."""
    rooms = books.hotel.rooms
    fullest = rooms or max((night.on_the_books for night in nights), default=0)
    if show == "fill":
        fifths = (f"{20 * step}%" for step in range(1, FULL))
        key = zip(("", *(f"s{step}" for step in range(1, FULL + 1))), ("0%", *fifths, "full"), strict=True)
        of_what = counted(fullest, "room")
        meaning = f"of {of_what} on the books" if rooms else f"of the fullest night, {of_what}"
    else:
        key = zip((*BEHIND[:0:-1], "", *AHEAD[1:]), CHANGES, strict=True)
        meaning = "rooms beside STLY" if show == "ahead" else "rooms picked up in 7 days"
    cell_of = _cells(books, fullest, show)
    return Calendar(
        tuple(
            _month(month, [cell_of(night) for night in of_month])
            for month, of_month in groupby(nights, lambda night: night.night.replace(day=1))
        ),
        tuple(Shade(style, text) for style, text in key),
        meaning,
    )


def _month(first: date, cells: Sequence[Cell]) -> CalendarMonth:
    skipped = first.weekday()
    starts = range(-skipped, len(cells), 7)
    return CalendarMonth(f"{first:%B %Y}", skipped, tuple(tuple(cells[max(0, start) : start + 7]) for start in starts))


def _cells(books: Books, fullest: int, show: Shades) -> Callable[[NightFigures], Cell]:
    as_of = books.as_of

    def cell(night: NightFigures) -> Cell:
        count = count_text(night.on_the_books)
        label = f"{short_night(night.night)}: {count}"
        change = ""
        if show == "fill":
            style = fill_shade(night.on_the_books, fullest)
        else:
            value = night.difference if show == "ahead" else night.pickup_7
            style = change_shade(value)
            change = signed_text(value)
            label += f", {change}"
        if night.night < as_of:
            style = "past"
        elif night.night == as_of:
            style = f"{style} today".lstrip()
        return Cell(books.night_page(night.night), label, night.night.day, count, change, style)

    return cell


def fill_shade(on_the_books: int, fullest: int) -> str:
    """One of six steps: full, or how many fifths; a night without rooms on the books has none."""
    if on_the_books <= 0:
        return ""
    step = FULL if on_the_books >= fullest else FULL * on_the_books // fullest
    return f"s{step}" if step else ""


def change_shade(change: int | None) -> str:
    """One of three steps of blue or of orange; none for 0 and for what is not known."""
    size = abs(change or 0)
    step = 0 if not size else 1 if size < FEW else 2 if size < MANY else 3
    return AHEAD[step] if (change or 0) > 0 else BEHIND[step]
