"""Rows and responses of the booking figures."""

from collections.abc import Sequence
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

    Dates of events are those at the hotel. as_of: None for the date at the hotel `now`. by_event_date: whether a day
    counts the events of that date, or else those of that night of stay. feeds: those that are configured; None: do not
    read up to when they are counted.
    """

    hotel_id: int
    first: date
    last: date
    as_of: date | None
    by_event_date: bool
    now: datetime
    feeds: Sequence[str] | None


class CountsByPeriod(NamedTuple):
    """Counts of the periods that have events, the date at the hotel, and the time up to which the feeds are counted."""

    today: date
    data_through: datetime | None
    counts: dict[int, Counts]


class CountedYear(NamedTuple):
    """Counts of every period of a year, and the time up to which the feeds are counted."""

    data_through: datetime | None
    periods: list[PeriodCounts]


class Figures(msgspec.Struct, frozen=True):
    """Bookings and cancellations; the rate is cancellations / bookings to 4 places, null without bookings."""

    bookings: int
    """Room nights booked."""
    cancellations: int
    """Room nights cancelled."""
    net: int
    """Bookings less cancellations."""
    cancellation_rate: float | None
    """Cancellations / bookings to 4 places; null without bookings."""


class PeriodFigures(msgspec.Struct, frozen=True):
    """The figures of a month, a day or a year."""

    period: str
    """The month (2026-01), day (2026-01-31) or year (2026)."""
    bookings: int
    """Room nights booked."""
    cancellations: int
    """Room nights cancelled."""
    net: int
    """Bookings less cancellations."""
    cancellation_rate: float | None
    """Cancellations / bookings to 4 places; null without bookings."""


class Dashboard(msgspec.Struct, frozen=True, omit_defaults=True):
    """The figures of a hotel for a year."""

    hotel_id: int
    """Id of the hotel."""
    period: str
    """The period of an item: month, day or year."""
    year: int
    """The year."""
    by: str
    """Whether an event counts on its night of stay or on the date of the event."""
    items: list[PeriodFigures] | msgspec.Raw
    """The figures of each period of the year, in order."""
    totals: Figures
    """The figures of the whole year."""
    as_of: date | None = None
    """Only events up to this date at the hotel are counted; absent when not asked for."""


class HotelSummary(msgspec.Struct, frozen=True):
    """A hotel in the feeds: what its profile says, how many events it has, their nights, and the latest event."""

    hotel_id: int
    """Id of the hotel."""
    name: str | None
    """Its name; null without one."""
    rooms: int | None
    """Its number of rooms; null if it is not known."""
    timezone: str
    """The time zone by which the dates of its events are counted."""
    events: int
    """Number of events."""
    first_night: date
    """The earliest night with an event."""
    last_night: date
    """The latest night with an event."""
    last_event_timestamp: datetime
    """The time of the latest event."""
    hidden: bool
    """Whether it is left out of lists and sums."""


class FeedLag(msgspec.Struct, frozen=True):
    """How far one feed is counted."""

    feed: str
    """Name of the feed."""
    data_through: datetime | None
    """The time up to which the feed is counted; null before the first read."""
    lag_seconds: float | None
    """How long ago that was."""
    feed_cut_off: int
    """Number of instants of which the feed may have more events than it sent."""


class Hotels(msgspec.Struct, frozen=True):
    """Hotels by id, and the time up to which the feeds are counted.

    feed_cut_off: the number of instants of which a feed may have more events than it sent.
    """

    hotels: list[HotelSummary]
    """The hotels, by id."""
    data_through: datetime | None
    """The time up to which all feeds are counted; null before the first read of each."""
    lag_seconds: float | None
    """How long ago that was."""
    feed_cut_off: int
    """Number of instants of which a feed may have more events than it sent."""
    feeds: list[FeedLag]
    """The same for each feed."""


class HotelProfile(msgspec.Struct, frozen=True):
    """What people say about a hotel."""

    hotel_id: int
    """Id of the hotel."""
    name: str | None
    """Its name; null without one."""
    rooms: int | None
    """Its number of rooms; null if it is not known."""
    timezone: str | None
    """Its time zone; null: DASHBOARD_HOTEL_TIMEZONE."""
    hidden: bool
    """Whether it is left out of lists and sums."""


class FeedState(NamedTuple):
    """The time up to which a feed is counted, and at how many instants it may be incomplete."""

    feed: str
    data_through: datetime | None
    cut_off: int


class NightPickup(msgspec.Struct, frozen=True):
    """A night: rooms on the books, and their change over the last days."""

    night: date
    """The night."""
    on_the_books: int
    """Rooms booked and not cancelled."""
    pickup: int
    """Change of that over the last days."""


class Pickup(msgspec.Struct, frozen=True):
    """Change over the last days in the bookings of the nights ahead."""

    hotel_id: int
    """Id of the hotel."""
    as_of: date
    """The date at the hotel up to which events are counted."""
    days: int
    """Number of event dates that `pickup` covers."""
    items: list[NightPickup]
    """Each night, in order."""


class MonthPace(msgspec.Struct, frozen=True):
    """A month: rooms on the books, and those of the year before at the same time."""

    period: str
    """The month, such as 2026-01."""
    on_the_books: int
    """Room nights booked and not cancelled."""
    last_year: int
    """Those of the year before at the same time."""
    difference: int
    """on_the_books less last_year."""


class Pace(msgspec.Struct, frozen=True):
    """A year's bookings compared with those of the year before at the same time."""

    hotel_id: int
    """Id of the hotel."""
    year: int
    """The year of the nights."""
    as_of: date
    """The date at the hotel up to which events are counted."""
    match: str
    """Whether the same calendar date or the same weekday of the year before is compared."""
    items: list[MonthPace]
    """Each month, in order."""


class CurvePoint(msgspec.Struct, frozen=True):
    """Rooms on the books a number of days before the night."""

    days_before: int
    """Days before the night."""
    on_the_books: int
    """Rooms booked and not cancelled at the end of that day at the hotel."""


class BookingCurve(msgspec.Struct, frozen=True):
    """Rooms on the books for a night, day by day."""

    hotel_id: int
    """Id of the hotel."""
    night: date
    """The night."""
    items: list[CurvePoint]
    """Each day, earliest first."""


class LeadTimeBucket(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """Bookings made `from` to `to` days ahead; `to` is null in the last bucket."""

    from_: int
    """The fewest days ahead."""
    to: int | None
    """The most days ahead; null: no limit."""
    bookings: int
    """Number of bookings."""


class LeadTime(msgspec.Struct, frozen=True):
    """Days between booking and night, for the nights of a year."""

    hotel_id: int
    """Id of the hotel."""
    year: int
    """The year of the nights."""
    items: list[LeadTimeBucket]
    """Bookings by days ahead, in order."""
    mean: float | None
    """Mean number of days ahead; null without bookings."""
    median: float | None
    """Median number of days ahead; null without bookings."""


class QuarantinedEvent(msgspec.Struct, frozen=True):
    """A value of a feed that was not counted, and the reason; times: how often it was received."""

    feed: str
    """Name of the feed."""
    reason: str
    """Why it was not counted."""
    raw: str
    """The value, as the feed sent it."""
    first_seen: datetime
    """When it was first received."""
    last_seen: datetime
    """When it was last received."""
    times: int
    """How often it was received."""


class Quarantine(msgspec.Struct, frozen=True):
    """Values of the feeds that were not counted, oldest first."""

    items: list[QuarantinedEvent]
    """The values, oldest first."""


class FeedDifference(msgspec.Struct, frozen=True):
    """A counted event that its feed no longer has, or has changed.

    counted: the event as it was counted. found: as the feed has it now; null for an event that is missing. first_found,
    last_found: starts of the first and of the last night audit that found the difference. applied_at: when the ledger
    was corrected, with the reason; null while it is not.
    """

    feed: str
    """Name of the feed."""
    event_id: int
    """Id of the event in that feed."""
    kind: Literal["missing", "changed"]
    """Whether the feed no longer has the event, or has it with other content."""
    counted: BookingEvent
    """The event as it was counted."""
    found: BookingEvent | None
    """The event as the feed has it now; null for one that is missing."""
    first_found: datetime
    """Start of the first night audit that found the difference."""
    last_found: datetime
    """Start of the last one that found it."""
    applied_at: datetime | None
    """When the ledger was corrected; null while it is not."""
    reason: str | None
    """Why it was corrected."""


class Audits(msgspec.Struct, frozen=True):
    """The differences between the feeds and the ledger, oldest first; missing, changed: how many are not applied."""

    missing: int
    """Number of missing events that are not applied."""
    changed: int
    """Number of changed events that are not applied."""
    items: list[FeedDifference]
    """The differences, oldest first."""


class DifferenceCounts(NamedTuple):
    """How many differences of each kind have not been applied."""

    missing: int
    changed: int

    @property
    def in_words(self) -> str:
        """What a feed has done, such as `no longer has 2 counted events, and has changed 1`; for at least one."""
        if not self.missing:
            return f"has changed {_counted_events(self.changed)}"
        gone = f"no longer has {_counted_events(self.missing)}"
        return f"{gone}, and has changed {self.changed:,}" if self.changed else gone


def _counted_events(number: int) -> str:
    return f"{number:,} counted {'event' if number == 1 else 'events'}"


def figures_of(bookings: int, cancellations: int) -> Figures:
    """The figures of a period with these counts."""
    rate = round(cancellations / bookings, 4) if bookings else None
    return Figures(bookings, cancellations, bookings - cancellations, rate)
