"""HTTP of the store files: uploads, and the list of imports."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

from quart import Blueprint, Response, request
from quart_schema import document_response, tag_blueprint, validate_querystring

from common.web.bearer import operations_token_required
from common.web.errors import Invalid
from common.web.input_types import PageQuery
from common.web.openapi.document import LINK_HEADER, operation
from common.web.pagination import CursorId, decode_cursor, page_and_link
from common.web.rate_limit import Policy, rate_limit
from common.web.request_body import body_encodings, body_limit, require_media_type
from common.web.resources import pool
from common.web.responses import json_response
from dashboard.rights import api_token_required
from dashboard.uptime.inputs import UploadQuery
from dashboard.uptime.intake.parse import StoreFile
from dashboard.uptime.intake.receive import MAX_FILE_BYTES
from dashboard.uptime.models import Import, ImportSummary
from dashboard.uptime.queries import imports

blueprint = Blueprint("uptime_imports", __name__)
tag_blueprint(blueprint, ["uptime"])

CSV = "text/csv"
ACCEPTED_MEDIA_TYPES = (
    CSV,
    "application/csv",
    "text/plain",
    "application/octet-stream",
    "text/tab-separated-values",
    "application/gzip",
    "application/x-xz",
    "application/zip",
    "application/x-www-form-urlencoded",
)
"""Media types that programs send CSV files with; the last is curl's default."""
GZIP_MAGIC = b"\x1f\x8b"
UPLOADS = Policy("uploads", 60, timedelta(hours=1))
MAX_STALL_SECONDS = 60.0
"""An upload is abandoned when no data arrives for this long."""

REJECTED = {"line": 7, "reason": "status 'open' must be active or inactive"}
IMPORTED = {"rows": 1000, "new": 998, "rejected": [REJECTED], "rejected_total": 1, "notices": []}
IMPORT = {
    "import_id": 3,
    "kind": "status",
    "source": "upload",
    "started_at": "2023-01-25T18:59:00Z",
    "finished_at": "2023-01-25T18:59:01Z",
    **IMPORTED,
}


@blueprint.get("/stores/imports")
@operation(headers={200: LINK_HEADER}, example=[IMPORT])
@operations_token_required
@validate_querystring(PageQuery)
@document_response(list[Import])
async def list_imports(query_args: PageQuery) -> Response:
    """Imported files, latest first, whether pulled, uploaded or imported on the command line."""
    before = decode_cursor(query_args.cursor, tuple[CursorId]) if query_args.cursor else None
    found = await imports.select_imports(pool(), before[0] if before else None, query_args.limit + 1)
    page, headers = page_and_link(found, query_args.limit, lambda last: (last.import_id,))
    return json_response(page, 200, headers)


upload = operation(
    request_media={CSV: {"type": "string"}},
    request_headers={
        "Content-Encoding": "`gzip` if the body is compressed by HTTP; a file may be compressed without it"
    },
    descriptions={
        400: "The header line is wrong, the file is damaged, or none of its rows is valid; `errors` names them",
        415: "The media type is not one of files, or the Content-Encoding is not gzip",
    },
    example=IMPORTED,
)


@blueprint.put("/stores/status")
@upload
@api_token_required
@rate_limit(UPLOADS)
@validate_querystring(UploadQuery)
@document_response(ImportSummary)
@body_limit(MAX_FILE_BYTES)
@body_encodings("gzip")
async def upload_status(query_args: UploadQuery) -> Response:
    """Import polls: store_id, status, timestamp_utc, in any order of columns.

    A duplicate poll counts once. Invalid rows are rejected one by one; a wrong header rejects the whole file.
    """
    return await _import_body(StoreFile.STATUS, query_args)


@blueprint.put("/stores/business-hours")
@upload
@api_token_required
@rate_limit(UPLOADS)
@validate_querystring(UploadQuery)
@document_response(ImportSummary)
@body_limit(MAX_FILE_BYTES)
@body_encodings("gzip")
async def upload_business_hours(query_args: UploadQuery) -> Response:
    """Import business hours: store_id, dayOfWeek (or day; 0 = Monday), start_time_local, end_time_local.

    The file replaces all hours of the stores in it; other stores keep theirs.
    """
    return await _import_body(StoreFile.BUSINESS_HOURS, query_args)


@blueprint.put("/stores/timezones")
@upload
@api_token_required
@rate_limit(UPLOADS)
@validate_querystring(UploadQuery)
@document_response(ImportSummary)
@body_limit(MAX_FILE_BYTES)
@body_encodings("gzip")
async def upload_timezones(query_args: UploadQuery) -> Response:
    """Import time zones: store_id, timezone_str. All other stores are in America/Chicago."""
    return await _import_body(StoreFile.TIMEZONES, query_args)


async def _import_body(kind: StoreFile, query: UploadQuery) -> Response:
    """Receive the request's body to disk, then import it: no transaction waits for the network."""
    require_media_type(*ACCEPTED_MEDIA_TYPES)


async def _body_chunks() -> AsyncIterator[bytes]:
    """Yield the body in chunks. Raises Invalid when it stalls."""
    while True:
        try:
            async with asyncio.timeout(MAX_STALL_SECONDS):
                chunk = await anext(request.body, None)
        except TimeoutError:
            raise Invalid(f"The upload stalled: no data arrived for {MAX_STALL_SECONDS:.0f} seconds.") from None
        if chunk is None:
            return
        yield chunk
