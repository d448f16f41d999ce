"""Types of stores, reports and imports. Durations are exact; seconds may have a fraction."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal, NamedTuple

import msgspec

from common.csv_import import RejectedLine

CSV_HEADER = (
    "store_id,uptime_last_hour(in minutes),uptime_last_day(in hours),uptime_last_week(in hours),"
    "downtime_last_hour(in minutes),downtime_last_day(in hours),downtime_last_week(in hours)\n"
)
"""The header of a report, copied word for word from the source."""

FULL_CSV_HEADER = (
    CSV_HEADER.strip() + ",uptime_last_hour(in percent),uptime_last_day(in percent),uptime_last_week(in percent),"
    "coverage_last_hour(in percent),coverage_last_day(in percent),coverage_last_week(in percent),"
    "timezone,timezone_is_default,group,state\n"
)
"""The header of a report with all columns."""

Period = Literal["hour", "day", "week"]
StoreOrder = Literal["store_id", "downtime", "uptime"]
ReportColumns = Literal["source", "full"]
State = Literal["up", "down", "closed", "stale", "never_polled"]


@dataclass(frozen=True)
class ChosenStores:
    """The stores of a report: these, those of a group, or all. Only one of the two is given."""

    store_ids: Sequence[str] | None = None
    group: str | None = None

    @property
    def key(self) -> str:
        """The same for the same stores, however they are written; empty for all."""
        if self.group is not None:
            return f"group {self.group}"
        if self.store_ids is None:
            return ""
        joined = "\0".join(sorted(set(self.store_ids)))
        return f"stores {hashlib.sha256(joined.encode()).hexdigest()}"


ALL_STORES = ChosenStores()


class ImportSummary(msgspec.Struct, frozen=True):
    """How many rows of a file were read (valid and rejected), were new, and were rejected; the first rejected lines."""

    rows: int
    """Rows read, valid and rejected."""
    new: int
    """Rows that were stored and were not there before."""
    rejected: list[RejectedLine]
    """The first rejected lines."""
    rejected_total: int
    """Number of rejected lines."""
    notices: list[str] = []
    """What a person should know about the file, such as columns that were ignored."""


class NewImport(msgspec.Struct, frozen=True):
    """An import or a change by hand about to be recorded. changed: whether it changed any data.

    source: the file, or the store that was changed. made_by: who made it.
    """

    kind: str
    source: str
    made_by: str
    started_at: datetime
    rows: int
    new: int
    changed: bool
    rejected: list[RejectedLine]
    rejected_total: int
    notices: list[str]


class Import(msgspec.Struct, frozen=True):
    """An import, or a change by hand, that was recorded: its kind, of what, by whom, when, and its figures.

    Changes by hand are those of kind `closures`, `group` and `deleted-polls`; `new` is the number of closures, or of
    deleted polls.
    """

    import_id: int
    """Id of the import."""
    kind: str
    """The kind of file, or of change."""
    source: str
    """Where the file came from, or the store that was changed."""
    made_by: str
    """Who made it: a request and its address, the user of a command, or the job that pulls."""
    started_at: datetime
    """Start of the import."""
    finished_at: datetime
    """End of the import."""
    rows: int
    """Rows read, valid and rejected."""
    new: int
    """Rows that were stored and were not there before."""
    rejected: list[RejectedLine]
    """The first rejected lines."""
    rejected_total: int
    """Number of rejected lines."""
    notices: list[str]
    """What a person should know about the file, such as columns that were ignored."""


class Report(msgspec.Struct, frozen=True):
    """A report: the request, its progress, and the state of the data it was made from.

    progress: the share of its stores that are done, 0 to 1. as_of, data_version, stores: null until it is complete.
    data_version: the id of the last import that the report takes into account.
    """

    report_id: str
    """Id of the report."""
    status: Literal["Running", "Complete", "Failed"]
    """Whether it is being made, complete, or has failed."""
    progress: float
    """The share of its stores that are done, 0 to 1."""
    requested_at: datetime
    """When it was requested."""
    finished_at: datetime | None
    """When it was complete or failed."""
    requested_as_of: datetime | None
    """The requested end of the windows; null: the newest poll."""
    as_of: datetime | None
    """The end of the windows; null until it is complete."""
    data_version: int | None
    """Id of the last import that it takes into account; null until it is complete."""
    stores: int | None
    """Number of stores; null until it is complete."""
    reason: str | None
    """Why it failed."""
    store_ids: list[str] | None = None
    """The stores that it was requested for; null: all, or those of the group."""
    group: str | None = None
    """The group of stores that it was requested for; null: none."""


class ReportRow(msgspec.Struct, frozen=True):
    """A store in a report: minutes of the last hour, hours of the last day and week, rounded to 2 places.

    The fields from uptime_percent_last_hour on are those of `columns=full`. Shares are per cent of the open time, null
    where the store was not open. Coverage, time zone, group and state are those of the data from which the report was
    made.
    """

    store_id: str
    """Id of the store."""
    uptime_last_hour: Decimal
    """Minutes up in the last hour."""
    uptime_last_day: Decimal
    """Hours up in the last 24 hours."""
    uptime_last_week: Decimal
    """Hours up in the last 168 hours."""
    downtime_last_hour: Decimal
    """Minutes down in the last hour."""
    downtime_last_day: Decimal
    """Hours down in the last 24 hours."""
    downtime_last_week: Decimal
    """Hours down in the last 168 hours."""
    uptime_percent_last_hour: Decimal | msgspec.UnsetType | None = msgspec.UNSET
    """Per cent of the open time of the last hour in which it was up."""
    uptime_percent_last_day: Decimal | msgspec.UnsetType | None = msgspec.UNSET
    """Per cent of the open time of the last 24 hours in which it was up."""
    uptime_percent_last_week: Decimal | msgspec.UnsetType | None = msgspec.UNSET
    """Per cent of the open time of the last 168 hours in which it was up."""
    coverage_percent_last_hour: Decimal | msgspec.UnsetType | None = msgspec.UNSET
    """Per cent of the open time of the last hour that is within 90 minutes after a poll."""
    coverage_percent_last_day: Decimal | msgspec.UnsetType | None = msgspec.UNSET
    """Per cent of the open time of the last 24 hours that is within 90 minutes after a poll."""
    coverage_percent_last_week: Decimal | msgspec.UnsetType | None = msgspec.UNSET
    """Per cent of the open time of the last 168 hours that is within 90 minutes after a poll."""
    timezone: str | msgspec.UnsetType = msgspec.UNSET
    """Its IANA time zone."""
    timezone_is_default: bool | msgspec.UnsetType = msgspec.UNSET
    """Whether no file names its time zone."""
    group: str | msgspec.UnsetType | None = msgspec.UNSET
    """The group by which people choose stores."""
    state: State | msgspec.UnsetType = msgspec.UNSET
    """Its state at the end of the windows."""


class RequestedReport(msgspec.Struct, frozen=True):
    """The id with which the requested report can be fetched."""

    report_id: str
    """Id of the report, for /get_report."""


class RunningReport(msgspec.Struct, frozen=True, tag_field="status", tag="Running"):
    """A report that is being made; progress is 0 to 1."""

    progress: float
    """The share of its stores that are done, 0 to 1."""


class CompleteReport(msgspec.Struct, frozen=True, tag_field="status", tag="Complete"):
    """A complete report, with a row for each store, ordered by store_id."""

    rows: list[ReportRow]
    """A row for each store, by id."""


class Window(NamedTuple):
    """A requested window, `[start, end)`, and what is known of it.

    known: the newest poll of the fleet, or `end` if that is later. now: the time of the request; polls dated after it
    are ignored.
    """

    start: datetime
    end: datetime
    known: datetime
    now: datetime


class Span(msgspec.Struct, frozen=True):
    """A span of time, `[start, end)`."""

    start: datetime
    """The first moment."""
    end: datetime
    """The moment after the last."""


class Stretch(msgspec.Struct, frozen=True):
    """A span of open time with one status."""

    start: datetime
    """The first moment."""
    end: datetime
    """The moment after the last."""
    status: Literal["active", "inactive"]
    """Whether the store was up (active) or down (inactive)."""


class Poll(msgspec.Struct, frozen=True):
    """A poll. open: whether it was made in open time. Only such polls count, unless a store has none."""

    polled_at: datetime
    """When the store was polled."""
    status: Literal["active", "inactive"]
    """Whether it answered (active) or not (inactive)."""
    open: bool
    """Whether the store was open then; only such polls count, unless it has none."""


class Timeline(msgspec.Struct, frozen=True):
    """A store in a window: when it was open, its status then, and the polls from which the status follows.

    All polls up to now decide the status, those after the window included, so that it is the same in every window.
    `uptime_seconds + downtime_seconds` is the length of `open`; both are null for a store that was never polled. polls:
    those in the window, and the last one before it.
    """

    store_id: str
    """Id of the store."""
    timezone: str
    """Its IANA time zone."""
    start: datetime = msgspec.field(name="from")
    """Start of the window."""
    end: datetime = msgspec.field(name="to")
    """End of the window."""
    uptime_seconds: float | None
    """Open time in which it was up; null if the store was never polled."""
    downtime_seconds: float | None
    """Open time in which it was down; null if the store was never polled."""
    open: list[Span]
    """When it was open."""
    stretches: list[Stretch]
    """Its status while it was open."""
    polls: list[Poll]
    """The polls from which the status follows."""


class Incident(msgspec.Struct, frozen=True):
    """A store down, from the first to the last moment of open time, including closed time in between.

    The window in which it was found changes none of its figures, except where an ongoing incident ends: at the newest
    poll of the fleet, or at the end of the window if that is later. cut_start, cut_end: the start and the end of the
    window if the incident began before it, or lasted longer; else null.

    duration_seconds: its open time. downtime_seconds: the part of that in the window. unobserved_seconds: the part of
    its open time that is more than 90 minutes after any poll of the store. ongoing: whether the store has not been up
    since, even if it has closed. collector_gap: whether no store at all was polled during a part of it.
    """

    start: datetime
    """The first moment down."""
    end: datetime
    """The moment after the last."""
    cut_start: datetime | None
    """The start of the window if the incident began before it, else null."""
    cut_end: datetime | None
    """The end of the window if the incident lasted longer, else null."""
    duration_seconds: float
    """Its open time."""
    downtime_seconds: float
    """The part of its open time that is in the window."""
    unobserved_seconds: float
    """Open time in it that is more than 90 minutes after any poll of the store."""
    ongoing: bool
    """Whether the store has not been up since."""
    collector_gap: bool
    """Whether no store at all was polled during a part of it."""


class Coverage(msgspec.Struct, frozen=True):
    """How much of a store's open time is covered by polls, each of which covers the 90 minutes after it.

    share: null when the store was not open at all. no_data: the open time that is not covered; it is not downtime.
    """

    store_id: str
    """Id of the store."""
    start: datetime = msgspec.field(name="from")
    """Start of the window."""
    end: datetime = msgspec.field(name="to")
    """End of the window."""
    open_seconds: float
    """Open time."""
    covered_seconds: float
    """Open time within 90 minutes after a poll."""
    share: float | None
    """covered_seconds / open_seconds; null when the store was not open at all."""
    no_data: list[Span]
    """Open time that is not covered; it is not downtime."""


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


class StoreDay(msgspec.Struct, frozen=True):
    """The figures of a store for a day in its local time, which has 23 or 25 hours when the clock changes.

    up_seconds + down_seconds is open_seconds. observed_seconds: the open time within 90 minutes after a poll.
    incidents: those that began on the day, so that the numbers of several days add up. The current day ends now.
    """

    day: date
    """The day in the store's time zone."""
    open_seconds: float
    """Time in which the store was open."""
    up_seconds: float
    """Open time in which it was up."""
    down_seconds: float
    """Open time in which it was down."""
    observed_seconds: float
    """Open time within 90 minutes after a poll."""
    incidents: int
    """Number of incidents that began on the day."""


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
    state: State
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


class HoursRow(msgspec.Struct, frozen=True):
    """A shift of a weekday, in local time; `closes` at or before `opens` is on the next day."""

    weekday: int
    """0 = Monday."""
    opens: str
    """Local time at which it opens."""
    closes: str
    """Local time at which it closes; 24:00:00 is the end of the day."""
    valid_from: date | None
    """The first local day on which it holds; null: always before."""
    valid_to: date | None
    """The last local day on which it holds; null: until further notice."""


class LastPoll(msgspec.Struct, frozen=True):
    """The last poll of a store."""

    polled_at: datetime
    """When the store was polled."""
    status: Literal["active", "inactive"]
    """Whether it answered (active) or not (inactive)."""


class StoreNow(msgspec.Struct, frozen=True):
    """A store now.

    state: `never_polled`; `closed`; `stale`, if it was open for three hours without a poll; else `up` or `down`.
    since: when it went up or down, however often it closed in between; when it closed; when it became stale.
    """

    store_id: str
    """Id of the store."""
    state: State
    """Its state now."""
    since: datetime | None
    """Since when; null if it was never polled, or has not been open for ten years."""
    group: str | None
    """The group by which reports choose stores; null: none."""
    timezone: str
    """Its IANA time zone."""
    timezone_is_default: bool
    """Whether no file names its time zone."""
    always_open: bool
    """Whether no file names its hours, so that it is open at all times but its closures."""
    hours: list[HoursRow]
    """Its business hours, by the day from which they hold."""
    last_poll: LastPoll | None
    """The last poll; null if there is none."""
    incident: Incident | None
    """The incident that is not over; null if there is none."""
    closed_because: str | None
    """The reason of the closure that holds now; null if none does."""


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


class StoredClosure(NamedTuple):
    """A time in which a store is closed: local days, the last one included, or instants `[start, end)`."""

    start: date | datetime
    end: date | datetime
    reason: str


class Closure(msgspec.Struct, frozen=True):
    """A time in which a store is closed: local days, the last one included, or instants `[from, to)`."""

    start: str = msgspec.field(name="from")
    """The first local day, or the instant at which it begins."""
    end: str = msgspec.field(name="to")
    """The last local day, or the instant at which it ends."""
    reason: str
    """Why it is closed."""


class DeletedPolls(msgspec.Struct, frozen=True):
    """The result of a deletion of polls."""

    deleted: int
    """Number of polls that were deleted."""


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
    """What tells one state of the stores from another: the newest import that changed any, and the newest report."""

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
