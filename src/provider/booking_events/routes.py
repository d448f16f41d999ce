"""HTTP of the feed."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from datetime import UTC, datetime

from quart import Blueprint, Response, request
from quart_schema import document_response, tag_blueprint

from common.db.pool import Connection
from common.instants import format_instant
from common.tables import CSV, XLSX, TooManyRowsError
from common.web import responses
from common.web.bearer import token_required
from common.web.errors import Invalid, NotFound
from common.web.idempotency import StoredResponse, credential, requested_key, run_once_per_key
from common.web.input_types import MAX_ID
from common.web.negotiation import negotiate
from common.web.openapi.document import LINK_HEADER, TABLE_MEDIA, operation
from common.web.pagination import encode_cursor, next_link
from common.web.query_string import validate_querystring
from common.web.replica import complete_through, reads_replica
from common.web.request_body import body_limit, json_body, raw_body, require_media_type
from common.web.resources import pool, stream_pool
from common.web.spooled import spooled_response
from common.web.streaming import empty_body
from common.web.table_response import MEDIA_TYPES, file_headers
from provider.booking_events import feed, queries, service
from provider.booking_events.batch_body import MAX_BATCH_BYTES, MAX_BATCH_EVENTS, parse_array, parse_lines
from provider.booking_events.inputs import EventInput, EventsQuery
from provider.booking_events.models import BatchResult, Event, Page, StoredEvent, decode_position
from provider.booking_events.queries import FeedFormat, LineReader
from provider.resources import resources

blueprint = Blueprint("booking_events", __name__)
tag_blueprint(blueprint, ["booking events"])

JSON, NDJSON = "application/json", "application/x-ndjson"

FEATURES = {"X-Feed": "complete, cursor, ndjson, recorded", "Vary": "Accept"}
"""Names the features of this feed beyond the source's parameters. `complete`: responses are never silently cut off."""

FEED = "feed"

feed_token_required = token_required(FEED, lambda: resources().config.feed_token)

EXAMPLE = {
    "id": 1,
    "hotel_id": 1,
    "event_timestamp": "2020-01-01T00:00:00Z",
    "status": 1,
    "room_id": 1,
    "night_of_stay": "2020-01-01",
}
EXAMPLE_LINES = "".join(
    f'{{"hotel_id":1,"event_timestamp":"2020-01-01T00:00:00Z","status":1,"room_id":1,"night_of_stay":"{night}"}}\n'
    for night in ("2020-01-01", "2020-01-02")
)


@blueprint.get("/events")
@operation(
    headers={
        200: LINK_HEADER
        | {
            "X-Feed": "The features of this feed beyond the source's parameters",
            "X-Feed-Events": "Of a streamed response: about how many events the feed has in all, whatever the filters",
            "X-Recorded-Through": "Of a read replica: every event stored before this time is taken into account",
        }
    },
    request_headers={"Cache-Control": "`no-cache`: read the primary, which has every event that is stored"},
    media={200: {NDJSON: {"type": "string"}, **TABLE_MEDIA}},
    example=[EXAMPLE],
)
@validate_querystring(EventsQuery)
@document_response(list[Event])
@reads_replica
async def list_events(query_args: EventsQuery) -> Response:
    """The events that match, in the order of their time and id.

    Without `limit`, all of them are streamed. With `limit`, the response is one page; the Link header leads to the
    next. A page may hold fewer events than `limit`, even none: only a page without a Link header is the last. The
    Accept header, or `format`, chooses a JSON array, NDJSON, CSV or XLSX.
    """
    query_args.require_ordered()
    accepted = MEDIA_TYPES.get(query_args.format or "") or negotiate(JSON, NDJSON, CSV, XLSX)
    form: FeedFormat = "csv" if accepted in (CSV, XLSX) else "json"
    after = decode_position(query_args.cursor) if query_args.cursor is not None else None
    through = await complete_through()  # before the events are read, which then have at least that
    reader = LineReader(pool(), await resources().events.is_distributed())
    page = await feed.read_page(reader, query_args, form, after, query_args.limit or feed.MAX_UNSTREAMED_EVENTS)
    headers = _headers(accepted, through)
    if page.end is not None:
        if query_args.limit is None:
            await feed.require_narrow(pool(), query_args)
            return await _stream(accepted, page, query_args, form, headers)
        headers["Link"] = next_link(encode_cursor(*page.end))
    if accepted == XLSX:
        return await _workbook(feed.no_lines(), page, headers)
    if accepted == JSON:
        body = b"[" + feed.as_items(page.lines) + b"]\n"
    else:
        body = _csv_header(accepted) + page.lines
    return Response(body, content_type=_content_type(accepted), headers=headers)


async def _stream(accepted: str, page: Page, query: EventsQuery, form: FeedFormat, headers: dict[str, str]) -> Response:
    """All events: those of the first page, then the output of COPY.

    The response begins after COPY has begun, so that an error before that still gets its status.
    """
    if (about := await queries.select_about_events(pool())) is not None:
        headers["X-Feed-Events"] = str(about)
    if request.method == "HEAD":
        return Response(empty_body(), content_type=_content_type(accepted), headers=headers)
    rest = feed.lines_after(stream_pool(resources().pools.streams), query, form, page.end)
    if accepted == XLSX:
        return await _workbook(rest, page, headers)
    second = await anext(rest, b"")
    if accepted == JSON:
        body = feed.as_array(page.lines, second, rest)
    else:
        body = feed.as_lines(_csv_header(accepted) + page.lines, second, rest)
    return Response(body, content_type=_content_type(accepted), headers=headers)


async def _workbook(rest: AsyncGenerator[bytes, None], page: Page, headers: dict[str, str]) -> Response:
    """The events of the page and of the chunks that follow as a workbook, made in full before it is sent."""
    body = feed.as_workbook(page.lines, rest)
    try:
        return await spooled_response(body, content_type=XLSX, headers=headers)
    except TooManyRowsError as error:
        raise Invalid.field("format", f"{error}; use csv, or page with `limit`") from None


def _headers(accepted: str, through: datetime | None) -> dict[str, str]:
    """The headers of every response; CSV and XLSX are files to be saved. through: of a replica."""
    recorded = {"X-Recorded-Through": format_instant(through)} if through is not None else {}
    return {**FEATURES, **recorded, **(file_headers("events", accepted) if accepted in (CSV, XLSX) else {})}


def _csv_header(accepted: str) -> bytes:
    return queries.CSV_HEADER if accepted == CSV else b""


def _content_type(accepted: str) -> str:
    return "text/csv; charset=utf-8" if accepted == CSV else accepted


@blueprint.post("/events")
@operation(
    409,
    headers={201: {"Location": "The path of the event"}},
    descriptions={200: "The same event is stored already; nothing changed", 201: "Stored"},
    request_example=EXAMPLE,
    example=EXAMPLE,
    idempotent=True,
)
@feed_token_required
@document_response(Event, 200)
@document_response(Event, 201)
@json_body(EventInput)
async def create_event(data: EventInput) -> Response:
    """Store an event.

    Without an id the server assigns one. 200 when the same event is stored already, 409 when its id is stored with
    different content.
    """
    if requested_key() is None:
        return _response(await resources().event_writer.store(data)).response()

    async def create(connection: Connection) -> StoredResponse:
        return _response(await service.store_one(connection, data))

    return await run_once_per_key(pool(), "POST /events", create, caller=sender_of([data.hotel_id]))


def sender_of(hotel_ids: Iterable[int]) -> str:
    """The sender of events, whose idempotency keys do not clash with those of other hotels.

    The hotels are part of it even where requests have a credential: all hotels may share the token of the feed.
    """
    return f"{credential()} of hotels {sorted(set(hotel_ids))}"


def _response(event: StoredEvent) -> StoredResponse:
    headers = {"Location": f"/events/{event.id}"} if event.is_new else {}
    return StoredResponse(201 if event.is_new else 200, event.body.encode(), headers)


@blueprint.post("/events/batch")
@operation(
    409,
    request_media={
        JSON: {"type": "array", "maxItems": MAX_BATCH_EVENTS, "minItems": 1, "items": EventInput},
        NDJSON: {"type": "string"},
    },
    request_text_examples={NDJSON: EXAMPLE_LINES},
    idempotent=True,
)
@feed_token_required
@document_response(BatchResult, 201)
@body_limit(MAX_BATCH_BYTES)
async def create_events() -> Response:
    """Store up to 10,000 events, as a JSON array or as NDJSON: all of them, or none.

    Invalid lines, counted from 1, are named in a 400; lines whose ids are stored with different content in a 409.
    """
    parse = parse_array if require_media_type(JSON, NDJSON) == JSON else parse_lines
    batch = await asyncio.to_thread(parse, await raw_body(), datetime.now(UTC))

    async def create(connection: Connection) -> StoredResponse:
        return StoredResponse(201, responses.encode_json(await service.store_batch(connection, batch)))

    sender = sender_of(event.hotel_id for event in batch.values())
    return await run_once_per_key(pool(), "POST /events/batch", create, caller=sender)


@blueprint.get(f"/events/<int(min=1, max={MAX_ID}):event_id>")
@operation(example=EXAMPLE)
@document_response(Event)
async def get_event(event_id: int) -> Response:
    """One event."""
    body = await queries.select_event(pool(), event_id)
    if body is None:
        raise NotFound(f"There is no event {event_id}.")
    return Response(body, content_type=JSON)
