"""Types of reports. Durations are exact."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

import msgspec

from dashboard.uptime.models.stores import StoreState

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


ReportColumns = Literal["source", "full"]


@dataclass(frozen=True)
class ChosenStores:
    """The stores of a report: these, those of a group, or all. Only one of the two is given.

    store_ids: in order, each once, so that the same stores have the same key.
    """

    store_ids: Sequence[str] | None = None
    group: str | None = None

    @property
    def key(self) -> str:
        """The same for the same stores, different for others; empty for all."""
        if self.group is not None:
            return f"group {self.group}"
        if self.store_ids is None:
            return ""
        joined = "\0".join(self.store_ids)
        return f"stores {hashlib.sha256(joined.encode()).hexdigest()}"


ALL_STORES = ChosenStores()


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
    state: StoreState | msgspec.UnsetType = msgspec.UNSET
    """Its state at the end of the windows, or when the report was made if they end later."""


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
