"""The restaurant as its newest order describes it: its clocks, and the day that they show."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from dashboard.front_desk.models import zone_named

KNOWN_TABLES = timedelta(days=90)
"""A table that nobody has ordered for so long is not shown."""


@dataclass(frozen=True)
class House:
    """The restaurant's clocks now. today: the day that they show."""

    zone: ZoneInfo
    now: datetime
    today: date


def house_at(zone: str | None, now: datetime) -> House:
    """The restaurant whose newest order names this time zone; None: there is no order."""
    clocks = zone_named(zone or "UTC")
    return House(clocks, now, now.astimezone(clocks).date())
