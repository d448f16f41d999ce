"""HTTP of single stores and of the fleet: timelines, incidents, coverage, uptime, targets, gaps."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple, TypeVar
from uuid import UUID

from quart import Blueprint, Response
from quart_schema import document_response, tag_blueprint

from common.web.errors import Invalid, NotFound
from common.web.openapi.document import LINK_HEADER, operation
from common.web.pagination import CursorInstant, decode_cursor, page_and_link
from common.web.query_string import validate_querystring
from common.web.replica import reads_replica
from common.web.resources import pool
from common.web.responses import json_response
from common.web.table_response import table
from dashboard.resources import resources
from dashboard.uptime import service
from dashboard.uptime.inputs import (
    BreachesQuery,
    DaysQuery,
    GapsQuery,
    StoresQuery,
    TargetQuery,
    WindowPageQuery,
    WindowQuery,
)
from dashboard.uptime.models import (
    Coverage,
    Gap,
    Incident,
    Period,
    SlaSummary,
    Span,
    StoreDay,
    StoreOrder,
    StoreUptime,
    Stretch,
    Timeline,
    Window,
)
from dashboard.uptime.queries import fleet, reports, stores

blueprint = Blueprint("uptime_stores", __name__)
tag_blueprint(blueprint, ["uptime"])

STORE = "/stores/<path:store_id>"
STORE_EXAMPLE = {"store_id": "8139926242460185114"}

FROM, TO = "2023-01-23T15:00:00Z", "2023-01-23T18:00:00Z"
TURN = "2023-01-23T17:15:00Z"
SPAN = {"start": FROM, "end": TO}
TIMELINE = {
    "store_id": "8139926242460185114",
    "timezone": "America/Chicago",
    "from": FROM,
    "to": TO,
    "uptime_seconds": 8100.0,
    "downtime_seconds": 2700.0,
    "open": [SPAN],
    "stretches": [
        {"start": FROM, "end": TURN, "status": "active"},
        {"start": TURN, "end": TO, "status": "inactive"},
    ],
    "polls": [
        {"polled_at": "2023-01-23T16:14:00Z", "status": "active", "open": True},
        {"polled_at": TURN, "status": "inactive", "open": True},
    ],
}
INCIDENT = {
    "start": TURN,
    "end": TO,
    "cut_start": None,
    "cut_end": None,
    "duration_seconds": 2700.0,
    "downtime_seconds": 2700.0,
    "unobserved_seconds": 0.0,
    "ongoing": True,
    "collector_gap": False,
}
COVERAGE = {
    "store_id": TIMELINE["store_id"],
    "from": FROM,
    "to": TO,
    "open_seconds": 10800.0,
    "covered_seconds": 6360.0,
    "share": 0.5888888888888889,
    "no_data": [{"start": FROM, "end": "2023-01-23T16:14:00Z"}],
}
UPTIME = {
    "store_id": TIMELINE["store_id"],
    "timezone": "America/Chicago",
    "uptime_seconds": 8100.0,
    "downtime_seconds": 2700.0,
    "uptime_share": 0.75,
}
SLA_SUMMARY = {
    "report_id": "0b0d6a3c-6f0e-4a53-9d3c-1f6f0a4f6c11",
    "as_of": TO,
    "period": "week",
    "target": 0.99,
    "stores": 14092,
    "breaches": 3120,
}
DAY = {
    "day": "2023-01-23",
    "open_seconds": 10800.0,
    "up_seconds": 8100.0,
    "down_seconds": 2700.0,
    "observed_seconds": 6360.0,
    "incidents": 1,
}
GAP = {
    "start": FROM,
    "end": TO,
    "cut_start": None,
    "cut_end": "2023-01-23T17:00:00Z",
    "duration_seconds": 10800.0,
    "ongoing": False,
}


async def require_known_store(store_id: str) -> None:
    """Raises NotFound for an unknown store."""
    if "\0" in store_id or await stores.select_timezone(pool(), store_id) is None:
        raise NotFound("Unknown store.")


async def requested_window(store_id: str, query: WindowQuery) -> Window:
    """The window of a known store. Raises NotFound and Invalid."""
    await require_known_store(store_id)
    return await service.resolve_store_window(pool(), store_id, query.from_, query.to, datetime.now(UTC))


def last_start(query: WindowPageQuery) -> datetime | None:
    """The start of the last item of the page before."""
    return decode_cursor(query.cursor, tuple[CursorInstant])[0] if query.cursor else None


@blueprint.get(f"{STORE}/timeline")
@operation(example=TIMELINE, path_examples=STORE_EXAMPLE)
@table("timeline", Stretch, "stretches")
@validate_querystring(WindowQuery)
@document_response(Timeline)
@reads_replica
async def get_timeline(store_id: str, query_args: WindowQuery) -> Response:
    """When a store was open, when it was up and down, and the polls from which that follows."""
    window = await requested_window(store_id, query_args)
    await service.require_few_polls(pool(), store_id, window)
    found = await stores.select_timeline(pool(), store_id, window)
    assert found is not None
    return json_response(found)


@blueprint.get(f"{STORE}/incidents")
@operation(headers={200: LINK_HEADER}, example=[INCIDENT], path_examples=STORE_EXAMPLE)
@table("incidents", Incident)
@validate_querystring(WindowPageQuery)
@document_response(list[Incident])
@reads_replica
async def list_incidents(store_id: str, query_args: WindowPageQuery) -> Response:
    """The incidents of a store that overlap the window, in order, each with its true start and end.

    Those during which the collector had a gap are marked.
    """
    window = await requested_window(store_id, query_args)
    found = await stores.select_incidents(pool(), store_id, window, last_start(query_args), query_args.limit + 1)
    return page_by_start(found, query_args)


@blueprint.get(f"{STORE}/coverage")
@operation(example=COVERAGE, path_examples=STORE_EXAMPLE)
@table("no-data", Span, "no_data")
@validate_querystring(WindowQuery)
@document_response(Coverage)
@reads_replica
async def get_coverage(store_id: str, query_args: WindowQuery) -> Response:
    """How much of a store's open time is within 90 minutes after a poll. Time without data is not downtime."""
    window = await requested_window(store_id, query_args)
    return json_response(await stores.select_coverage(pool(), store_id, window))


@blueprint.get(f"{STORE}/days")
@operation(example=[DAY], path_examples=STORE_EXAMPLE)
@table("days", StoreDay)
@validate_querystring(DaysQuery)
@document_response(list[StoreDay])
@reads_replica
async def list_store_days(store_id: str, query_args: DaysQuery) -> Response:
    """The figures of a store for each local day, in order; none before its first poll.

    Days whose polls were deleted keep their figures.
    """
    await require_known_store(store_id)
    now = datetime.now(UTC)
    return json_response(await stores.select_days(pool(), store_id, query_args.days, query_args.to, now))


@blueprint.get("/stores/gaps")
@operation(headers={200: LINK_HEADER}, example=[GAP])
@table("gaps", Gap)
@validate_querystring(GapsQuery)
@document_response(list[Gap])
@reads_replica
async def list_gaps(query_args: GapsQuery) -> Response:
    """When no store was polled at all: failures of the collector, not outages of stores.

    The gaps that overlap the window, in order, each with its true start and end.
    """
    window = await service.resolve_window(pool(), query_args.from_, query_args.to, datetime.now(UTC))
    min_length = timedelta(minutes=query_args.minutes)
    found = await stores.select_gaps(pool(), window, min_length, last_start(query_args), query_args.limit + 1)
    return page_by_start(found, query_args)


T = TypeVar("T", Incident, Gap)


def page_by_start(found: list[T], query: WindowPageQuery) -> Response:
    """A page of items that are ordered by their starts. found: those after the page before, one more than the limit."""
    page, headers = page_and_link(found, query.limit, lambda last: (last.start,))
    return json_response(page, 200, headers)


@blueprint.get("/stores")
@operation(headers={200: LINK_HEADER}, example=[UPTIME])
@table("stores", StoreUptime)
@validate_querystring(StoresQuery)
@document_response(list[StoreUptime])
async def list_stores(query_args: StoresQuery) -> Response:
    """The stores with their uptime up to the newest poll."""
    return await page_of_stores(query_args.period, query_args.order, None, query_args)


@blueprint.get("/stores/sla")
@operation(404, example=SLA_SUMMARY, descriptions={404: "There are no polls yet"})
@table("sla", SlaSummary)
@validate_querystring(TargetQuery)
@document_response(SlaSummary)
async def get_sla_summary(query_args: TargetQuery) -> Response:
    """How many stores were open in the period, and how many of them were up for less than the target share."""
    report = await resources().report_runner.newest(datetime.now(UTC))
    if report is None:
        raise NotFound("There are no polls yet.")
    report_id = UUID(report.report_id)
    return json_response(await fleet.select_sla_summary(pool(), report_id, query_args.period, query_args.target))


@blueprint.get("/stores/sla/breaches")
@operation(headers={200: LINK_HEADER}, example=[UPTIME])
@table("breaches", StoreUptime)
@validate_querystring(BreachesQuery)
@document_response(list[StoreUptime])
async def list_breaches(query_args: BreachesQuery) -> Response:
    """The stores that were up for less than the target share, worst first."""
    return await page_of_stores(query_args.period, "uptime", query_args.target, query_args)


class PagePosition(NamedTuple):
    """The end of a page: the report of all pages, and the sort value and the id of the last store."""

    report_id: UUID
    value: float | None
    store_id: str


async def page_of_stores(
    period: Period, order: StoreOrder, below: Decimal | None, query: StoresQuery | BreachesQuery
) -> Response:
    """A page of stores; the pages that follow are of the same report."""
    position = decode_cursor(query.cursor, PagePosition) if query.cursor else None
    if position is None:
        report = await resources().report_runner.newest(datetime.now(UTC))
        if report is None:
            return json_response([])
        report_id = UUID(report.report_id)
    else:
        report_id = position.report_id
        if await reports.select_report(pool(), report_id) is None:
            raise Invalid.field("cursor", "has expired, since newer data came in; request the first page again")
    selection = fleet.StoreSelection(report_id, period, order, below)
    after = (position.value, position.store_id) if position else None
    found = await fleet.select_store_uptimes(pool(), selection, after, query.limit + 1)

    def position_of(last: StoreUptime) -> PagePosition:
        value = {"downtime": last.downtime_seconds, "uptime": last.uptime_share, "store_id": 0.0}[order]
        return PagePosition(report_id, value, last.store_id)

    page, headers = page_and_link(found, query.limit, position_of)
    return json_response(page, 200, headers)
