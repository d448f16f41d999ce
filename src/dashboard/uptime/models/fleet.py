"""Types of the fleet: lists of stores, service levels, gaps of the collector. Seconds may have a fraction."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Literal, NamedTuple

import msgspec

from dashboard.uptime.models.stores import StoreState

Period = Literal["hour", "day", "week"]


StoreOrder = Literal["store_id", "downtime", "uptime"]


class Gap(msgspec.Struct, frozen=True):
    """A span in which no store at all was polled: a failure of the collector, not of the stores.

    The window in which it was found changes neither start nor end. cut_start, cut_end: the start and the end of the
    window if the gap began before it, or lasted longer; else null. ongoing: whether no store has been polled since;
    `end` is then the time of the request. There is no gap before the first poll of the fleet.
    """

    start: datetime
    """The last poll before the gap."""
    end: datetime
    """The first poll after it; the time of the request while there is none."""
    cut_start: datetime | None
    """The start of the window if the gap began before it, else null."""
    cut_end: datetime | None
    """The end of the window if the gap lasted longer, else null."""
    duration_seconds: float
    """Time from start to end."""
    ongoing: bool
    """Whether no store has been polled since."""


class StoreUptime(msgspec.Struct, frozen=True):
    """A store in a period; the share is null if the store was not open in it, all figures if it was never polled."""

    store_id: str
    """Id of the store."""
    timezone: str
    """Its IANA time zone."""
    uptime_seconds: float | None
    """Open time in the period in which it was up."""
    downtime_seconds: float | None
    """Open time in the period in which it was down."""
    uptime_share: float | None
    """uptime_seconds / (uptime_seconds + downtime_seconds); null if the store was not open."""
    state: StoreState
    """Its state now."""


class SlaSummary(msgspec.Struct, frozen=True):
    """How many stores were open in a period, and how many of them were up for less than the target share, 0 to 1.

    report_id, as_of and period are those of a report on the last hour, day or week. from, to and through are those of
    local days, each store's in its own time zone; a day counts from six hours after its end on.
    """

    target: Decimal
    """The minimum share of open time that a store is up, 0 to 1."""
    stores: int
    """Number of stores that were open in the period."""
    breaches: int
    """Number of stores that were up for less than the target share."""
    period: Period | None = None
    """The length of the period; null for local days."""
    report_id: str | None = None
    """Id of the report that the figures are from; null for local days."""
    as_of: datetime | None = None
    """The end of the period; null for local days."""
    start: date | None = msgspec.field(name="from", default=None)
    """The first local day."""
    end: date | None = msgspec.field(name="to", default=None)
    """The last local day."""
    through: date | None = None
    """The last of these days that is over, and counted, for every store; null if none is."""
    incidents: int | None = None
    """Number of incidents that began on these days; null for the last hour, day or week."""


class StateCounts(msgspec.Struct, frozen=True):
    """How many stores are in each state at an instant."""

    at: datetime
    """The instant."""
    up: int
    """Open and up."""
    down: int
    """Open and down."""
    closed: int
    """Not open."""
    stale: int
    """Open, and for three hours of open time without a poll."""
    never_polled: int
    """Without any poll."""


class WantedStores(NamedTuple):
    """Stores of a list, ordered by id, by most downtime or by least share of uptime; then by id.

    below: only stores that were up for less than this share of the period. among: only these.
    """

    order: StoreOrder
    below: Decimal | None = None
    among: Sequence[str] | None = None


class DaySpan(NamedTuple):
    """Local days, the last one included."""

    first: date
    last: date


class FleetMark(NamedTuple):
    """Differs from an earlier one when what is known of the stores may differ.

    stores: those that were ever polled. version: the newest import that changed any. reported_at: when the newest
    report on all was complete.
    """

    stores: int
    version: int | None
    reported_at: datetime | None


class WeekOfFleet(NamedTuple):
    """How many stores were open in a week and how many missed a target; `median`: half were up for at least this share.

    median: None if no store was open.
    """

    stores: int
    breaches: int
    median: float | None
