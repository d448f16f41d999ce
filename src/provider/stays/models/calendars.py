"""The calendars that sites exchange: what other sites read, and what is read from them."""

from datetime import date, datetime
from typing import Literal, NamedTuple
from uuid import UUID

import msgspec


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
    """A name for the link, such as that of the site that reads it."""
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
    nights_off_sale: int
    """Nights that its events take off sale."""
    nights_in_conflict: int
    """Nights of its events that a reservation of the property holds; see `/conflicts`."""
    last_read: datetime | None
    """When it was last asked; null before the first time."""
    last_success: datetime | None
    """When it was last read, or had not changed; null if it never was."""
    last_error: str | None
    """Why the last reading failed, or which events it could not read; null if there was no error."""


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


class HeldNights(msgspec.Struct, frozen=True, array_like=True):
    """Nights that an event has, from the first to the day after the last; uid: the event's."""

    first_night: date
    end_date: date
    uid: str


class Validators(NamedTuple):
    """What identifies the content that was read last: its ETag and its Last-Modified, as the site sent them."""

    etag: str | None = None
    last_modified: str | None = None
