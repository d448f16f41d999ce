"""HTTP of the reports, and of the files that they are made from."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from uuid import UUID

import msgspec
from quart import Blueprint, Quart, Response, current_app, request
from quart_schema import document_response, tag_blueprint, validate_querystring

from common import json
from common.body import body_limit, parts, require_media_type
from common.database import Connection, pool
from common.errors import Broken, Invalid, NotFound, Unavailable, UnsupportedMedia
from common.fields import PageQuery
from common.idempotency import Answer, once
from common.json import answer
from common.openapi import LINK, operation
from common.paging import ItemId, Moment, decode_cursor, first_page
from common.streaming import Sink, begun, copied, nothing
from dashboard.uptime import queries, queries_import, routes_stores, service
from dashboard.uptime.importing import import_file
from dashboard.uptime.inputs import ReportQuery, ReportRequest
from dashboard.uptime.models import (
    CSV_HEADER,
    CompleteReport,
    Import,
    Imported,
    Report,
    RunningReport,
    Triggered,
)
from dashboard.uptime.parsing import StoreFile
from dashboard.uptime.routes_stores import maker
from dashboard.uptime.unpacking import LARGEST_FILE, gunzipped, plain

blueprint = Blueprint("uptime", __name__)

TAG = "uptime"
TAGS = {TAG: "When stores were online within their business hours: reports, timelines, incidents, targets"}
tag_blueprint(blueprint, [TAG])

CSV, JSON = "text/csv", "application/json"
FILE_TYPES = (CSV, "application/csv", "text/plain", "application/octet-stream", "application/x-www-form-urlencoded")
"""What programs call a file of CSV; the last is what curl calls anything."""
STALLED_SECONDS = 60.0
"""An upload of which nothing arrives for so long is given up."""

TRIGGERED = {"report_id": "0b0d6a3c-6f0e-4a53-9d3c-1f6f0a4f6c11"}
REPORT = {
    **TRIGGERED,
    "status": "Complete",
    "progress": 1.0,
    "requested_at": "2023-01-25T19:00:00Z",
    "finished_at": "2023-01-25T19:00:02Z",
    "requested_as_of": None,
    "as_of": "2023-01-25T18:13:22.47922Z",
    "data_version": 3,
    "stores": 14092,
    "reason": None,
}
REJECTED = {"line": 7, "reason": "status must be active or inactive, not 'open'"}
IMPORTED = {"rows": 1000, "new": 998, "rejected": [REJECTED], "rejected_total": 1}
IMPORT = {
    "import_id": 3,
    "kind": "status",
    "source": "upload",
    "started_at": "2023-01-25T18:59:00Z",
    "finished_at": "2023-01-25T18:59:01Z",
    **IMPORTED,
}


def install(app: Quart) -> None:
    """Serve the capability; the lifecycle has to put a `making.Maker` into the extension `reports`."""
    app.register_blueprint(blueprint)
    app.register_blueprint(routes_stores.blueprint)


@blueprint.post("/trigger_report")
@operation(words={202: "The report is being made"}, example=TRIGGERED, idempotent=True)
@validate_querystring(ReportRequest)
@document_response(Triggered, 202)
async def trigger_report(query_args: ReportRequest) -> Response:
    """Ask for a report on all stores: the hour, the day and the week up to the newest poll, or up to `as_of`.

    While one of the same thing and the same data is being made, it is that one.
    """

    async def create(connection: Connection) -> Answer:
        report_id = await service.request_report(connection, query_args.as_of)
        return Answer(202, json.encode(Triggered(str(report_id))))

    return await _triggered(await once(pool(), "POST /trigger_report", create))


@blueprint.get("/trigger_report")
@operation(words={202: "The report is being made"}, example=TRIGGERED)
@validate_querystring(ReportRequest)
@document_response(Triggered, 202)
async def trigger_report_by_get(query_args: ReportRequest) -> Response:
    """The same as POST; the source of this names no method."""
    report_id = await service.request_report(pool(), query_args.as_of)
    return await _triggered(answer(Triggered(str(report_id)), 202))


async def _triggered(response: Response) -> Response:
    """The answer, the report that it names being made from now on."""
    report_id = msgspec.json.decode(await response.get_data(as_text=False), type=Triggered).report_id
    current_app.add_background_task(maker().make, UUID(report_id))
    return response


@blueprint.get("/get_report")
@operation(
    404,
    media={200: {CSV: {"type": "string"}}},
    headers={200: {
        "X-Report-Status": "Running or Complete",
        "X-Report-As-Of": "Where the windows of a complete report end",
        "X-Data-Version": "The id of the last import that a complete report knows",
        "Content-Disposition": "The name of the CSV file",
    }},
    words={
        200: "Running, with the progress, as JSON; or complete, as CSV or by Accept as JSON",
        500: "The report failed; `detail` says why",
    },
    example={"status": "Running", "progress": 0.4},
)  # fmt: skip
@validate_querystring(ReportQuery)
@document_response(RunningReport | CompleteReport)
async def get_report(query_args: ReportQuery) -> Response:
    """How far a report is, and when it is complete the report itself."""
    report = await service.find_report(pool(), query_args.report_id)
    if report is None:
        raise NotFound("There is no report of this id.")
    if report.status == "Failed":
        raise Broken(report.reason or "The report failed.", code="report_failed")
    headers = {"X-Report-Status": report.status, "Vary": "Accept"}
    if report.status == "Running":
        return answer(RunningReport(report.progress), 200, {**headers, "Cache-Control": "no-store"})
    headers["X-Data-Version"] = str(report.data_version)
    if report.as_of is not None:
        headers["X-Report-As-Of"] = report.as_of.isoformat().replace("+00:00", "Z")
    as_json = request.accept_mimetypes.best_match([CSV, JSON], CSV) == JSON
    if not as_json:
        headers["Content-Disposition"] = f'attachment; filename="{_file_name(report)}"'
    content_type = JSON if as_json else f"{CSV}; charset=utf-8"
    if request.method == "HEAD":
        return Response(nothing(), content_type=content_type, headers=headers)
    rows = await begun(_rows(report, queries.copy_report_objects if as_json else queries.copy_report_rows))
    body = _as_json(rows) if as_json else _as_csv(rows)
    return Response(body, content_type=content_type, headers=headers)


def _file_name(report: Report) -> str:
    return f"uptime-{report.as_of:%Y%m%dT%H%M%SZ}.csv" if report.as_of else "uptime.csv"


CopyRows = Callable[[Connection, UUID, Sink], Awaitable[None]]


def _rows(report: Report, copy_rows: CopyRows) -> AsyncGenerator[bytes, None]:
    """The lines of a complete report."""

    async def copy(connection: Connection, output: Sink) -> None:
        await copy_rows(connection, UUID(report.report_id), output)

    return copied(maker().db, copy)


async def _as_csv(rows: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield CSV_HEADER.encode()
    async for lines in rows:
        yield lines


async def _as_json(rows: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A `CompleteReport`. rows: whole lines of `copy_report_objects`."""
    yield b'{"status":"Complete","rows":['
    before = b""
    async for lines in rows:
        if lines:
            yield before + lines[:-1].replace(b"\\\\", b"\\").replace(b"\n", b",\n")
            before = b",\n"
    yield b"]}\n"


@blueprint.get("/reports")
@operation(headers={200: LINK}, example=[REPORT])
@validate_querystring(PageQuery)
@document_response(list[Report])
async def list_reports(query_args: PageQuery) -> Response:
    """The reports, the latest first, with the state of the data that each is of."""
    before = decode_cursor(query_args.cursor, tuple[Moment, UUID]) if query_args.cursor else None
    found = await queries.select_reports(pool(), None, before, query_args.limit + 1)
    page, headers = first_page(found, query_args.limit, lambda last: (last.requested_at, UUID(last.report_id)))
    return answer(page, 200, headers)


@blueprint.get("/stores/imports")
@operation(headers={200: LINK}, example=[IMPORT])
@validate_querystring(PageQuery)
@document_response(list[Import])
async def list_imports(query_args: PageQuery) -> Response:
    """The files that came in, the latest first, whether pulled, uploaded or imported by command."""
    before = decode_cursor(query_args.cursor, tuple[ItemId]) if query_args.cursor else None
    found = await queries_import.select_imports(pool(), before[0] if before else None, query_args.limit + 1)
    page, headers = first_page(found, query_args.limit, lambda last: (last.import_id,))
    return answer(page, 200, headers)


upload = operation(
    request_media={CSV: {"type": "string"}},
    request_headers={"Content-Encoding": "`gzip` where the body is packed"},
    words={415: "Not text/csv, or another Content-Encoding than gzip"},
    example=IMPORTED,
)


@blueprint.put("/stores/status")
@upload
@document_response(Imported)
@body_limit(LARGEST_FILE)
async def upload_status() -> Response:
    """Take in polls: store_id, status, timestamp_utc, in any order of columns.

    A poll seen twice counts once. Bad rows are named and lose nothing else; a wrong header refuses the file whole.
    """
    return await _take_in(StoreFile.STATUS)


@blueprint.put("/stores/business-hours")
@upload
@document_response(Imported)
@body_limit(LARGEST_FILE)
async def upload_business_hours() -> Response:
    """Take in business hours: store_id, dayOfWeek (or day; 0 = Monday), start_time_local, end_time_local.

    The hours of a store that the file names replace its old ones as a whole; other stores keep theirs.
    """
    return await _take_in(StoreFile.BUSINESS_HOURS)


@blueprint.put("/stores/timezones")
@upload
@document_response(Imported)
@body_limit(LARGEST_FILE)
async def upload_timezones() -> Response:
    """Take in time zones: store_id, timezone_str. A store that no file names is in America/Chicago."""
    return await _take_in(StoreFile.TIMEZONES)


async def _take_in(kind: StoreFile) -> Response:
    """The file in the request's body, as it arrives."""
    require_media_type(*FILE_TYPES)
    match request.headers.get("Content-Encoding", "identity").strip().lower():
        case "identity" | "":
            chunks = plain(_arriving())
        case "gzip" | "x-gzip":
            chunks = gunzipped(_arriving())
        case other:
            raise UnsupportedMedia(
                f"This takes files as they are or packed by gzip, not by {other[:40]}.",
                headers={"Accept-Encoding": "gzip"},
            )
    if maker().uploads.locked():
        raise Unavailable("As many uploads as there may be are under way.", retry_after=5)
    async with maker().uploads:
        return answer(await import_file(maker().db, kind, chunks, "upload"))


async def _arriving() -> AsyncIterator[bytes]:
    """The body part by part. Raises Invalid when it stalls."""
    body = parts(request.body)
    while True:
        try:
            async with asyncio.timeout(STALLED_SECONDS):
                part = await anext(body, None)
        except TimeoutError:
            raise Invalid(f"The upload stalled: nothing arrived for {STALLED_SECONDS:.0f} seconds.") from None
        if part is None:
            return
        yield part
