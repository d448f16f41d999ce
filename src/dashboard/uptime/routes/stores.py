"""HTTP of single stores, and the gaps of the collector."""

from datetime import UTC, datetime, timedelta
from typing import TypeVar

from quart import Blueprint, Response
from quart.blueprints import BlueprintSetupState
from quart_schema import document_response, tag_blueprint
from werkzeug.routing import PathConverter

from common.web.errors import NotFound
from common.web.input_types import TableQuery
from common.web.openapi.document import LINK_HEADER, operation
from common.web.pagination import CursorInstant, decode_cursor, page_and_link
from common.web.query_string import validate_querystring
from common.web.replica import reads_replica
from common.web.resources import pool
from common.web.responses import json_response, page_link
from common.web.table_response import table
from dashboard.uptime import service
from dashboard.uptime.inputs import (
    DaysQuery,
    GapsQuery,
    WindowPageQuery,
    WindowQuery,
)
from dashboard.uptime.models.fleet import Gap
from dashboard.uptime.models.periods import UptimePeriod, UptimePeriods
from dashboard.uptime.models.stores import Coverage, Incident, Span, StoreDay, StoreNow, Stretch, Timeline, Window
from dashboard.uptime.queries import states, stores
from dashboard.uptime.store_periods import read_clock, read_figures

blueprint = Blueprint("uptime_stores", __name__)
tag_blueprint(blueprint, ["uptime"])

STORE = "/stores/<path:store_id>"
ONE_STORE = "/stores/<store:store_id>"
PARTS_OF_ALL = "business-hours|fleet|gaps|imports|sla|sla/breaches|spread|states|status|timezones"
PARTS_OF_A_STORE = "closures|coverage|days|incidents|polls|timeline|uptime"
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
STORE_NOW_EXAMPLE = {
    "store_id": TIMELINE["store_id"],
    "state": "down",
    "since": TURN,
    "group": "north",
    "timezone": "America/Chicago",
    "timezone_is_default": False,
    "always_open": False,
    "hours": [{"weekday": 0, "opens": "09:00:00", "closes": "12:00:00", "valid_from": None, "valid_to": None}],
    "last_poll": {"polled_at": TURN, "status": "inactive"},
    "incident": INCIDENT,
    "closed_because": None,
}
DAY = {
    "day": "2023-01-23",
    "open_seconds": 10800.0,
    "up_seconds": 8100.0,
    "down_seconds": 2700.0,
    "observed_seconds": 6360.0,
    "observed_up_seconds": 3660.0,
    "incidents": 1,
}
UPTIME_PERIOD = {
    "period": "24h",
    "from": FROM,
    "to": TO,
    "uptime_share": 0.5754716981132075,
    "up_seconds": 3660.0,
    "down_seconds": 2700.0,
    "unknown_seconds": 4440.0,
    "coverage": 0.5888888888888889,
    "incidents": 1,
    "recoveries": 0,
    "mean_seconds_to_recover": None,
}
UPTIME_PERIODS = {
    "store_id": TIMELINE["store_id"],
    "timezone": "America/Chicago",
    "items": [UPTIME_PERIOD],
}
GAP = {
    "start": FROM,
    "end": TO,
    "cut_start": None,
    "cut_end": "2023-01-23T17:00:00Z",
    "duration_seconds": 10800.0,
    "ongoing": False,
}


async def require_known_store(store_id: str) -> str:
    """The time zone of a store. Raises NotFound for an unknown one."""
    timezone = None if "\0" in store_id else await stores.select_timezone(pool(), store_id)
    if timezone is None:
        raise NotFound("Unknown store.")
    return timezone


async def requested_window(store_id: str, query: WindowQuery) -> Window:
    """The window of a known store. Raises NotFound and Invalid."""
    await require_known_store(store_id)
    return await service.resolve_store_window(pool(), store_id, query.from_, query.to, datetime.now(UTC))


def last_start(query: WindowPageQuery) -> datetime | None:
    """The start of the last item of the page before."""
    return decode_cursor(query.cursor, tuple[CursorInstant])[0] if query.cursor else None


def _with_page(store_id: str, figures: object) -> Response:
    """Figures as JSON, with a link to the page of the store, which shows them."""
    return json_response(figures, 200, {"Link": page_link(f"/board/stores/{store_id}")})


class StoreIdConverter(PathConverter):
    """A store's id as the end of a path, which the paths of other routes are not."""

    regex = rf"(?!(?:{PARTS_OF_ALL})\Z)(?!.*/(?:{PARTS_OF_A_STORE})\Z)[^/].*?"


@blueprint.record_once
def convert_store_ids(setup: BlueprintSetupState) -> None:
    setup.app.url_map.converters["store"] = StoreIdConverter


@blueprint.get(ONE_STORE)
@operation(404, example=STORE_NOW_EXAMPLE, path_examples=STORE_EXAMPLE)
@document_response(StoreNow)
async def get_store(store_id: str) -> Response:
    """A store now: its state and since when, its hours, time zone, last poll, and the incident that is not over."""
    await require_known_store(store_id)
    now = datetime.now(UTC)
    incident = await service.find_ongoing_incident(pool(), store_id, now)
    found = await states.select_store_now(pool(), store_id, now, incident)
    assert found is not None
    return _with_page(store_id, found)


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
    return _with_page(store_id, await stores.select_days(pool(), store_id, query_args.days, query_args.to, now))


@blueprint.get(f"{STORE}/uptime")
@operation(example=UPTIME_PERIODS, path_examples=STORE_EXAMPLE)
@table("uptime", UptimePeriod, "items")
@validate_querystring(TableQuery)
@document_response(UptimePeriods)
@reads_replica
async def get_store_uptime(store_id: str, query_args: TableQuery) -> Response:
    """A store in the last 24 hours and the last 7, 30 and 90 local days: share, downtime, incidents, coverage.

    Open time more than 90 minutes after a poll counts neither as up nor as down; in reports, in `/stores/sla` and in
    `/stores/fleet` it has the status of the poll before it. The days are those of `/stores/{store_id}/days`, of which
    the figures are sums. If the fleet was not polled in the last 168 hours, the 24 hours end with its newest poll, and
    the days with the day of that poll.
    """
    timezone = await require_known_store(store_id)
    clock = await read_clock(pool(), timezone, datetime.now(UTC))
    found = await read_figures(pool(), store_id, clock)
    return _with_page(store_id, UptimePeriods(store_id, timezone, list(found.periods)))


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
