"""HTTP of the reports."""

import csv
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from quart import Blueprint, Response, current_app
from quart_schema import document_response, tag_blueprint

from common.db.pool import Connection, transaction
from common.instants import format_instant
from common.tables import CSV, XLSX, Row, TooManyRowsError, workbook_parts
from common.version import VERSION
from common.web import responses
from common.web.caller import caller_address
from common.web.errors import FailedPermanently, Invalid, NotFound
from common.web.idempotency import StoredResponse, run_once_per_key
from common.web.input_types import PageQuery
from common.web.negotiation import negotiate
from common.web.openapi.document import HEADER_DESCRIPTIONS, LINK_HEADER, TABLE_MEDIA, operation
from common.web.pagination import CursorInstant, decode_cursor, page_and_link
from common.web.query_string import validate_querystring
from common.web.rate_limit import Policy, declare_rate_limit, take_token
from common.web.replica import is_on_replica, reads_replica
from common.web.resources import pool, stream_pool
from common.web.responses import json_response
from common.web.spooled import is_current, not_modified, spooled_response
from common.web.streaming import Sink, stream_copy
from common.web.table_response import EXTENSIONS, MEDIA_TYPES, content_type_of, file_headers, table
from dashboard.resources import resources
from dashboard.uptime import service
from dashboard.uptime.inputs import ReportQuery, ReportRequest
from dashboard.uptime.models.reports import (
    CSV_HEADER,
    FULL_CSV_HEADER,
    ChosenStores,
    CompleteReport,
    Report,
    ReportColumns,
    RequestedReport,
    RunningReport,
)
from dashboard.uptime.queries import report_rows, reports

blueprint = Blueprint("uptime", __name__)

TAG = "uptime"
tag_blueprint(blueprint, [TAG])

JSON = "application/json"
NEW_REPORTS = Policy("new-reports", 60, timedelta(hours=1))
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
    "store_ids": None,
    "group": None,
}

REPORT_HEADERS = {
    "X-Report-Status": "Running or Complete",
    "X-Report-As-Of": "End of the windows of a complete report",
    "X-Data-Version": "The id of the last import that a complete report takes into account",
    "Content-Disposition": "The name of the CSV file",
    "ETag": HEADER_DESCRIPTIONS["ETag"],
    "Accept-Ranges": "`bytes`: a complete report can be read in parts",
}


@blueprint.post("/trigger_report")
@operation(descriptions={202: "The report is being made"}, example=TRIGGERED, idempotent=True)
@declare_rate_limit(NEW_REPORTS)
@validate_querystring(ReportRequest)
@document_response(RequestedReport, 202)
async def trigger_report(query_args: ReportRequest) -> Response:
    """Request a report on all stores, or some: the hour, the day and the week up to the newest poll, or up to `as_of`.

    A running report with the same `as_of` and the same data is shared; such a request does not count against the limit.
    """
    requested: list[UUID] = []  # stays empty when the response is a stored one, whose report was started before

    async def create(connection: Connection) -> StoredResponse:
        report_id = await request_new_report(connection, query_args)
        requested.append(report_id)
        return StoredResponse(202, responses.encode_json(RequestedReport(str(report_id))))

    response = await run_once_per_key(pool(), "POST /trigger_report", create)
    for report_id in requested:
        start_making(report_id)
    return response


@blueprint.get("/trigger_report")
@operation(descriptions={202: "The report is being made"}, example=TRIGGERED)
@declare_rate_limit(NEW_REPORTS)
@validate_querystring(ReportRequest)
@document_response(RequestedReport, 202)
async def trigger_report_by_get(query_args: ReportRequest) -> Response:
    """Request a report, as POST does; the source does not say which method triggers a report."""
    async with transaction(pool()) as connection:
        report_id = await request_new_report(connection, query_args)
    start_making(report_id)
    return json_response(RequestedReport(str(report_id)), 202)


async def request_new_report(connection: Connection, query: ReportRequest) -> UUID:
    """Request a report; a new one counts against the caller's limit.

    Raises TooManyRequests beyond it; the transaction is then rolled back, and the report with it.
    """
    new_id = uuid4()
    if query.store_id is not None and query.group is not None:
        raise Invalid.field("group", "cannot be combined with `store_id`")
    chosen = ChosenStores(None if query.store_id is None else sorted(set(query.store_id)), query.group)
    report_id = await service.request_report(
        connection,
        query.as_of,
        datetime.now(UTC),
        new_id=new_id,
        chosen=chosen,
        with_details=query.columns == "full",
    )
    if report_id == new_id:
        await take_token(connection, NEW_REPORTS, caller_address())
    return report_id


PART_OF_JSON = {"description": "Part of the JSON document", "examples": [{"status": "Complete", "rows": []}]}
"""The schema of a part, which usually is not valid JSON by itself, so it has no type."""


def start_making(report_id: UUID) -> None:
    """Make the report in the background, after its request was committed."""
    current_app.add_background_task(resources().report_runner.make, report_id, datetime.now(UTC))


@blueprint.get("/get_report")
@operation(
    404,
    409,
    416,
    media={200: TABLE_MEDIA, 206: {**TABLE_MEDIA, JSON: PART_OF_JSON}},
    headers={200: REPORT_HEADERS, 206: REPORT_HEADERS, 304: {"ETag": HEADER_DESCRIPTIONS["ETag"]}},
    request_headers={
        "Range": "Bytes of a complete report, such as `bytes=1000-`",
        "If-Range": "The ETag of the report whose bytes the client has",
        "If-None-Match": "The ETag of the report that the client has",
    },
    descriptions={
        200: "While running, the progress as JSON; once complete, CSV, or what `format` or `Accept` names",
        206: "The bytes that Range asks for",
        304: "The report has not changed",
        409: "The report was made without the columns of `full`, and the dashboard can no longer add them, "
        "because the data has changed or old polls were deleted",
        500: "The report failed; `detail` states the reason",
    },
    example={"status": "Running", "progress": 0.4},
)  # fmt: skip
@validate_querystring(ReportQuery)
@document_response(RunningReport | CompleteReport)
@reads_replica
async def get_report(query_args: ReportQuery) -> Response:
    """The progress of a report, or the report itself once it is complete."""
    report = await _known_report(query_args.report_id)
    headers = {"X-Report-Status": report.status, "Vary": "Accept"}
    if report.status == "Running":
        return json_response(RunningReport(report.progress), 200, {**headers, "Cache-Control": "no-store"})
    headers["X-Data-Version"] = str(report.data_version)
    if report.as_of is not None:
        headers["X-Report-As-Of"] = format_instant(report.as_of)
    form = MEDIA_TYPES.get(query_args.format or "") or negotiate(JSON, CSV, XLSX, default=CSV)
    columns = query_args.columns
    if columns == "full" and not await _has_details(report):
        running = {"X-Report-Status": "Running", "Vary": "Accept", "Cache-Control": "no-store"}
        return json_response(RunningReport(reports.MAX_RUNNING_PROGRESS), 200, running)
    etag = f"{report.report_id}-{VERSION}-{EXTENSIONS.get(form, 'json')}{'-full' * (columns == 'full')}"
    headers["ETag"] = f'"{etag}"'
    if is_current(etag):
        return not_modified(headers)
    body = _body(report, columns, form)
    if form != JSON:
        headers |= file_headers(_file_name(report), form)
    try:
        return await spooled_response(body, content_type=content_type_of(form), headers=headers)
    except TooManyRowsError as error:
        raise Invalid.field("format", f"{error}; use csv") from None


async def _known_report(report_id: str) -> Report:
    """A report that runs or is complete. Raises NotFound, which on a replica has the primary asked, and its failure."""
    report = await service.find_report(pool(), report_id)
    if report is None or (report.status == "Running" and is_on_replica()):
        raise NotFound("Unknown report.")
    if report.status == "Failed":
        raise FailedPermanently(report.reason or "The report failed.", code="report_failed")
    return report


async def _has_details(report: Report) -> bool:
    """Whether the full columns of a report are ready; begins to make them if not.

    Raises NotFound on a replica, and Conflict once the data is no longer that of the report.
    """
    if is_on_replica() and not await report_rows.select_has_details(pool(), UUID(report.report_id)):
        raise NotFound("Unknown report.")  # the primary is asked, which makes them
    return await resources().report_runner.has_details(report)


def _body(report: Report, columns: ReportColumns, form: str) -> AsyncIterator[bytes]:
    """The content of a complete report in one of its forms."""
    if form == JSON:
        return _as_json(_rows(report, columns, report_rows.copy_report_objects))
    if form == CSV:
        return _as_csv(columns, _rows(report, columns, report_rows.copy_report_rows))
    return _as_workbook(columns, _rows(report, columns, report_rows.copy_exact_report_rows))


def _file_name(report: Report) -> str:
    return f"uptime-{report.as_of:%Y%m%dT%H%M%SZ}" if report.as_of else "uptime"


HEADERS = {"source": CSV_HEADER, "full": FULL_CSV_HEADER}
CopyRows = Callable[[Connection, UUID, ReportColumns, Sink], Awaitable[None]]


def _rows(report: Report, columns: ReportColumns, copy_rows: CopyRows) -> AsyncGenerator[bytes, None]:
    """Stream the lines of a complete report."""

    async def copy(connection: Connection, output: Sink) -> None:
        await copy_rows(connection, UUID(report.report_id), columns, output)

    return stream_copy(stream_pool(resources().report_runner.db), copy)


async def _as_csv(columns: ReportColumns, rows: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield HEADERS[columns].encode()
    async for lines in rows:
        yield lines


FIGURES = {"source": 6, "full": 12}
"""How many columns after the id are numbers; the others are texts."""
TIMEZONE_IS_DEFAULT = 1
"""The place among these texts of the one that is a boolean."""


def _as_workbook(columns: ReportColumns, rows: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield a workbook. rows: whole lines of CSV; a store's id may contain anything but a line end."""
    figures = FIGURES[columns]

    def cells(line: list[str]) -> Row:
        store_id, numbers, texts = line[0], line[1 : 1 + figures], line[1 + figures :]
        return (
            store_id,
            *(float(number) if number else None for number in numbers),
            *(_text_cell(text, is_boolean=place == TIMEZONE_IS_DEFAULT) for place, text in enumerate(texts)),
        )

    async def parsed() -> AsyncIterator[list[Row]]:
        async for lines in rows:
            yield [cells(line) for line in csv.reader(lines.decode().splitlines())]

    return workbook_parts("uptime", HEADERS[columns].strip().split(","), parsed())


def _text_cell(text: str, *, is_boolean: bool) -> str | bool | None:
    """A cell that is no figure; COPY writes booleans as `t` and `f`."""
    if is_boolean:
        return text == "t"
    return text or None


async def _as_json(rows: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield a `CompleteReport`. rows: whole lines of `copy_report_objects`."""
    yield b'{"status":"Complete","rows":['
    separator = b""
    async for lines in rows:
        if lines:
            yield separator + lines[:-1].replace(b"\\\\", b"\\").replace(b"\n", b",\n")
            separator = b",\n"
    yield b"]}\n"


@blueprint.get("/reports")
@operation(headers={200: LINK_HEADER}, example=[REPORT])
@table("reports", Report)
@validate_querystring(PageQuery)
@document_response(list[Report])
async def list_reports(query_args: PageQuery) -> Response:
    """The reports, latest first, each with the version of the data it was made from."""
    before = decode_cursor(query_args.cursor, tuple[CursorInstant, UUID]) if query_args.cursor else None
    found = await reports.select_reports(pool(), None, before, query_args.limit + 1)
    page, headers = page_and_link(found, query_args.limit, lambda last: (last.requested_at, UUID(last.report_id)))
    return json_response(page, 200, headers)
