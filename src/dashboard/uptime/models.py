"""What the capability says of stores, reports and imports. Durations are exact; seconds are numbers with a fraction."""

from datetime import datetime
from decimal import Decimal
from typing import Literal

import msgspec

CSV_HEADER = (
    "store_id,uptime_last_hour(in minutes),uptime_last_day(in hours),uptime_last_week(in hours),"
    "downtime_last_hour(in minutes),downtime_last_day(in hours),downtime_last_week(in hours)\n"
)
"""The header of a report, word for word the source's."""

Period = Literal["hour", "day", "week"]
StoreOrder = Literal["store_id", "downtime", "uptime"]


class Rejection(msgspec.Struct, frozen=True):
    """A line of a file that was not taken in (the header is line 1), and why."""

    line: int
    reason: str


class ImportSummary(msgspec.Struct, frozen=True):
    """What a file brought: rows read (good and bad), those that were new, and those that were not taken in."""

    rows: int
    new: int
    rejected: list[Rejection]
    rejected_total: int


class Import(msgspec.Struct, frozen=True):
    """A file that came in: what it was, where from, when, and what it brought."""

    import_id: int
    kind: str
    source: str
    started_at: datetime
    finished_at: datetime
    rows: int
    new: int
    rejected: list[Rejection]
    rejected_total: int


class Report(msgspec.Struct, frozen=True):
    """A report: what was asked for, how far it is, and of which state of the data it is.

    progress: 0 to 1, an estimate by the time that reports take. as_of, data_version, stores: known once complete.
    data_version is the id of the last import whose data the report has.
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
    """A report was asked for; its id fetches it."""

    report_id: str


class RunningReport(msgspec.Struct, frozen=True, tag_field="status", tag="Running"):
    """A report that is being made; progress is 0 to 1."""

    progress: float


class CompleteReport(msgspec.Struct, frozen=True, tag_field="status", tag="Complete"):
    """A report that is there, with a row for each store, ordered by store_id."""

    rows: list[ReportRow]


class Span(msgspec.Struct, frozen=True):
    """A stretch of time, `[start, end)`."""

    start: datetime
    end: datetime


class Stretch(msgspec.Struct, frozen=True):
    """A stretch of open time with one status."""

    start: datetime
    end: datetime
    status: Literal["active", "inactive"]


class Poll(msgspec.Struct, frozen=True):
    """A poll, and whether it was made in open time: those are the ones that count, unless a store has none."""

    polled_at: datetime
    status: Literal["active", "inactive"]
    open: bool


class Timeline(msgspec.Struct, frozen=True):
    """A store between two instants: when it was open, what it was, and the polls that say so.

    `uptime_seconds + downtime_seconds` is the length of `open`. `to` is not after the newest poll of the fleet.
    """

    store_id: str
    timezone: str
    start: datetime = msgspec.field(name="from")
    end: datetime = msgspec.field(name="to")
    uptime_seconds: float
    downtime_seconds: float
    open: list[Span]
    stretches: list[Stretch]
    polls: list[Poll]


class Incident(msgspec.Struct, frozen=True):
    """A store down, from the first moment of open time to the last, closed time in between included.

    duration_seconds: the open time in it. unobserved_seconds: the part of that more than 90 minutes after any poll,
    where nobody looked. collector_gap: nobody looked at any store for some of it. ongoing: it reaches the end of what
    is known.
    """

    start: datetime
    end: datetime
    duration_seconds: float
    unobserved_seconds: float
    ongoing: bool
    collector_gap: bool


class Coverage(msgspec.Struct, frozen=True):
    """How much of a store's open time somebody looked: the share within 90 minutes after a poll.

    share: null where the store was not open at all. no_data: the rest; it is not downtime.
    """

    store_id: str
    start: datetime = msgspec.field(name="from")
    end: datetime = msgspec.field(name="to")
    open_seconds: float
    covered_seconds: float
    share: float | None
    no_data: list[Span]


class Gap(msgspec.Struct, frozen=True):
    """A stretch in which no store at all was polled: the collector's failure, not the stores'."""

    start: datetime
    end: datetime
    duration_seconds: float


class StoreUptime(msgspec.Struct, frozen=True):
    """A store in the latest complete report; the share is null where the store was not open in the period."""

    store_id: str
    timezone: str
    uptime_seconds: float
    downtime_seconds: float
    uptime_share: float | None


class SlaSummary(msgspec.Struct, frozen=True):
    """How the fleet stands against a target: shares of open time that stores have to be up, 0 to 1."""

    report_id: str
    as_of: datetime | None
    period: Period
    target: float
    stores: int
    breaches: int
