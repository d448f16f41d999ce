"""The page of the fleet of stores: who is down, who misses the target; reports and imports below."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from quart import Blueprint, Response
from quart_schema import hide

from common.db.pool import transaction
from common.tables import CSV, XLSX
from common.web.charts.number_text import count_text
from common.web.html import Templates, html_page
from common.web.page_frame import Alternate, framed_page, page_tag, unchanged
from common.web.page_session import read_form, redirect
from common.web.pagination import decode_cursor, encode_cursor
from common.web.query_string import validate_querystring
from common.web.resources import pool
from dashboard.resources import resources
from dashboard.uptime.fleet_list import FLEET_LIST, FLEET_PAGE, SPREAD_LIST, read_fleet_stores
from dashboard.uptime.inputs import FleetPageQuery, ReportRequest
from dashboard.uptime.models.fleet import FleetMark, FleetPosition, Gap, WantedFleet
from dashboard.uptime.models.imports import Import
from dashboard.uptime.models.reports import Report
from dashboard.uptime.models.stores import Window
from dashboard.uptime.page_views import fleet as view
from dashboard.uptime.page_views.fleet_question import FleetQuestion
from dashboard.uptime.page_views.fleet_reports import import_lines, report_line
from dashboard.uptime.page_views.fleet_rows import STATES, store_row
from dashboard.uptime.queries import imports, reports, stores
from dashboard.uptime.queries.fleet import select_fleet_mark
from dashboard.uptime.queries.stores import POLL_COVERAGE
from dashboard.uptime.routes.reports import request_new_report, start_making

blueprint = Blueprint("uptime_fleet_page", __name__)
templates = Templates("dashboard.uptime", count_text=count_text)

STORES_SHOWN = view.STORES_SHOWN
REPORTS_SHOWN = 5
IMPORTS_SHOWN = 5
WEEK = timedelta(days=7)
MAX_GAPS = WEEK // POLL_COVERAGE + 2
"""More do not fit into a week and the time since, in which there are no polls between which there could be one."""
LIVE_SECONDS = 60
MAKING_SECONDS = 2
"""How often the page asks for news while a report is being made."""
REPORT_WAIT_SECONDS = 0.05
"""How long the page waits for a report on new data before it shows the one it has."""


@dataclass(frozen=True)
class Mark:
    """What is cheap to read, and different when anything on the page is. imports: None if they need a token."""

    fleet: FleetMark
    reports: Sequence[Report]
    imports: Sequence[Import] | None
    minute: datetime

    @property
    def is_making(self) -> bool:
        """Whether a report is being made."""
        return any(report.status == "Running" for report in self.reports)


async def read_mark(now: datetime) -> Mark:
    """The mark now."""
    shows_imports = resources().operations_tokens is None
    fleet, made, imported = await asyncio.gather(
        select_fleet_mark(pool()),
        reports.select_reports(pool(), None, None, REPORTS_SHOWN, without_lists=True),
        imports.select_imports(pool(), None, IMPORTS_SHOWN) if shows_imports else _nothing(),
    )
    return Mark(fleet, made, imported, now.replace(second=0, microsecond=0))


async def _nothing() -> None:
    """The imports of a page that does not show them."""


@blueprint.get(FLEET_PAGE)
@html_page
@hide
@validate_querystring(FleetPageQuery)
async def get_fleet(query_args: FleetPageQuery) -> Response:
    """Show which stores are down, how the fleet did beside the target, and the stores, worst first."""
    now = datetime.now(UTC)
    start = decode_cursor(query_args.cursor, FleetPosition) if query_args.cursor else None
    question = FleetQuestion.of(query_args)
    mark = await read_mark(now)
    tag = await page_tag(mark)
    if (answer := unchanged(tag)) is not None:
        return answer
    latest = await resources().report_runner.latest(now, REPORT_WAIT_SECONDS)
    fleet = await resources().fleet.states(now)
    report = latest.report
    # A page that follows is of the newest report too, so that it says the same as the sentence above it.
    position = (start or FleetPosition(None))._replace(report_id=UUID(report.report_id) if report else None)
    among = None if question.state is None else fleet.in_state(question.state)
    wanted = WantedFleet(question.target, question.band, among, question.search or None)
    spread, found, gaps = await asyncio.gather(
        resources().fleet.spread(report, question.period, question.target, fleet),
        read_fleet_stores(pool(), question.period, wanted, position, STORES_SHOWN, fleet=fleet, now=now),
        read_gaps(report, now),
    )
    is_being_counted = not latest.is_current and latest.failure is None
    is_silent = any(gap.ongoing for gap in gaps)
    return framed_page(
        templates,
        "fleet.html",
        tag if latest.is_current else tag.uncached(),
        alternates=alternates_of(question, position if start else None),
        live_seconds=MAKING_SECONDS if is_being_counted or mark.is_making else LIVE_SECONDS,
        question=question,
        periods=view.PERIODS,
        states=STATES,
        is_being_counted=is_being_counted,
        failure=latest.failure,
        headline=view.headline(spread, question, now, is_silent=is_silent),
        newest=view.newest_words(report.as_of, fleet.at, now) if report and report.as_of else None,
        gaps=view.gap_words(gaps, now),
        more_gaps=max(0, len(gaps) - view.GAPS_SHOWN),
        bands=view.band_links(spread, question) if spread.as_of else [],
        has_stores=bool(fleet.states),
        rows=[store_row(store, now) for store in found.stores],
        first_page=question.page() if start else None,
        next_page=question.page(encode_cursor(*found.next_after)) if found.next_after else None,
        shown=view.shown_words(len(found.stores), found.left, is_first=start is None),
        reports=[report_line(each, now) for each in mark.reports],
        imports=None if mark.imports is None else import_lines(mark.imports),
    )


def alternates_of(question: FleetQuestion, start: FleetPosition | None) -> list[Alternate]:
    """The same stores, page by page, for programs; start: None on the first page."""
    cursor = encode_cursor(*start, path=FLEET_LIST) if start is not None else None
    shown = {"limit": STORES_SHOWN, "cursor": cursor}
    return [
        Alternate("JSON", "application/json", question.stores(FLEET_LIST, **shown)),
        Alternate("CSV", CSV, question.stores(FLEET_LIST, **shown, format="csv")),
        Alternate("XLSX", XLSX, question.stores(FLEET_LIST, **shown, format="xlsx")),
        Alternate("Spread as JSON", "application/json", question.figures(SPREAD_LIST)),
    ]


async def read_gaps(report: Report | None, now: datetime) -> list[Gap]:
    """The gaps of the collector in the week of the figures and since, in order; those of the last week without any."""
    since = (report.as_of if report and report.as_of else now) - WEEK
    return await stores.select_gaps(pool(), Window(since, now, now, now), POLL_COVERAGE, None, MAX_GAPS)


@blueprint.post(FLEET_PAGE)
@html_page
@hide
async def make_report() -> Response:
    """Make a report on all stores; as POST /trigger_report, it needs no token, and counts against its limit."""
    await read_form()
    async with transaction(pool()) as connection:
        report_id = await request_new_report(connection, ReportRequest())
    start_making(report_id)
    return redirect(f"{FLEET_PAGE}#reports")
