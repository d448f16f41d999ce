"""HTTP of the store polls: three CSV files with ETags."""

from datetime import UTC, datetime

from quart import Blueprint, Response, request
from quart_schema import tag_blueprint

from common.db.pool import Connection
from common.web.openapi.document import HEADER_DESCRIPTIONS, operation
from common.web.query_string import validate_querystring
from common.web.resources import pool
from common.web.streaming import Copy, Sink, empty_body, prefetch_first_chunk, stream_copy
from provider.resources import resources
from provider.store_polls import queries
from provider.store_polls.inputs import StatusQuery

blueprint = Blueprint("store_polls", __name__)

TAG = "store polls"
tag_blueprint(blueprint, [TAG])

CSV = "text/csv"
BEFORE_FIRST_POLL = datetime.fromisoformat("1970-01-01T00:00:00Z")

csv_file = operation(
    media={200: {CSV: {"type": "string"}}},
    headers={200: {"ETag": HEADER_DESCRIPTIONS["ETag"]}, 304: {"ETag": HEADER_DESCRIPTIONS["ETag"]}},
    descriptions={200: "The file, with a header line", 304: "The file has not changed"},
    request_headers={"If-None-Match": "ETag of the copy that the client has"},
)


@blueprint.get("/stores/status.csv")
@csv_file
@validate_querystring(StatusQuery)
async def get_status_file(query_args: StatusQuery) -> Response:
    """Every poll up to now, oldest first: store_id, status, timestamp_utc."""
    polled_until = await queries.select_polled_until(pool()) or BEFORE_FIRST_POLL
    until = min(polled_until, datetime.now(UTC))  # the clock may have been ahead

    async def copy(connection: Connection, output: Sink) -> None:
        await queries.copy_status_file(connection, query_args.since, until, output)

    return await _file_response(f"{until.timestamp():.6f}", copy)


@blueprint.get("/stores/business_hours.csv")
@csv_file
async def get_business_hours_file() -> Response:
    """Business hours: store_id, dayOfWeek (0 = Monday), start_time_local, end_time_local."""
    return await _file_response(await _fleet_version(), queries.copy_hours_file)


@blueprint.get("/stores/timezones.csv")
@csv_file
async def get_timezones_file() -> Response:
    """Time zones: store_id, timezone_str."""
    return await _file_response(await _fleet_version(), queries.copy_timezones_file)


async def _fleet_version() -> str:
    """Return the version of the fleet, which never changes after it was created."""
    return "fleet" if await queries.select_polled_until(pool()) else "none"


async def _file_response(version: str, copy: Copy) -> Response:
    """Return the file, or 304 when the client has this version."""
    headers = {"ETag": f'"{version}"'}
    if request.if_none_match.contains_weak(version):
        unchanged = Response(b"", status=304, headers=headers)
        del unchanged.headers["Content-Type"]
        return unchanged
    if request.method == "HEAD":
        body = empty_body()
    else:
        body = await prefetch_first_chunk(stream_copy(resources().pools.streams, copy))
    return Response(body, content_type=f"{CSV}; charset=utf-8", headers=headers)
