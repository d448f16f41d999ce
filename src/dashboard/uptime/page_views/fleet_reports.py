"""The reports and imports below the fleet, from their rows. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from common.web.charts.number_text import count_text
from dashboard.uptime.models.imports import Import
from dashboard.uptime.models.reports import Report
from dashboard.uptime.page_views.fleet import time_text


@dataclass(frozen=True)
class ReportLine:
    """A report: what it is of, and its state in words; progress: 0 to 1 while it is made, else None.

    files: label to address, once it is complete.
    """

    report_id: str
    requested_at: datetime
    subject: str
    state: str
    progress: float | None
    files: dict[str, str]


def report_line(report: Report, now: datetime) -> ReportLine:
    subject = "all stores"
    if report.group is not None:
        subject = f"the group {report.group}"
    elif report.store_ids is not None:
        count = len(report.store_ids)
        subject = "one store" if count == 1 else f"{count_text(count)} stores"
    if report.status == "Running":
        return ReportLine(
            report.report_id,
            report.requested_at,
            subject,
            f"being made, {int(report.progress * 100)}%",
            report.progress,
            {},
        )
    if report.status == "Failed":
        return ReportLine(
            report.report_id, report.requested_at, subject, report.reason or "The report failed.", None, {}
        )
    until = "without any poll" if report.as_of is None else f"up to {time_text(report.as_of, now)}"
    counted = count_text(report.stores or 0) + (" store" if report.stores == 1 else " stores")
    return ReportLine(
        report.report_id,
        report.requested_at,
        subject,
        f"{counted}, {until}",
        None,
        {form.upper(): f"/get_report?{urlencode({'report_id': report.report_id, 'format': form})}" for form in FORMS},
    )


FORMS = ("csv", "xlsx", "json")


KINDS: Mapping[str, str] = {
    "status": "polls",
    "business-hours": "business hours",
    "timezones": "time zones",
    "closures": "closures by hand",
    "group": "group by hand",
    "deleted-polls": "polls deleted by hand",
}
"""What each kind of import is called."""


@dataclass(frozen=True)
class ImportLine:
    """An import, or a change by hand. rows: what it did, in words; rejected: how many lines were refused, if any."""

    at: datetime
    kind: str
    source: str
    made_by: str
    rows: str
    rejected: str


def import_lines(found: Sequence[Import]) -> list[ImportLine]:
    return [
        ImportLine(
            each.finished_at,
            KINDS.get(each.kind, each.kind),
            each.source,
            each.made_by,
            _rows_words(each),
            f"{count_text(each.rejected_total)} rejected" if each.rejected_total else "",
        )
        for each in found
    ]


def _rows_words(each: Import) -> str:
    match each.kind:
        case "closures":
            return "none left" if each.new == 0 else f"{count_text(each.new)} now"
        case "group":
            return ", ".join(each.notices)
        case "deleted-polls":
            return f"{count_text(each.new)} deleted"
        case _:
            return f"{count_text(each.new)} new of {count_text(each.rows)}"
