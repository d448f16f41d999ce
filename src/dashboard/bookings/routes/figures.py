"""HTTP of the figures: counts by period, pickup, pace, curves, lead times, profiles, quarantine and audits."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha1

import msgspec
from quart import Blueprint, Response, request
from quart.blueprints import BlueprintSetupState
from quart_schema import document_response, tag_blueprint
from werkzeug.routing import IntegerConverter

from common.instants import format_instant
from common.limits import MAX_CURVE_DAYS
from common.tables import CSV, Table, csv_bytes, xlsx_bytes
from common.web import responses
from common.web.bearer import operations_token_required
from common.web.input_types import MAX_ID, PageQuery
from common.web.openapi.document import HEADER_DESCRIPTIONS, LINK_HEADER, TABLE_MEDIA, operation
from common.web.pagination import CursorId, CursorInstant, decode_cursor, page_and_link
from common.web.query_string import validate_querystring
from common.web.replica import reads_replica
from common.web.request_body import json_body
from common.web.resources import pool
from common.web.responses import json_response
from common.web.table_response import JSON, content_type_of, file_headers, table, wanted_form
from dashboard.bookings import service
from dashboard.bookings.inputs import (
    BookingCurveQuery,
    DashboardQuery,
    HotelsQuery,
    LeadTimeQuery,
    PaceQuery,
    PickupQuery,
    ProfileInput,
)
from dashboard.bookings.models.figures import (
    Audits,
    BookingCurve,
    Counts,
    CurvePoint,
    Dashboard,
    FeedDifference,
    FeedLag,
    HotelProfile,
    Hotels,
    HotelSummary,
    LeadTime,
    LeadTimeBucket,
    MonthPace,
    NightPickup,
    Pace,
    PeriodCounts,
    PeriodFigures,
    Pickup,
    Quarantine,
    QuarantinedEvent,
    figures_of,
)
from dashboard.bookings.queries import counters, differences, profiles
from dashboard.bookings.queries import quarantine as quarantine_queries
from dashboard.bookings.queries.feed_progress import select_feed_states
from dashboard.resources import resources
from dashboard.rights import api_token_required

blueprint = Blueprint("bookings", __name__)
tag_blueprint(blueprint, ["bookings"])

HOTEL_PATH = f"/hotels/<int(min=1, max={MAX_ID}):hotel_id>"
PROFILE_PATH = f"/hotels/<hotel(min=1, max={MAX_ID}):hotel_id>/profile"


class HotelIdConverter(IntegerConverter):
    """Takes an id beyond its bounds as 0, which no hotel has.

    With two methods on one path Werkzeug would answer such an id with 405 instead of 404.
    """

    def to_python(self, value: str) -> int:
        try:
            return int(super().to_python(value))
        except ValueError:
            return 0


@blueprint.record_once
def add_converter(setup: BlueprintSetupState) -> None:
    setup.app.url_map.converters["hotel"] = HotelIdConverter


DASHBOARD_HEADERS = {
    "ETag": HEADER_DESCRIPTIONS["ETag"],
    "X-Data-Through": "The time up to which all feeds are counted (RFC 3339)",
}

DASHBOARD_EXAMPLE = {
    "hotel_id": 1,
    "period": "month",
    "year": 2020,
    "by": "night_of_stay",
    "items": [{"period": "2020-01", "bookings": 31, "cancellations": 4, "net": 27, "cancellation_rate": 0.129}],
    "totals": {"bookings": 400, "cancellations": 51, "net": 349, "cancellation_rate": 0.1275},
}


PROFILE_INPUT_EXAMPLE = {"name": "Hotel Harbour", "rooms": 40, "timezone": "Europe/Berlin", "hidden": False}
PROFILE_EXAMPLE = {"hotel_id": 1, **PROFILE_INPUT_EXAMPLE}


def now() -> datetime:
    return datetime.now(UTC)


@blueprint.get("/dashboard")
@operation(
    404,
    headers={200: DASHBOARD_HEADERS, 304: DASHBOARD_HEADERS},
    media={200: TABLE_MEDIA},
    descriptions={304: "The figures are those of If-None-Match"},
    request_headers={"If-None-Match": "The ETag of the figures that the caller has"},
    example=DASHBOARD_EXAMPLE,
)
@validate_querystring(DashboardQuery)
@document_response(Dashboard)
@reads_replica
async def get_dashboard(query_args: DashboardQuery) -> Response:
    """Bookings and cancellations of a hotel for a year, by month, day or year.

    An event counts on its night of stay, or with by=event_date on its own date at the hotel. Periods without events are
    zeros.
    """
    is_distributed = await resources().counters.is_distributed()
    counted = await service.count_year(
        pool(), query_args, resources().config.feed_names, now(), is_distributed=is_distributed
    )
    form = wanted_form()
    headers = {} if form == JSON else file_headers("dashboard", form)
    if form == JSON:
        body = figures_body(query_args, counted.periods)
    else:
        made = table_of_figures(counted.periods)
        body = csv_bytes(made) if form == CSV else xlsx_bytes(made)
    return response_with_etag(body, content_type_of(form), counted.data_through, headers)


def figures_body(query: DashboardQuery, periods: list[PeriodCounts]) -> bytes:
    """A Dashboard as JSON. Its items are joined from cached JSON, since a year has up to 366 of them."""
    items = ",".join([f'{{"period":"{period}",{figures_json(counts)}' for period, counts in periods])
    totals = figures_of(*service.sum_counts(counts for _, counts in periods))
    raw = msgspec.Raw(f"[{items}]".encode())
    return responses.encode_json(
        Dashboard(query.hotel_id, query.period, query.year, query.by, raw, totals, query.as_of)
    )


@lru_cache(maxsize=50_000)
def figures_json(counts: Counts) -> str:
    """The JSON of an item after its period."""
    return responses.encode_json(figures_of(*counts)).decode().removeprefix("{")


def table_of_figures(periods: list[PeriodCounts]) -> Table:
    """The figures of the periods as a table."""
    rows = ((period, *msgspec.structs.astuple(figures_of(*counts))) for period, counts in periods)
    return Table("dashboard", PeriodFigures.__struct_fields__, rows)


def response_with_etag(
    body: bytes, content_type: str, data_through: datetime | None, others: Mapping[str, str]
) -> Response:
    """The body with its strong ETag, or 304 when If-None-Match has that ETag."""
    etag = sha1(body, usedforsecurity=False).hexdigest()
    headers = {
        "ETag": f'"{etag}"',
        "Cache-Control": "no-cache",
        "Vary": "Accept",
        **others,
    }
    if data_through is not None:
        headers["X-Data-Through"] = format_instant(data_through)
    if "If-None-Match" in request.headers and request.if_none_match.contains_weak(etag):
        return Response(b"", status=304, headers=headers, content_type=content_type)
    return Response(body, headers=headers, content_type=content_type)


@blueprint.get("/hotels")
@operation(headers={200: LINK_HEADER})
@table("hotels", HotelSummary, "hotels")
@validate_querystring(HotelsQuery)
@document_response(Hotels)
async def list_hotels(query_args: HotelsQuery) -> Response:
    """The hotels in the feeds by id, and the time up to which the feeds are counted."""
    after = decode_cursor(query_args.cursor, tuple[CursorId])[0] if query_args.cursor else 0
    states = await select_feed_states(pool(), resources().config.feed_names)
    found = await counters.select_hotels(
        pool(), query_args.search, after, query_args.limit + 1, hidden=query_args.hidden == "true"
    )
    page, headers = page_and_link(found, query_args.limit, lambda last: (last.hotel_id,))
    at, through = now(), service.counted_through(states)
    feeds = [
        FeedLag(state.feed, state.data_through, service.lag_seconds(state.data_through, at), state.cut_off)
        for state in states
    ]
    cut_offs = sum(state.cut_off for state in states)
    return json_response(Hotels(page, through, service.lag_seconds(through, at), cut_offs, feeds), 200, headers)


@blueprint.get(PROFILE_PATH)
@operation(404, example=PROFILE_EXAMPLE)
@document_response(HotelProfile)
async def get_hotel_profile(hotel_id: int) -> Response:
    """Name, rooms and time zone of a hotel; empty for one that has events alone."""
    profile = await profiles.select_profile(pool(), hotel_id)
    if profile is None:
        raise service.unknown_hotel(hotel_id)
    return json_response(profile)


@blueprint.put(PROFILE_PATH)
@operation(request_example=PROFILE_INPUT_EXAMPLE, example=PROFILE_EXAMPLE)
@api_token_required
@document_response(HotelProfile)
@json_body(ProfileInput)
async def replace_hotel_profile(hotel_id: int, data: ProfileInput) -> Response:
    """Replace the whole profile of a hotel, also of one that is not in the feeds yet; what is absent is removed.

    Another time zone recounts the hotel at once: the dates of its events are those in its time zone.
    """
    if not hotel_id:
        raise service.unknown_hotel(hotel_id)
    profile = HotelProfile(hotel_id, data.name, data.rooms, data.timezone, data.hidden)
    await service.replace_profile(pool(), profile, resources().config.hotel_timezone)
    return json_response(profile)


@blueprint.get(f"{HOTEL_PATH}/pickup")
@operation()
@table("pickup", NightPickup, "items")
@validate_querystring(PickupQuery)
@document_response(Pickup)
@reads_replica
async def get_pickup(hotel_id: int, query_args: PickupQuery) -> Response:
    """How the last days changed the bookings of the nights ahead."""
    as_of = await service.require_as_of(pool(), hotel_id, query_args.as_of, now())
    nights = await counters.select_pickup(pool(), hotel_id, as_of, query_args.days, query_args.nights)
    return json_response(Pickup(hotel_id, as_of, query_args.days, nights))


@blueprint.get(f"{HOTEL_PATH}/pace")
@operation()
@table("pace", MonthPace, "items")
@validate_querystring(PaceQuery)
@document_response(Pace)
@reads_replica
async def get_pace(hotel_id: int, query_args: PaceQuery) -> Response:
    """Rooms on the books by month, compared with the same time last year."""
    as_of = await service.require_as_of(pool(), hotel_id, query_args.as_of, now())
    items = await service.compute_pace(pool(), hotel_id, query_args.year, as_of, query_args.match)
    return json_response(Pace(hotel_id, query_args.year, as_of, query_args.match, items))


@blueprint.get(f"{HOTEL_PATH}/booking-curve")
@operation()
@table("booking-curve", CurvePoint, "items")
@validate_querystring(BookingCurveQuery)
@document_response(BookingCurve)
@reads_replica
async def get_booking_curve(hotel_id: int, query_args: BookingCurveQuery) -> Response:
    """How a night filled up, day by day from its first event on, but at most 730 days before the night."""
    today = await service.require_today(pool(), hotel_id, now())
    points = await counters.select_curve(pool(), hotel_id, query_args.night, today, MAX_CURVE_DAYS)
    return json_response(BookingCurve(hotel_id, query_args.night, points))


@blueprint.get(f"{HOTEL_PATH}/lead-time")
@operation()
@table("lead-time", LeadTimeBucket, "items")
@validate_querystring(LeadTimeQuery)
@document_response(LeadTime)
@reads_replica
async def get_lead_time(hotel_id: int, query_args: LeadTimeQuery) -> Response:
    """How far ahead the nights of a year were booked."""
    today = await service.require_today(pool(), hotel_id, now())
    return json_response(await service.compute_lead_time(pool(), hotel_id, query_args.year, today))


@blueprint.get("/quarantine")
@operation(headers={200: LINK_HEADER})
@operations_token_required
@table("quarantine", QuarantinedEvent, "items")
@validate_querystring(PageQuery)
@document_response(Quarantine)
async def list_quarantined_events(query_args: PageQuery) -> Response:
    """Values of the feeds that were not counted, each with the reason."""
    after = decode_cursor(query_args.cursor, tuple[CursorInstant, str, bytes]) if query_args.cursor else None
    found = await quarantine_queries.select_quarantine(pool(), after, query_args.limit + 1)
    page, headers = page_and_link(found, query_args.limit, lambda last: (last[1].first_seen, last[1].feed, last[0]))
    return json_response(Quarantine([event for _, event in page]), 200, headers)


@blueprint.get("/audits")
@operation(headers={200: LINK_HEADER})
@operations_token_required
@table("audits", FeedDifference, "items")
@validate_querystring(PageQuery)
@document_response(Audits)
async def list_feed_differences(query_args: PageQuery) -> Response:
    """Counted events that their feed no longer has, or has changed, as the night audits found them.

    They change no figure until `python -m dashboard audit --feed --apply` applies them.
    """
    after = decode_cursor(query_args.cursor, tuple[CursorInstant, str, CursorId]) if query_args.cursor else None
    counts = await differences.select_difference_counts(pool())
    found = await differences.select_differences_page(pool(), after, query_args.limit + 1)
    page, headers = page_and_link(found, query_args.limit, lambda last: (last.first_found, last.feed, last.event_id))
    return json_response(Audits(counts.missing, counts.changed, page), 200, headers)
