"""HTTP of the store files: uploads, and the list of imports."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from tempfile import SpooledTemporaryFile
from typing import Any, TypeVar

import msgspec
from quart import Blueprint, Response, request
from quart_schema import document_response, tag_blueprint

from common.csv_import import RejectedLine
from common.web import responses
from common.web.bearer import operations_token_required
from common.web.errors import FieldError, Invalid, Unavailable
from common.web.input_types import PageQuery
from common.web.openapi.document import LINK_HEADER, operation
from common.web.pagination import CursorId, decode_cursor, page_and_link
from common.web.query_string import validate_querystring
from common.web.rate_limit import Policy, rate_limit
from common.web.request_body import IDENTITY, body_encodings, body_limit, require_media_type
from common.web.resources import pool
from common.web.responses import json_response
from common.web.table_response import table
from dashboard.resources import resources
from dashboard.rights import api_token_required
from dashboard.uptime.inputs import UploadQuery
from dashboard.uptime.intake.load import Intake, import_file
from dashboard.uptime.intake.parse import StoreFile
from dashboard.uptime.intake.receive import CHUNK_BYTES, MAX_FILE_BYTES, MEMORY_BYTES, received, steady_chunks
from dashboard.uptime.models.imports import Import, ImportSummary
from dashboard.uptime.queries import imports
from dashboard.uptime.routes.callers import changed_by

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

REJECTED = {"line": 7, "reason": "status 'open' must be active or inactive"}
IMPORTED = {"rows": 1000, "new": 998, "rejected": [REJECTED], "rejected_total": 1, "notices": []}
IMPORT = {
    "import_id": 3,
    "kind": "status",
    "source": "upload",
    "made_by": "request from 192.0.2.7, API token",
    "started_at": "2023-01-25T18:59:00Z",
    "finished_at": "2023-01-25T18:59:01Z",
    **IMPORTED,
}


@blueprint.get("/stores/imports")
@operation(headers={200: LINK_HEADER}, example=[IMPORT])
@operations_token_required
@table("imports", Import)
@validate_querystring(PageQuery)
@document_response(list[Import])
async def list_imports(query_args: PageQuery) -> Response:
    """Imported files and changes by hand, latest first: pulled, uploaded, imported by a command, or requested."""
    before = decode_cursor(query_args.cursor, tuple[CursorId]) if query_args.cursor else None
    found = await imports.select_imports(pool(), before[0] if before else None, query_args.limit + 1)
    page, headers = page_and_link(found, query_args.limit, lambda last: (last.import_id,))
    return json_response(page, 200, headers)


POLLS = """\
store_id,status,timestamp_utc
8139926242460185114,active,2023-01-23 16:14:00 UTC
8139926242460185114,inactive,2023-01-23 17:15:00 UTC
"""
HOURS = """\
store_id,dayOfWeek,start_time_local,end_time_local,valid_from
8139926242460185114,0,09:00:00,12:00:00,
8139926242460185114,0,10:00:00,16:00:00,2026-03-01
"""
TIMEZONES = """\
store_id,timezone_str,group
8139926242460185114,America/Denver,north
5415949628544298339,America/New_York,
"""
V = TypeVar("V", bound=Callable[..., Any])


def upload(file: str) -> Callable[[V], V]:
    """Describe the upload of a file. file: an example of one."""
    return operation(
        request_media={CSV: {"type": "string"}},
        request_example=file,
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
@upload(POLLS)
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
@upload(HOURS)
@api_token_required
@rate_limit(UPLOADS)
@validate_querystring(UploadQuery)
@document_response(ImportSummary)
@body_limit(MAX_FILE_BYTES)
@body_encodings("gzip")
async def upload_business_hours(query_args: UploadQuery) -> Response:
    """Import business hours: store_id, dayOfWeek (or day; 0 = Monday), start_time_local, end_time_local.

    The file replaces all hours of the stores in it; other stores keep theirs. With the column `valid_from` (a local
    day, or empty) it replaces them from its earliest day on, and older hours keep their past.
    """
    return await _import_body(StoreFile.BUSINESS_HOURS, query_args)


@blueprint.put("/stores/timezones")
@upload(TIMEZONES)
@api_token_required
@rate_limit(UPLOADS)
@validate_querystring(UploadQuery)
@document_response(ImportSummary)
@body_limit(MAX_FILE_BYTES)
@body_encodings("gzip")
async def upload_timezones(query_args: UploadQuery) -> Response:
    """Import time zones: store_id, timezone_str, and `group` if the file has it.

    All other stores are in America/Chicago. A group is a label by which reports choose stores; an empty one is none.
    """
    return await _import_body(StoreFile.TIMEZONES, query_args)


async def _import_body(kind: StoreFile, query: UploadQuery) -> Response:
    """Receive the request's body to disk, then import it: no transaction waits for the network."""
    require_media_type(*ACCEPTED_MEDIA_TYPES)
    is_encoded = request.headers.get("Content-Encoding", "").strip().lower() not in IDENTITY
    runner = resources().report_runner
    if runner.arriving.locked():
        raise Unavailable("Too many uploads are arriving.", retry_after=5)
    async with AsyncExitStack() as files:
        async with runner.arriving:
            file = await files.enter_async_context(received(steady_chunks(request.body)))
        if is_encoded and file.read(2) not in (GZIP_MAGIC, b""):
            raise Invalid("The file was refused.", errors=[FieldError("body", "is not valid gzip")])
        file.seek(0)
        intake = Intake(
            kind, file, "upload", datetime.now(UTC), made_by=changed_by(), limit=MAX_FILE_BYTES, require_rows=True
        )
        if query.rejected is None:
            async with runner.upload_slots:
                return json_response(await import_file(runner.db, intake))
        rejected = RejectedLines()
        files.callback(rejected.close)
        async with runner.upload_slots:
            summary = await import_file(runner.db, dataclasses.replace(intake, on_rejected=rejected.add))
        files.pop_all()
        file.close()  # the response closes the other file
    return Response(rejected.response_body(summary), content_type="application/json")


class RejectedLines(SpooledTemporaryFile[bytes]):
    """Rejected lines as JSON, one after the other, on disk if they are many."""

    def __init__(self) -> None:
        super().__init__(MEMORY_BYTES)
        self._separator = b""

    def add(self, line: RejectedLine) -> None:
        self.write(self._separator + responses.encode_json(line))
        self._separator = b","

    async def response_body(self, summary: ImportSummary) -> AsyncIterator[bytes]:
        """Yield the summary as JSON, with every rejected line instead of the first ones; then close the file."""
        before, after = responses.encode_json(msgspec.structs.replace(summary, rejected=[])).split(b'"rejected":[]', 1)
        with self:
            self.seek(0)
            yield before + b'"rejected":['
            while part := await asyncio.to_thread(self.read, CHUNK_BYTES):
                yield part
            yield b"]" + after
