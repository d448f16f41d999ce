"""HTTP of what the page of the fleet shows: how the shares of uptime are spread, and the stores, worst first."""

from datetime import UTC, datetime
from uuid import UUID

from quart import Blueprint, Response
from quart_schema import document_response, tag_blueprint

from common.web.openapi.document import NEXT_AND_PAGE_LINK_HEADER, PAGE_LINK_HEADER, operation
from common.web.pagination import decode_cursor, encode_cursor, next_link
from common.web.query_string import validate_querystring
from common.web.resources import pool
from common.web.responses import json_response, page_link
from common.web.table_response import table
from dashboard.resources import resources
from dashboard.uptime.fleet_list import FLEET_LIST, FLEET_PAGE, SPREAD_LIST, read_fleet_stores
from dashboard.uptime.inputs import FleetQuery, SpreadQuery
from dashboard.uptime.models.fleet import BandCount, FleetPosition, FleetStore, Spread, WantedFleet

blueprint = Blueprint("uptime_spread", __name__)
tag_blueprint(blueprint, ["uptime"])

AS_OF = "2023-01-23T18:00:00Z"
SPREAD = {
    "period": "week",
    "target": 0.99,
    "report_id": "0b0d6a3c-6f0e-4a53-9d3c-1f6f0a4f6c11",
    "as_of": AS_OF,
    "measured": 3,
    "breaches": 1,
    "p5": 0.775,
    "p50": 1.0,
    "bands": [
        {"band": "0", "from": 0.0, "to": 0.9, "stores": 1},
        {"band": "90", "from": 0.9, "to": 0.95, "stores": 0},
        {"band": "95", "from": 0.95, "to": 0.99, "stores": 0},
        {"band": "99", "from": 0.99, "to": 0.999, "stores": 0},
        {"band": "99.9", "from": 0.999, "to": 1.0, "stores": 0},
        {"band": "100", "from": 1.0, "to": 1.0, "stores": 2},
        {"band": "not_open", "from": None, "to": None, "stores": 0},
        {"band": "no_data", "from": None, "to": None, "stores": 0},
    ],
    "states": {"at": AS_OF, "up": 2, "down": 1, "closed": 0, "stale": 0, "never_polled": 0},
    "down_now": ["8139926242460185114"],
}
FLEET_STORE = {
    "store_id": "8139926242460185114",
    "timezone": "America/Chicago",
    "group": "north",
    "state": "down",
    "last_polled_at": "2023-01-23T17:15:00Z",
    "uptime_seconds": 8100.0,
    "downtime_seconds": 2700.0,
    "observed_seconds": 6360.0,
    "uptime_share": 0.75,
    "band": "0",
    "misses_target": True,
    "last_incident": {
        "start": "2023-01-23T17:15:00Z",
        "end": None,
        "downtime_seconds": 2700.0,
        "began_before": False,
    },
    "days": [
        {
            "start": "2023-01-22T18:00:00Z",
            "open_seconds": 10800.0,
            "up_seconds": 8100.0,
            "observed_seconds": 6360.0,
        }
    ],
}


@blueprint.get(SPREAD_LIST)
@operation(503, headers={200: PAGE_LINK_HEADER}, example=SPREAD)
@table("spread", BandCount, "bands")
@validate_querystring(SpreadQuery)
@document_response(Spread)
async def get_spread(query_args: SpreadQuery) -> Response:
    """How the stores' shares of uptime are spread in the last hour, day or week, and which stores are down now.

    A store that nobody observed in the period has no share here: nothing is known of it.
    """
    now = datetime.now(UTC)
    report = await resources().report_runner.newest(now)
    states = await resources().fleet.states(now)
    found = await resources().fleet.spread(report, query_args.period, query_args.target, states)
    return json_response(found, 200, {"Link": page_link(FLEET_PAGE)})


@blueprint.get(FLEET_LIST)
@operation(503, headers={200: NEXT_AND_PAGE_LINK_HEADER}, example=[FLEET_STORE])
@table("fleet", FleetStore)
@validate_querystring(FleetQuery)
@document_response(list[FleetStore])
async def list_fleet(query_args: FleetQuery) -> Response:
    """The stores with their state now, their share of uptime, their last incident and their week; worst first.

    First the least share, then the most downtime; stores without a share are last. Stores that were never polled are in
    the list too.
    """
    now = datetime.now(UTC)
    links = [page_link(FLEET_PAGE)]
    start = decode_cursor(query_args.cursor, FleetPosition) if query_args.cursor else None
    if start is None:
        report = await resources().report_runner.newest(now)
        start = FleetPosition(UUID(report.report_id) if report else None)
    fleet = await resources().fleet.states(now)
    among = None if query_args.state is None else fleet.in_state(query_args.state)
    wanted = WantedFleet(query_args.target, query_args.band, among, query_args.search or None)
    found = await read_fleet_stores(pool(), query_args.period, wanted, start, query_args.limit, fleet=fleet, now=now)
    if found.next_after is not None:
        links.insert(0, next_link(encode_cursor(*found.next_after)))
    return json_response(found.stores, 200, {"Link": ", ".join(links)})
