"""Rows and responses of `GET /summary`."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple

import msgspec

from dashboard.bookings.inputs import PaceMatch, SummarySort


class AskedSummary(NamedTuple):
    """The hotels found by `search`, by the events dated on or before `as_of`; None: the date at each hotel `now`."""

    as_of: date | None
    match: PaceMatch
    now: datetime
    search: str


class SummaryPosition(NamedTuple):
    """Where a hotel is in the order of a summary; hotels without a value are last."""

    is_unknown: bool
    value: int | str
    hotel_id: int


class SummaryPage(NamedTuple):
    """A page of up to `limit` hotels in the order of `sort`, which starts after the position `after`."""

    sort: SummarySort
    limit: int
    after: SummaryPosition | None


class NightsAhead(msgspec.Struct, frozen=True):
    """Room nights on the books for some nights from as_of on, beside those of the same time last year.

    With match=date 29 February has no counterpart and compares with 0, unless it is the only night.
    """

    on_the_books: int
    """Room nights booked and not cancelled."""
    same_time_last_year: int | None
    """Those of the year before at the same time; null if they are not known."""
    difference: int | None
    """on_the_books less same_time_last_year."""


class DayChange(msgspec.Struct, frozen=True):
    """Bookings and cancellations of one date, for all nights."""

    bookings: int
    """Room nights booked."""
    cancellations: int
    """Room nights cancelled."""
    net: int
    """Bookings less cancellations."""


class HotelFigures(msgspec.Struct, frozen=True):
    """A hotel on one morning: the nights ahead beside the same time last year, and what the last two dates changed."""

    hotel_id: int
    """Id of the hotel."""
    name: str | None
    """Its name; null without one."""
    rooms: int | None
    """Its number of rooms; null if it is not known."""
    as_of: date
    """The date at the hotel up to which its events are counted."""
    last_night: int
    """Rooms booked and not cancelled for the night before as_of."""
    tonight: NightsAhead
    """The night of as_of."""
    next_7: NightsAhead
    """7 nights from as_of on."""
    next_30: NightsAhead
    """30 nights from as_of on."""
    next_90: NightsAhead
    """90 nights from as_of on."""
    yesterday: DayChange
    """The date before as_of."""
    today: DayChange
    """The date as_of."""
    next_30_nights: list[int]
    """Rooms on the books for each of 30 nights from as_of on."""
    next_30_nights_last_year: list[int | None]
    """Those of the year before at the same time; null for each night of which they are not known."""


class TotalFigures(msgspec.Struct, frozen=True):
    """The sums over all hotels found; null where the value of one of them is not known."""

    hotels: int
    """Number of hotels."""
    rooms: int | None
    """Number of their rooms; null unless those of every hotel are known."""
    last_night: int
    """Rooms booked and not cancelled for the night before as_of."""
    tonight: NightsAhead
    """The night of as_of."""
    next_7: NightsAhead
    """7 nights from as_of on."""
    next_30: NightsAhead
    """30 nights from as_of on."""
    next_90: NightsAhead
    """90 nights from as_of on."""
    yesterday: DayChange
    """The date before as_of."""
    today: DayChange
    """The date as_of."""
    next_30_nights: list[int]
    """Rooms on the books for each of 30 nights from as_of on."""
    next_30_nights_last_year: list[int | None]
    """Those of the year before at the same time; null for each night of which they are not known."""


class Summary(msgspec.Struct, frozen=True):
    """The hotels on one morning, a page of them, and the total of all of them."""

    as_of: date | None
    """The date that was asked for; null: the date of today at each hotel."""
    match: str
    """Whether the same weekday (364 days before) or the same calendar date of the year before is compared."""
    items: list[HotelFigures]
    """The hotels of the page."""
    total: TotalFigures
    """The sums over all hotels found, not only those of the page."""


class FoundSummary(NamedTuple):
    """The hotels of a page, the position after which the next page starts if there is one, and the total."""

    items: Sequence[HotelFigures]
    next_after: SummaryPosition | None
    total: TotalFigures


def nights_ahead(on_the_books: int, last_year: int | None) -> NightsAhead:
    """The nights with these sums; last_year: None if it is not known."""
    return NightsAhead(on_the_books, last_year, None if last_year is None else on_the_books - last_year)


def day_change(bookings: int, cancellations: int) -> DayChange:
    """The change of a date with these counts."""
    return DayChange(bookings, cancellations, bookings - cancellations)
