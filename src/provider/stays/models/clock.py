"""The days on which a stay may start, and the clocks of properties."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

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
