"""Types of the fleet: lists of stores, service levels, gaps of the collector. Seconds may have a fraction."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Literal, NamedTuple
from uuid import UUID

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

    @property
    def total(self) -> int:
        """All stores."""
        return self.up + self.down + self.closed + self.stale + self.never_polled

    @property
    def unknown(self) -> int:
        """The stores of which nothing is known now."""
        return self.stale + self.never_polled


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


Band = Literal["100", "99.9", "99", "95", "90", "0", "not_open", "no_data"]
"""The share of uptime in per cent that the stores of a band have at least, and the next band has at least."""

WantedBand = Literal["100", "99.9", "99", "95", "90", "0", "not_open", "no_data", "missed"]
"""A band, or the stores that miss the target."""

BANDS: Mapping[Band, tuple[float, float] | None] = {
    "0": (0.0, 0.9),
    "90": (0.9, 0.95),
    "95": (0.95, 0.99),
    "99": (0.99, 0.999),
    "99.9": (0.999, 1.0),
    "100": (1.0, 1.0),
    "not_open": None,
    "no_data": None,
}
"""The ends of each band, worst first; None for stores without a share."""


class BandCount(msgspec.Struct, frozen=True):
    """How many stores have a share of uptime in `[from, to)`; in the band `100` it is 1.

    The stores of `not_open` were not open in the period. Those of `no_data` were, but none of that time is within 90
    minutes after a poll: nothing is known of them, although other lists carry their last status on.
    """

    band: Band
    """Name of the band: the least share in per cent, `not_open` or `no_data`."""
    start: float | None = msgspec.field(name="from")
    """The least share; null without one."""
    end: float | None = msgspec.field(name="to")
    """The share that the stores do not reach, except in the band `100`; null without one."""
    stores: int
    """Number of stores."""


class MeasuredShares(NamedTuple):
    """How the shares of a report are spread, as `Spread` has it."""

    measured: int
    breaches: int
    p5: float | None
    p50: float | None
    bands: list[BandCount]


class Spread(msgspec.Struct, frozen=True):
    """How the shares of uptime of a fleet are spread in a period, by the newest report, and its states now."""

    period: Period
    """The length of the period."""
    target: Decimal
    """The minimum share of open time that a store is up, 0 to 1."""
    report_id: str | None
    """Id of the report that the figures are from; null without any poll."""
    as_of: datetime | None
    """The end of the period: the newest poll; null without any."""
    measured: int
    """Number of stores with a share: they were open, and observed, in the period."""
    breaches: int
    """Those of them that were up for less than the target share."""
    p5: float | None
    """The share that a twentieth of them do not exceed; null without any."""
    p50: float | None
    """The share that half of them do not exceed; null without any."""
    bands: list[BandCount]
    """The number of stores in each band, worst first."""
    states: StateCounts
    """How many stores are in each state now."""
    down_now: list[str]
    """The stores that are open and down now, by id."""


class FleetDay(msgspec.Struct, frozen=True):
    """The 24 hours from `start` on of a store."""

    start: datetime
    """The first moment."""
    open_seconds: float
    """Open time."""
    up_seconds: float
    """Open time in which it was up."""
    observed_seconds: float
    """Open time within 90 minutes after a poll."""


class LastIncident(msgspec.Struct, frozen=True):
    """The last incident of a store in the week before the newest poll and up to now.

    Its downtime ends 48 hours after the newest poll of all stores, since nothing is known of the time after it.
    """

    start: datetime
    """When it began; the start of the week if it may have begun before."""
    end: datetime | None
    """When its downtime ended; null while it is ongoing."""
    downtime_seconds: float
    """Open time in it, from the start of the week on."""
    began_before: bool
    """Whether it may have begun before the week."""


class FleetStore(msgspec.Struct, frozen=True):
    """A store as the page of the fleet shows it. Its share of uptime is that of its days, or of the last hour.

    The figures are null for a store that nobody observed in the period, since nothing is known of it.
    """

    store_id: str
    """Id of the store."""
    timezone: str
    """Its IANA time zone."""
    group: str | None
    """The group by which reports choose stores."""
    state: StoreState
    """Its state now."""
    last_polled_at: datetime | None
    """Its last poll; null without any."""
    uptime_seconds: float | None
    """Open time in the period in which it was up."""
    downtime_seconds: float | None
    """Open time in the period in which it was down."""
    observed_seconds: float | None
    """Open time in the period within 90 minutes after a poll."""
    uptime_share: float | None
    """uptime_seconds / (uptime_seconds + downtime_seconds); null if the store was not open, or nobody observed it."""
    band: Band | None
    """The band of its share in the report by which the list is ordered; null for a store that is not in it."""
    misses_target: bool
    """Whether it was up for less than the target share."""
    last_incident: LastIncident | None
    """Its last incident in the week before the newest poll, up to now; null without one."""
    days: list[FleetDay]
    """The week before the newest poll as seven times 24 hours, oldest first; empty for a store without a poll."""


class WantedFleet(NamedTuple):
    """Stores of the fleet, worst first: only those of a band, or that miss the target; only these; only those found.

    search: in any case a part of the id, the time zone or the group; None for all.
    """

    target: Decimal
    band: WantedBand | None = None
    among: Sequence[str] | None = None
    search: str | None = None


class FleetPosition(NamedTuple):
    """A position in the fleet: the report of all pages, None without any, and what orders the store before it.

    rank, downtime, store_id: None at the beginning.
    """

    report_id: UUID | None
    rank: float | None = None
    downtime: float | None = None
    store_id: str | None = None
