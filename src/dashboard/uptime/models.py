"""Types of stores, reports and imports. Durations are exact; seconds may have a fraction."""

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

Period = Literal["hour", "day", "week"]
StoreOrder = Literal["store_id", "downtime", "uptime"]


class ImportSummary(msgspec.Struct, frozen=True):
    """How many rows of a file were read (valid and rejected), were new, and were rejected; the first rejected lines.

    notices: what a person should know about the file, such as columns that were ignored.
    """

    rows: int
    new: int
    rejected: list[RejectedLine]
    rejected_total: int
    notices: list[str] = []


class NewImport(msgspec.Struct, frozen=True):
    """An import about to be recorded. changed: whether it changed any data, by new rows or otherwise."""

    kind: str
    source: str
    started_at: datetime
    rows: int
    new: int
    changed: bool
    rejected: list[RejectedLine]
    rejected_total: int
    notices: list[str]


class Import(msgspec.Struct, frozen=True):
    """An import that was recorded: the kind of file, where it came from, when, and its figures."""

    import_id: int
    kind: str
    source: str
    started_at: datetime
    finished_at: datetime
    rows: int
    new: int
    rejected: list[RejectedLine]
    rejected_total: int
    notices: list[str]


class Report(msgspec.Struct, frozen=True):
    """A report: the request, its progress, and the state of the data it was made from.

    progress: the share of its stores that are done, 0 to 1. as_of, data_version, stores: null until it is complete.
    data_version: the id of the last import that the report takes into account.
    """

    report_id: str
    status: Literal["Running", "Complete", "Failed"]
    progress: float
    requested_at: datetime
    finished_at: datetime | None
    requested_as_of: datetime | None
    as_of: datetime | None
    data_version: int | None
    stores: int | None
    reason: str | None


class ReportRow(msgspec.Struct, frozen=True):
    """A store in a report: minutes of the last hour, hours of the last day and week, rounded to 2 places."""

    store_id: str
    uptime_last_hour: Decimal
    uptime_last_day: Decimal
    uptime_last_week: Decimal
    downtime_last_hour: Decimal
    downtime_last_day: Decimal
    downtime_last_week: Decimal


class RequestedReport(msgspec.Struct, frozen=True):
    """The id with which the requested report can be fetched."""

    report_id: str


class RunningReport(msgspec.Struct, frozen=True, tag_field="status", tag="Running"):
    """A report that is being made; progress is 0 to 1."""

    progress: float


class CompleteReport(msgspec.Struct, frozen=True, tag_field="status", tag="Complete"):
    """A complete report, with a row for each store, ordered by store_id."""

    rows: list[ReportRow]


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
    end: datetime


class Stretch(msgspec.Struct, frozen=True):
    """A span of open time with one status."""

    start: datetime
    end: datetime
    status: Literal["active", "inactive"]


class Poll(msgspec.Struct, frozen=True):
    """A poll. open: whether it was made in open time. Only such polls count, unless a store has none."""

    polled_at: datetime
    status: Literal["active", "inactive"]
    open: bool


class Timeline(msgspec.Struct, frozen=True):
    """A store in a window: when it was open, its status then, and the polls from which the status follows.

    All polls up to now decide the status, those after the window included, so that it is the same in every window.
    `uptime_seconds + downtime_seconds` is the length of `open`; both are null for a store that was never polled. polls:
    those in the window, and the last one before it.
    """

    store_id: str
    timezone: str
    start: datetime = msgspec.field(name="from")
    end: datetime = msgspec.field(name="to")
    uptime_seconds: float | None
    downtime_seconds: float | None
    open: list[Span]
    stretches: list[Stretch]
    polls: list[Poll]


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
    end: datetime
    cut_start: datetime | None
    cut_end: datetime | None
    duration_seconds: float
    downtime_seconds: float
    unobserved_seconds: float
    ongoing: bool
    collector_gap: bool


class Coverage(msgspec.Struct, frozen=True):
    """How much of a store's open time is covered by polls, each of which covers the 90 minutes after it.

    share: null when the store was not open at all. no_data: the open time that is not covered; it is not downtime.
    """

    store_id: str
    start: datetime = msgspec.field(name="from")
    end: datetime = msgspec.field(name="to")
    open_seconds: float
    covered_seconds: float
    share: float | None
    no_data: list[Span]


class Gap(msgspec.Struct, frozen=True):
    """A span in which no store at all was polled: a failure of the collector, not of the stores.

    The window in which it was found changes neither start nor end. cut_start, cut_end: the start and the end of the
    window if the gap began before it, or lasted longer; else null. ongoing: whether no store has been polled since;
    `end` is then the time of the request. There is no gap before the first poll of the fleet.
    """

    start: datetime
    end: datetime
    cut_start: datetime | None
    cut_end: datetime | None
    duration_seconds: float
    ongoing: bool


class StoreDay(msgspec.Struct, frozen=True):
    """The figures of a store for a day in its local time, which has 23 or 25 hours when the clock changes.

    up_seconds + down_seconds is open_seconds. observed_seconds: the open time within 90 minutes after a poll. The
    current day ends now.
    """

    day: date
    open_seconds: float
    up_seconds: float
    down_seconds: float
    observed_seconds: float


class StoreUptime(msgspec.Struct, frozen=True):
    """A store in the latest complete report; the share is null if the store was not open in the period."""

    store_id: str
    timezone: str
    uptime_seconds: float
    downtime_seconds: float
    uptime_share: float | None


class SlaSummary(msgspec.Struct, frozen=True):
    """How many stores were open in a period, and how many of them were up for less than the target share, 0 to 1."""

    report_id: str
    as_of: datetime | None
    period: Period
    target: Decimal
    stores: int
    breaches: int
