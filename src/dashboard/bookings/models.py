"""Rows and responses of the booking figures."""

from datetime import date, datetime
from typing import Literal, NamedTuple

import msgspec

from dashboard.bookings.decoding import BookingEvent

Counts = tuple[int, int]
"""Bookings and cancellations; a plain tuple, since a response by day makes 365 of them."""

PeriodCounts = tuple[str, Counts]
"""The name of a period, and its counts."""


class CountedDays(NamedTuple):
    """The events to count: those of a hotel's days from `first` to `last`, both included, dated on or before `as_of`.

    by_event_date: whether a day counts the events of that date (UTC), or else those of that night of stay.
    """

    hotel_id: int
    first: date
    last: date
    as_of: date
    by_event_date: bool


class CountsByPeriod(NamedTuple):
    """Counts of the periods that have events, and the time up to which the feed is counted."""

    data_through: datetime | None
    counts: dict[int, Counts]


class CountedYear(NamedTuple):
    """Counts of every period of a year, and the time up to which the feed is counted."""

    data_through: datetime | None
    periods: list[PeriodCounts]


class Figures(msgspec.Struct, frozen=True):
    """Bookings and cancellations; the rate is cancellations / bookings to 4 places, null without bookings."""

    bookings: int
    cancellations: int
    net: int
    cancellation_rate: float | None


class PeriodFigures(msgspec.Struct, frozen=True):
    """The figures of a month, a day or a year."""

    period: str
    bookings: int
    cancellations: int
    net: int
    cancellation_rate: float | None


class Dashboard(msgspec.Struct, frozen=True, omit_defaults=True):
    """The figures of a hotel for a year."""

    hotel_id: int
    period: str
    year: int
    by: str
    items: list[PeriodFigures] | msgspec.Raw
    totals: Figures
    as_of: date | None = None


class HotelSummary(msgspec.Struct, frozen=True):
    """A hotel in the feed: how many events it has, their nights, and the latest event."""

    hotel_id: int
    events: int
    first_night: date
    last_night: date
    last_event_timestamp: datetime


class Hotels(msgspec.Struct, frozen=True):
    """Hotels by id, and the time up to which the feed is counted.

    feed_cut_off: the number of instants of which the feed may have more events than it sent.
    """

    hotels: list[HotelSummary]
    data_through: datetime | None
    lag_seconds: float | None
    feed_cut_off: int


class FeedState(NamedTuple):
    """The time up to which the feed is counted, and at how many instants it may be incomplete."""

    data_through: datetime | None
    cut_off: int


class LedgerTotals(NamedTuple):
    """The number of events counted, and of their hotels."""

    events: int
    hotels: int


class HotelOutlook(NamedTuple):
    """A hotel's next nights: room nights on the books, and their change by the events of today."""

    hotel_id: int
    on_the_books: int
    today: int


class NightPickup(msgspec.Struct, frozen=True):
    """A night: rooms on the books, and their change over the last days."""

    night: date
    on_the_books: int
    pickup: int


class Pickup(msgspec.Struct, frozen=True):
    """Change over the last days in the bookings of the nights ahead."""

    hotel_id: int
    as_of: date
    days: int
    items: list[NightPickup]


class MonthPace(msgspec.Struct, frozen=True):
    """A month: rooms on the books, and those of the year before at the same time."""

    period: str
    on_the_books: int
    last_year: int
    difference: int


class Pace(msgspec.Struct, frozen=True):
    """A year's bookings compared with those of the year before at the same time."""

    hotel_id: int
    year: int
    as_of: date
    match: str
    items: list[MonthPace]


class CurvePoint(msgspec.Struct, frozen=True):
    """Rooms on the books a number of days before the night."""

    days_before: int
    on_the_books: int


class BookingCurve(msgspec.Struct, frozen=True):
    """Rooms on the books for a night, day by day."""

    hotel_id: int
    night: date
    items: list[CurvePoint]


class LeadTimeBucket(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """Bookings made `from` to `to` days ahead; `to` is null in the last bucket."""

    from_: int
    to: int | None
    bookings: int


class LeadTime(msgspec.Struct, frozen=True):
    """Days between booking and night, for the nights of a year."""

    hotel_id: int
    year: int
    items: list[LeadTimeBucket]
    mean: float | None
    median: float | None


class QuarantinedEvent(msgspec.Struct, frozen=True):
    """A value of the feed that was not counted, and the reason; times: how often it was received."""

    reason: str
    raw: str
    first_seen: datetime
    last_seen: datetime
    times: int


class Quarantine(msgspec.Struct, frozen=True):
    """Values of the feed that were not counted, oldest first."""

    items: list[QuarantinedEvent]


class FeedDifference(msgspec.Struct, frozen=True):
    """A counted event that the feed no longer has, or has changed.

    counted: the event as it was counted. found: as the feed has it now; null for an event that is missing. first_found,
    last_found: starts of the first and of the last night audit that found the difference. applied_at: when the ledger
    was corrected, with the reason; null while it is not.
    """

    event_id: int
    kind: Literal["missing", "changed"]
    counted: BookingEvent
    found: BookingEvent | None
    first_found: datetime
    last_found: datetime
    applied_at: datetime | None
    reason: str | None


class Audits(msgspec.Struct, frozen=True):
    """The differences between the feed and the ledger, oldest first; missing, changed: how many are not applied."""

    missing: int
    changed: int
    items: list[FeedDifference]


class DifferenceCounts(NamedTuple):
    """How many differences of each kind have not been applied."""

    missing: int
    changed: int


def figures_of(bookings: int, cancellations: int) -> Figures:
    """The figures of a period with these counts."""
    rate = round(cancellations / bookings, 4) if bookings else None
    return Figures(bookings, cancellations, bookings - cancellations, rate)
