"""HTTP of the numbers."""

import csv
import io
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from hashlib import sha1

import msgspec
from quart import Blueprint, Response, request
from quart_schema import document_response, tag_blueprint, validate_querystring

from common.web import responses
from common.web.errors import Invalid
from common.web.input_types import MAX_ID, PageQuery
from common.web.openapi.document import HEADER_DESCRIPTIONS, LINK_HEADER, operation
from common.web.pagination import CursorInstant, decode_cursor, page_and_link
from common.web.resources import pool
from common.web.responses import format_instant, json_response
from dashboard.bookings import queries, service
from dashboard.bookings.models import (
    BookingCurve,
    CurveQuery,
    Dashboard,
    DashboardQuery,
    Hotels,
    Item,
    LeadTime,
    LeadTimeQuery,
    Pace,
    PaceQuery,
    Pickup,
    PickupQuery,
    Quarantine,
    count,
)
from dashboard.bookings.service import Line

blueprint = Blueprint("bookings", __name__)
tag_blueprint(blueprint, ["bookings"])

HOTEL = f"/hotels/<int(min=1, max={MAX_ID}):hotel_id>"
COUNTED = {"ETag": HEADER_DESCRIPTIONS["ETag"], "X-Data-Through": "How far the feed is counted (RFC 3339)"}

EXAMPLE = {
    "hotel_id": 1,
    "period": "month",
    "year": 2020,
    "by": "night_of_stay",
    "items": [{"period": "2020-01", "bookings": 31, "cancellations": 4, "net": 27, "cancellation_rate": 0.129}],
    "totals": {"bookings": 400, "cancellations": 51, "net": 349, "cancellation_rate": 0.1275},
}


def today() -> date:
    """The date in UTC, by which days of events are counted."""
    return datetime.now(UTC).date()


def require_past(as_of: date | None, now: date) -> date:
    """The date asked for, or today. Raises Invalid for a future one."""
    if as_of is not None and as_of > now:
        raise Invalid.field("as_of", "is in the future")
    return as_of or now


@blueprint.get("/dashboard")
@operation(
    404,
    headers={200: COUNTED, 304: COUNTED},
    media={200: {"text/csv": {"type": "string"}}},
    descriptions={304: "The figures are those of If-None-Match"},
    request_headers={"If-None-Match": "The ETag of the figures that the caller has"},
    example=EXAMPLE,
)
@validate_querystring(DashboardQuery)
@document_response(Dashboard)
async def dashboard(query_args: DashboardQuery) -> Response:
    """Bookings and cancellations of a hotel for a year, by month, day or year.

    A day is counted by the night slept, or with by=event_date by the date (UTC) of the event. Empty days are zeros. By
    the Accept header as JSON or CSV.
    """
    as_of = require_past(query_args.as_of, today())
    first, last = date(query_args.year, 1, 1), date(query_args.year, 12, 31)
    counted = await queries.select_counted(
        pool(),
        query_args.hotel_id,
        first,
        last,
        as_of,
        by_event_date=query_args.by == "event_date",
        by_day=query_args.period == "day",
    )
    if counted is None:
        raise service.never_heard_of(query_args.hotel_id)
    lines = LINES[query_args.period](query_args.year, counted)
    if wants_csv():
        body, content_type = as_csv(lines), "text/csv; charset=utf-8"
    else:
        body, content_type = as_json(query_args, lines), "application/json"
    return with_etag(body, content_type, counted[0])


LINES = {"month": service.month_lines, "day": service.day_lines, "year": service.year_lines}


def wants_csv() -> bool:
    if "Accept" not in request.headers:
        return False
    return request.accept_mimetypes.best_match(["application/json", "text/csv"], "application/json") == "text/csv"


def as_json(query: DashboardQuery, lines: list[Line]) -> bytes:
    """A Dashboard. Its items are put together from what is remembered of the same figures, since a year has 365."""
    items = ",".join([f'{{"period":"{period}",{figures(tally)}' for period, tally in lines])
    totals = count(*service.total(tally for _, tally in lines))
    raw = msgspec.Raw(f"[{items}]".encode())
    return responses.encode_json(
        Dashboard(query.hotel_id, query.period, query.year, query.by, raw, totals, query.as_of)
    )


@lru_cache(maxsize=50_000)
def figures(tally: tuple[int, int]) -> str:
    """The JSON of an item after its period."""
    return responses.encode_json(count(*tally)).decode().removeprefix("{")


def as_csv(lines: list[Line]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(Item.__struct_fields__)
    for period, tally in lines:
        writer.writerow([period, *msgspec.structs.astuple(count(*tally))])
    return text.getvalue().encode()


def with_etag(body: bytes, content_type: str, data_through: datetime | None) -> Response:
    """The answer with a strong ETag of its body, or 304 where the caller has the same."""
    etag = sha1(body, usedforsecurity=False).hexdigest()
    headers = {
        "ETag": f'"{etag}"',
        "Cache-Control": "no-cache",
        "Vary": "Accept",
    }
    if data_through is not None:
        headers["X-Data-Through"] = format_instant(data_through)
    if "If-None-Match" in request.headers and request.if_none_match.contains_weak(etag):
        return Response(b"", status=304, headers=headers, content_type=content_type)
    return Response(body, headers=headers, content_type=content_type)


@blueprint.get("/hotels")
@operation()
@document_response(Hotels)
async def hotels() -> Response:
    """All hotels that the feed named, and how far the feed is counted."""
    through = await queries.select_data_through(pool())
    lag = round((datetime.now(UTC) - through) / timedelta(seconds=1), 3) if through else None
    return json_response(Hotels(await queries.select_hotels(pool()), through, lag and max(0.0, lag)))


@blueprint.get(f"{HOTEL}/pickup")
@operation(404)
@validate_querystring(PickupQuery)
@document_response(Pickup)
async def pickup(hotel_id: int, query_args: PickupQuery) -> Response:
    """What the last days added to, or took from, the nights ahead."""
    as_of = require_past(query_args.as_of, today())
    await service.require_hotel(pool(), hotel_id)
    nights = await queries.select_pickup(pool(), hotel_id, as_of, query_args.days, query_args.nights)
    return json_response(Pickup(hotel_id, as_of, query_args.days, nights))


@blueprint.get(f"{HOTEL}/pace")
@operation(404)
@validate_querystring(PaceQuery)
@document_response(Pace)
async def pace(hotel_id: int, query_args: PaceQuery) -> Response:
    """On the books by month, beside the same time last year."""
    as_of = require_past(query_args.as_of, today())
    await service.require_hotel(pool(), hotel_id)
    items = await service.pace(pool(), hotel_id, query_args.year, as_of, query_args.match)
    return json_response(Pace(hotel_id, query_args.year, as_of, query_args.match, items))


@blueprint.get(f"{HOTEL}/booking-curve")
@operation(404)
@validate_querystring(CurveQuery)
@document_response(BookingCurve)
async def booking_curve(hotel_id: int, query_args: CurveQuery) -> Response:
    """How a night filled up, day by day from its first event on."""
    await service.require_hotel(pool(), hotel_id)
    return json_response(
        BookingCurve(hotel_id, query_args.night, await queries.select_curve(pool(), hotel_id, query_args.night))
    )


@blueprint.get(f"{HOTEL}/lead-time")
@operation(404)
@validate_querystring(LeadTimeQuery)
@document_response(LeadTime)
async def lead_time(hotel_id: int, query_args: LeadTimeQuery) -> Response:
    """How far ahead the nights of a year were booked."""
    await service.require_hotel(pool(), hotel_id)
    return json_response(await service.lead_time(pool(), hotel_id, query_args.year))


@blueprint.get("/quarantine")
@operation(headers={200: LINK_HEADER})
@validate_querystring(PageQuery)
@document_response(Quarantine)
async def quarantine(query_args: PageQuery) -> Response:
    """What the feed sent and was not counted, with the reason."""
    after = decode_cursor(query_args.cursor, tuple[CursorInstant, bytes]) if query_args.cursor else None
    found = await queries.select_quarantine(pool(), after, query_args.limit + 1)
    page, headers = page_and_link(found, query_args.limit, lambda last: (last[1].first_seen, last[0]))
    return json_response(Quarantine([event for _, event in page]), 200, headers)
