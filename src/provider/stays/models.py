"""Properties, reservations and calendars, as stored and as sent in responses."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from common.web.errors import Problem

MAX_DAYS_AHEAD = 730

MOST_EAST, MOST_WEST = timedelta(hours=14), timedelta(hours=12)
"""How far clocks are ahead of UTC, and behind it, at most."""


class BookingWindow(msgspec.Struct, frozen=True):
    """The days on which a reservation may start, first and last included; without a first day, any past day too."""

    first: date | None
    last: date

    @classmethod
    def on(cls, today: date, *, past: bool) -> "BookingWindow":
        """The window as of a day. past: reservations may start before it."""
        return cls(None if past else today, today + timedelta(days=MAX_DAYS_AHEAD))

    def require(self, start: date) -> date:
        """Return the day. Raises ValueError when it is outside the window."""
        if self.first is not None and start < self.first:
            raise ValueError("is in the past")
        if start > self.last:
            raise ValueError(f"is more than {MAX_DAYS_AHEAD} days ahead")
        return start

    def __contains__(self, day: date) -> bool:
        return (self.first is None or self.first <= day) and day <= self.last


class Clock(msgspec.Struct, frozen=True):
    """The time of a request, and what day it is then at a property.

    timezone: of the properties without one of their own. past: stays may start before today.
    """

    now: datetime
    timezone: str
    past: bool

    def today(self, zone: str | None) -> date:
        """The date in a time zone; None: that of the properties without one of their own."""
        return self.now.astimezone(ZoneInfo(zone or self.timezone)).date()

    def window(self, zone: str | None) -> BookingWindow:
        """The days on which a stay may start at a property with this time zone."""
        return BookingWindow.on(self.today(zone), past=self.past)

    @property
    def everywhere(self) -> BookingWindow:
        """The days on which a stay may start whatever the time zone of the property."""
        first, last = (self.now + MOST_EAST).date(), (self.now - MOST_WEST).date()
        return BookingWindow(None if self.past else first, last + timedelta(days=MAX_DAYS_AHEAD))

    @property
    def somewhere(self) -> BookingWindow:
        """The days on which a stay may start in some time zone."""
        first, last = (self.now - MOST_WEST).date(), (self.now + MOST_EAST).date()
        return BookingWindow(None if self.past else first, last + timedelta(days=MAX_DAYS_AHEAD))

    def refused_zones(self, start: date, zones: Iterable[str]) -> tuple[str, ...]:
        """Those of the time zones in which a stay cannot start on a day; an empty name stands for `timezone`."""
        return tuple(zone for zone in zones if start not in self.window(zone or None))


class AvailableProperty(msgspec.Struct, frozen=True):
    """A property that is free for all nights of the search."""

    property_id: str
    """Id of the property."""
    description: str
    """The property in words, for guests."""


class Alternative(msgspec.Struct, frozen=True):
    """Another start date, and in how many properties a stay of as many nights can begin on it."""

    start_date: date
    """The first night."""
    free_properties: int
    """How many properties are free; 100 stands for 100 or more, unless the search was of one hotel."""


class NoAvailability(Problem, frozen=True):
    """No property is free. `alternatives`: start dates, nearest first, on which one is free for as many nights."""

    alternatives: tuple[Alternative, ...] = ()
    """Start dates on which a property is free for as many nights and guests, nearest first."""


class Property(msgspec.Struct, frozen=True):
    """A property that can be reserved by the night."""

    property_id: str
    """Id of the property."""
    description: str
    """The property in words, for guests."""
    turnover_days: int
    """Nights kept free after each stay."""
    on_sale: bool
    """Whether it can be found and reserved; stays that were sold before stay."""
    timezone: str | None
    """Its time zone, whose date is today; null: PROVIDER_TIMEZONE."""
    min_nights: int
    """The fewest nights of a stay."""
    max_guests: int | None
    """The most guests of a stay; null: any number."""
    hotel_id: int | None
    """The hotel whose room this is; null for a property of its own."""
    room_id: int | str | None
    """The room of that hotel: a number or a UUID."""


class Reservation(msgspec.Struct, frozen=True):
    """Nights of a property, reserved by a guest."""

    reservation_id: UUID
    """Id of the reservation."""
    property_id: str
    """Id of the property."""
    start_date: date
    """The first night."""
    nights: int
    """Number of nights, those that were given up by cancelling included."""
    created_at: datetime
    """When it was made."""
    guests: int | None
    """Number of guests; null if the request did not say."""
    status: Literal["reserved", "cancelled"]
    """Whether it was cancelled."""
    nights_kept: int | None
    """Of a cancelled one, the nights that were over before, and stay sold; null while it is not cancelled."""


class DayStay(msgspec.Struct, frozen=True):
    """A stay that begins or ends on a day, for the people of the house."""

    property_id: str
    """Id of the property."""
    description: str
    """The property in words."""
    hotel_id: int | None
    """The hotel whose room this is."""
    room_id: int | str | None
    """The room of that hotel: a number or a UUID."""
    reservation_id: UUID
    """Id of the reservation."""
    arrival: date
    """The first night."""
    departure: date
    """The day after the last night."""
    nights: int
    """Number of nights."""
    guests: int | None
    """Number of guests; null if nobody said."""
    status: Literal["reserved", "cancelled"]
    """Whether it was cancelled after it had begun: its nights are those that were over by then."""
    reserved_at: datetime
    """When it was made, or imported."""


class Block(msgspec.Struct, frozen=True):
    """Nights of a property that its holder does not sell."""

    block_id: UUID
    """Id of the block."""
    property_id: str
    """Id of the property."""
    start_date: date
    """The first night."""
    nights: int
    """Number of nights."""
    note: str | None
    """Why, for the holder of the property."""


class CalendarNight(msgspec.Struct, frozen=True):
    """A night, and whether it is taken, kept free after or before a stay (turnover), or free."""

    night: date
    """The date on which a guest would go to sleep."""
    status: Literal["free", "taken", "turnover"]
    """Whether the night is free, taken, or kept free after a stay (turnover)."""


class Calendar(msgspec.Struct, frozen=True, rename={"first": "from", "until": "to"}):
    """The nights of a property; `to` is not included."""

    property_id: str
    """Id of the property."""
    first: date
    """The first night."""
    until: date
    """The day after the last night."""
    nights: list[CalendarNight]
    """Every night of the calendar, in order."""


class InsertOutcome(msgspec.Struct, frozen=True):
    """The result of an insert. reservation_id: None when the nights are taken or not for sale to so many guests, or for
    a hotel's room without `rooms`.

    occurred_at: by PostgreSQL's clock while the property was locked, so that the times of a property's events increase
    across replicas.
    """

    reservation_id: UUID | None
    created_at: datetime | None
    hotel_id: int | None
    room_id: str | None
    occurred_at: datetime
    is_on_sale: bool
    min_nights: int
    max_guests: int | None


class LinkedStay(msgspec.Struct, frozen=True):
    """A stay that just got a hotel's room: its nights, the room and the time."""

    arrival: date
    departure: date
    hotel_id: int
    room_id: str
    occurred_at: datetime


class ImportedStay(msgspec.Struct, frozen=True):
    """A row of a file that was stored: its line, id and nights, the hotel's room, if any, and the time."""

    line: int
    reservation_id: UUID
    arrival: date
    departure: date
    hotel_id: int | None
    room_id: str | None
    occurred_at: datetime


class Refusal(msgspec.Struct, frozen=True):
    """Why a row of a file was not stored.

    booked_night: the first of its nights that the feed has as booked. arrival, departure: the stay in its way, None if
    none is; is_online: a guest made it; is_same: it has the nights of the row; is_overlapping: it has some of them;
    turnover_days: how long the property stays free after it; reservation_id: its id. blocked_night: the first of the
    row's nights that its property does not sell.
    """

    line: int
    is_property_known: bool
    booked_night: date | None
    arrival: date | None
    departure: date | None
    is_online: bool
    is_same: bool | None
    is_overlapping: bool | None
    turnover_days: int | None
    reservation_id: UUID | None
    blocked_night: date | None


class NightConflict(msgspec.Struct, frozen=True):
    """A night that a reservation holds, although others have it too: the feed, or the calendar of another site."""

    kind: Literal["feed", "calendar"]
    """Who has the night too: an event of the feed (feed), or an event in a calendar of another site (calendar)."""
    property_id: str
    """Id of the property."""
    reservation_id: UUID
    """The reservation that holds the night."""
    night: date
    """The night that both claim."""
    hotel_id: int | None
    """Id of the hotel; null for a calendar."""
    room_id: int | str | None
    """The room: a number or a UUID; null for a calendar."""
    event_id: int | None
    """Id of the event in the feed; null for a calendar."""
    source: str | None
    """Name of the calendar source; null for the feed."""
    uid: str | None
    """UID of the event in that calendar; null for the feed."""


class LiveStay(msgspec.Struct, frozen=True):
    """A reservation that is not cancelled: its nights, the hotel's room that it books, if any, and when it was made.

    timezone and min_nights are those of the property.
    """

    arrival: date
    departure: date
    hotel_id: int | None
    room_id: str | None
    created_at: datetime
    guests: int | None
    timezone: str | None
    min_nights: int


class CancelledStay(msgspec.Struct, frozen=True):
    """A reservation that was just cancelled: the nights given up, the hotel's room that was booked, and the time."""

    arrival: date
    departure: date
    hotel_id: int | None
    room_id: str | None
    occurred_at: datetime


class ShownNights(msgspec.Struct, frozen=True):
    """Nights in the calendar of a property, from the first to the day after the last.

    origin: the stay, the block or the calendar source; None for nights of the feed. uid: of the event of another site.
    """

    kind: Literal["stay", "turnover", "block", "feed", "held"]
    origin: UUID | None
    first_night: date
    end_date: date
    uid: str | None


class ShownCalendar(msgspec.Struct, frozen=True):
    """What the calendar of a property shows to other sites; calendar_tag: the part of its UIDs that is its own."""

    description: str
    calendar_tag: UUID
    nights: list[ShownNights]


class CalendarLink(msgspec.Struct, frozen=True):
    """An address at which the calendar of a property can be read. The address itself was shown when it was made."""

    link_id: UUID
    """Id of the link."""
    property_id: str
    """Id of the property."""
    name: str | None
    """What the holder calls it, for example the site that reads it."""
    without_source: str | None
    """The calendar source whose nights the calendar at this address leaves out."""
    created_at: datetime
    """When it was made."""
    last_read: datetime | None
    """When the calendar was last read at this address, to the minute; null if it never was."""


class NewCalendarLink(CalendarLink, frozen=True):
    """A new address at which the calendar of a property can be read, which is shown this once."""

    url: str
    """The address. All who know it can read the calendar, so keep it like a password."""


class ReadLink(msgspec.Struct, frozen=True):
    """The link by which a calendar is read."""

    property_id: str
    link_id: UUID
    without_source: str | None


class CalendarSource(msgspec.Struct, frozen=True):
    """A calendar of another site that holds nights of a property."""

    property_id: str
    """Id of the property."""
    name: str
    """Name of the source, for example of the site."""
    url: str
    """Address of the calendar."""
    nights_held: int
    """Nights that its events take off sale."""
    nights_in_conflict: int
    """Nights of its events that a reservation of the property holds; see `/conflicts`."""
    last_read: datetime | None
    """When it was last asked; null before the first time."""
    last_success: datetime | None
    """When it was last read, or had not changed; null if it never was."""
    last_error: str | None
    """Why it was not read, or which of its events were not; null if the last reading had no error."""


class DueSource(msgspec.Struct, frozen=True):
    """A calendar source that is to be read; source_id: another one for each address that it has had."""

    property_id: str
    name: str
    source_id: UUID
    url: str
    etag: str | None
    last_modified: str | None
    content_digest: bytes | None
    content_since: date | None
