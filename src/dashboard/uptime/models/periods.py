"""Types of the figures of a store in its last 24 hours and its last 7, 30 and 90 days."""

from datetime import datetime
from typing import Literal, NamedTuple

import msgspec

PeriodName = Literal["24h", "7d", "30d", "90d"]


class UptimePeriod(msgspec.Struct, frozen=True):
    """The figures of a store in a period: 24 hours, or local days of which the last is the current one.

    up_seconds + down_seconds + unknown_seconds is its open time. Open time more than 90 minutes after a poll is
    unknown: it counts neither as up nor as down. The share and both its parts are null if nothing is known.
    """

    period: PeriodName
    """The last 24 hours, or the last 7, 30 or 90 local days."""
    start: datetime = msgspec.field(name="from")
    """The first moment."""
    end: datetime = msgspec.field(name="to")
    """The moment after the last."""
    uptime_share: float | None
    """up_seconds / (up_seconds + down_seconds); null if it was not open, or nobody observed it."""
    up_seconds: float | None
    """Observed open time in which it was up; null if nothing is known."""
    down_seconds: float | None
    """Observed open time in which it was down; null if nothing is known."""
    unknown_seconds: float | None
    """Open time in which nobody observed it; null before its first poll."""
    coverage: float | None
    """The share of its open time that is within 90 minutes after a poll; null if it was not open."""
    incidents: int | None
    """Number of incidents that began in the period; null before its first poll."""
    recoveries: int
    """Number of incidents that ended in the period."""
    mean_seconds_to_recover: float | None
    """The mean open time of the incidents that ended in the period; null if none did."""


class UptimePeriods(msgspec.Struct, frozen=True):
    """The figures of a store in its last 24 hours, 7, 30 and 90 days."""

    store_id: str
    """Id of the store."""
    timezone: str
    """Its IANA time zone."""
    items: list[UptimePeriod]
    """The periods, the shortest first."""


class Recoveries(NamedTuple):
    """The incidents of a store that ended in a period; the mean of their open time, None if none did."""

    number: int
    mean_seconds: float | None


class KeptPolls(NamedTuple):
    """The first poll of a store, None without any; and the time before which its polls were deleted, None for never."""

    first: datetime | None
    since: datetime | None
