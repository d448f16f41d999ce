"""HTTP of the fleet: stores by uptime and by state, and those that miss a target."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from quart import Blueprint, Response
from quart_schema import document_response, tag_blueprint

from common.limits import MAX_WINDOW_DAYS
from common.web.errors import Invalid, NotFound
from common.web.input_types import TableQuery
from common.web.openapi.document import NEXT_AND_PAGE_LINK_HEADER, PAGE_LINK_HEADER, operation
from common.web.pagination import decode_cursor, page_and_link
from common.web.query_string import validate_querystring
from common.web.resources import pool
from common.web.responses import json_response, page_link
from common.web.table_response import table
from dashboard.resources import resources
from dashboard.uptime.fleet_list import FLEET_PAGE
from dashboard.uptime.inputs import BreachesQuery, SpanQuery, StoresQuery, TargetQuery
from dashboard.uptime.models.fleet import DaySpan, SlaSummary, StateCounts, StoreUptime, WantedStores
from dashboard.uptime.queries import days, fleet, reports, states

blueprint = Blueprint("uptime_fleet", __name__)
tag_blueprint(blueprint, ["uptime"])

AS_OF = "2023-01-23T18:00:00Z"
UPTIME = {
    "store_id": "8139926242460185114",
    "timezone": "America/Chicago",
    "uptime_seconds": 8100.0,
    "downtime_seconds": 2700.0,
    "uptime_share": 0.75,
    "state": "up",
}
SLA_SUMMARY = {
    "target": 0.99,
    "stores": 14092,
    "breaches": 3120,
    "period": "week",
    "report_id": "0b0d6a3c-6f0e-4a53-9d3c-1f6f0a4f6c11",
    "as_of": AS_OF,
    "from": None,
    "to": None,
    "through": None,
    "incidents": None,
}
STATES = {"at": AS_OF, "up": 9000, "down": 92, "closed": 4988, "stale": 10, "never_polled": 2}


def requested_days(query: SpanQuery) -> DaySpan | None:
    """The local days that a query names; None for the last hour, day or week. Raises Invalid."""
    if query.month is not None:
        if query.from_ is not None or query.to is not None:
            raise Invalid.field("month", "cannot be combined with `from` and `to`")
        following = (query.month + timedelta(days=31)).replace(day=1)
        return DaySpan(query.month, following - timedelta(days=1))
    if query.from_ is None and query.to is None:
        return None
    if query.from_ is None or query.to is None:
        raise Invalid.field("from" if query.from_ is None else "to", "is required with the other end")
    if query.to < query.from_:
        raise Invalid.field("from", "must not be after `to`")
    if query.to - query.from_ >= timedelta(days=MAX_WINDOW_DAYS):
        raise Invalid.field("from", f"must be less than {MAX_WINDOW_DAYS} days before `to`")
    return DaySpan(query.from_, query.to)


@blueprint.get("/stores/states")
@operation(headers={200: PAGE_LINK_HEADER}, example=STATES)
@table("states", StateCounts)
@validate_querystring(TableQuery)
@document_response(StateCounts)
async def get_state_counts(query_args: TableQuery) -> Response:
    """How many stores are up, down, closed, stale or were never polled now, or up to two minutes ago, as `at` says."""
    now = await resources().fleet.states(datetime.now(UTC))
    return json_response(now.counts(), 200, {"Link": page_link(FLEET_PAGE)})


@blueprint.get("/stores")
@operation(headers={200: NEXT_AND_PAGE_LINK_HEADER}, example=[UPTIME])
@table("stores", StoreUptime)
@validate_querystring(StoresQuery)
@document_response(list[StoreUptime])
async def list_stores(query_args: StoresQuery) -> Response:
    """The stores with their state now and their uptime up to the newest poll, or on local days.

    With `state=never_polled`: the stores that a file names and that nobody has polled.
    """
    if query_args.state == "never_polled":
        return await page_of_never_polled(query_args)
    among = None
    if query_args.state is not None:
        among = (await resources().fleet.states(datetime.now(UTC))).in_state(query_args.state)
    return await page_of_stores(WantedStores(query_args.order, None, among), query_args)


async def page_of_never_polled(query: StoresQuery) -> Response:
    after = decode_cursor(query.cursor, tuple[str])[0] if query.cursor else None
    found = await states.select_never_polled(pool(), after, query.limit + 1, datetime.now(UTC))
    page, headers = page_and_link(found, query.limit, lambda last: (last.store_id,))
    return json_response(page, 200, with_page_link(headers))


@blueprint.get("/stores/sla")
@operation(404, 503, example=SLA_SUMMARY, descriptions={404: "There are no polls yet"})
@table("sla", SlaSummary)
@validate_querystring(TargetQuery)
@document_response(SlaSummary)
async def get_sla_summary(query_args: TargetQuery) -> Response:
    """How many stores were open in the period, and how many of them were up for less than the target share.

    A month, or the days `from` to `to`, are those of each store's own time zone; days that are not over are left out.
    """
    now = datetime.now(UTC)
    span = requested_days(query_args)
    if span is not None:
        await resources().report_runner.require_days(now)
        return json_response(await days.select_sla_of_days(pool(), span, query_args.target, now))
    report = await resources().report_runner.newest(now)
    if report is None:
        raise NotFound("There are no polls yet.")
    report_id = UUID(report.report_id)
    return json_response(await fleet.select_sla_summary(pool(), report_id, query_args.period, query_args.target))


@blueprint.get("/stores/sla/breaches")
@operation(503, headers={200: NEXT_AND_PAGE_LINK_HEADER}, example=[UPTIME])
@table("breaches", StoreUptime)
@validate_querystring(BreachesQuery)
@document_response(list[StoreUptime])
async def list_breaches(query_args: BreachesQuery) -> Response:
    """The stores that were up for less than the target share, worst first."""
    return await page_of_stores(WantedStores("uptime", query_args.target), query_args)


class PagePosition(NamedTuple):
    """The end of a page: the report of all pages, if it is of one, and the sort value and the id of the last store."""

    report_id: UUID | None
    value: float | None
    store_id: str


async def page_of_stores(wanted: WantedStores, query: StoresQuery | BreachesQuery) -> Response:
    """A page of stores; the pages that follow are of the same report."""
    now = datetime.now(UTC)
    span = requested_days(query)
    position = decode_cursor(query.cursor, PagePosition) if query.cursor else None
    if position is not None and (position.report_id is None) != (span is not None):
        raise Invalid.field("cursor", "is not a valid cursor for this period")
    after = (position.value, position.store_id) if position else None
    report_id = None
    if span is not None:
        await resources().report_runner.require_days(now)
        found = await days.select_store_uptimes_of_days(pool(), span, wanted, after, query.limit + 1, now)
    else:
        report_id = position.report_id if position else await _newest_report(now)
        if report_id is None:
            return json_response([], 200, with_page_link({}))
        if position is not None and await reports.select_report(pool(), report_id) is None:
            raise Invalid.field("cursor", "has expired, since newer data came in; request the first page again")
        limit = query.limit + 1
        found = await fleet.select_store_uptimes(pool(), report_id, query.period, wanted, after, limit, now)

    def position_of(last: StoreUptime) -> PagePosition:
        value = {"downtime": last.downtime_seconds, "uptime": last.uptime_share, "store_id": 0.0}[wanted.order]
        return PagePosition(report_id, value, last.store_id)

    page, headers = page_and_link(found, query.limit, position_of)
    return json_response(page, 200, with_page_link(headers))


def with_page_link(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of a list, with the link to the page for people beside that to the next page."""
    return {"Link": ", ".join([*headers.values(), page_link(FLEET_PAGE)])}


async def _newest_report(now: datetime) -> UUID | None:
    report = await resources().report_runner.newest(now)
    return UUID(report.report_id) if report else None
