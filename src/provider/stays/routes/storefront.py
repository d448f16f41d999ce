"""HTTP of the storefront."""

from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID

from quart import Blueprint, Response, g
from quart.blueprints import BlueprintSetupState
from quart_schema import document_response, security_scheme_blueprint, tag_blueprint
from werkzeug.routing import BaseConverter

from common.db.pool import Connection
from common.web import responses
from common.web.bearer import bearer_token
from common.web.errors import PROBLEM_TYPE, Invalid, NotFound
from common.web.idempotency import StoredResponse, earliest_possible_send_time, requested_key, run_once_per_key
from common.web.input_types import PageQuery
from common.web.openapi.document import HEADER_DESCRIPTIONS, LINK_HEADER, operation
from common.web.pagination import decode_cursor, page_and_link
from common.web.query_string import validate_querystring
from common.web.request_body import json_body
from common.web.resources import pool
from common.web.table_response import table
from provider.hotel_rooms import UUID_PATTERN
from provider.resources import resources
from provider.stays import service
from provider.stays.calendars.links import render_calendar
from provider.stays.inputs import (
    PROPERTY_ID,
    RESERVED_IDS,
    AvailabilityQuery,
    CalendarQuery,
    PropertyChange,
    PropertyInput,
    ReservationChange,
    ReservationInput,
    is_property_id,
)
from provider.stays.models import (
    AvailableProperty,
    BookingWindow,
    Calendar,
    CalendarNight,
    NoAvailability,
    Property,
    Reservation,
)
from provider.stays.queries import properties, storefront
from provider.stays.routes.access import SECURITY, holder_of
from provider.stays.routes.calendars import ICALENDAR, REQUEST_HEADERS, calendar_response

T = TypeVar("T", AvailableProperty, Property)

blueprint = Blueprint("stays", __name__)

tag_blueprint(blueprint, ["stays"])
security_scheme_blueprint(blueprint, [{SECURITY: []}])

EXAMPLE_PROPERTY = {
    "property_id": "xE6vqTqA6LTwpE",
    "description": "Spacious 1-bedroom villa overlooking a lake!",
    "turnover_days": 0,
    "hotel_id": None,
    "room_id": None,
}
EXAMPLE_RESERVATION = {
    "reservation_id": "0197a2b4-5c6d-7e8f-9a0b-1c2d3e4f5a6b",
    "property_id": "xE6vqTqA6LTwpE",
    "start_date": "2026-07-01",
    "nights": 3,
    "created_at": "2026-01-01T12:00:00Z",
}
PROPERTY_PATH_EXAMPLE = {"property_id": EXAMPLE_PROPERTY["property_id"]}
RESERVATION_PATH_EXAMPLE = {"reservation_id": EXAMPLE_RESERVATION["reservation_id"]}
EXAMPLE_CALENDAR = {
    "property_id": "xE6vqTqA6LTwpE",
    "from": "2021-01-05",
    "to": "2021-01-08",
    "nights": [
        {"night": "2021-01-05", "status": "taken"},
        {"night": "2021-01-06", "status": "turnover"},
        {"night": "2021-01-07", "status": "free"},
    ],
}


class PropertyIdConverter(BaseConverter):
    """A property's id in a path; does not match the names of other routes."""

    regex = rf"(?!({'|'.join(RESERVED_IDS)})\Z){PROPERTY_ID.pattern}"


@blueprint.record_once
def convert_property_ids(setup: BlueprintSetupState) -> None:
    setup.app.url_map.converters["property"] = PropertyIdConverter


@blueprint.before_request
async def authorise() -> None:
    """Require a bearer token that is a UUID; a reservation belongs to the token that made it. Raises Unauthorized."""
    g.holder = holder_of(bearer_token("stays"))


def window(now: datetime) -> BookingWindow:
    """The days on which a reservation made at `now` may start."""
    return BookingWindow.on(now.date(), past=resources().config.past_stays == "allow")


def validation_context() -> dict[str, BookingWindow]:
    """The context for the validators of a reservation.

    A retry is checked against the window of its first request, so that it is not rejected merely because it is late.
    """
    now = datetime.now(UTC)
    return {"window": BookingWindow(window(earliest_possible_send_time(now)).first, window(now).last)}


def decode_position(cursor: str | None) -> str:
    """Decode the id after which a page begins. Raises Invalid."""
    if cursor is None:
        return ""
    (after,) = decode_cursor(cursor, tuple[str])
    if not is_property_id(after):
        raise Invalid.field("cursor", "is not a valid cursor for this list")
    return after


def property_page(found: list[T], limit: int) -> Response:
    """A response with up to `limit` of the found items, and the link to the next page."""
    page, headers = page_and_link(found, limit, lambda last: (last.property_id,))
    return responses.json_response(page, headers=headers)


@blueprint.get("/properties/available")
@operation(
    401,
    headers={200: LINK_HEADER},
    media={404: {PROBLEM_TYPE: NoAvailability}},
    descriptions={404: "No property is free; `alternatives` are the nearest start dates with a free property"},
    example=[{"property_id": EXAMPLE_PROPERTY["property_id"], "description": EXAMPLE_PROPERTY["description"]}],
)
@table("available", AvailableProperty)
@validate_querystring(AvailabilityQuery)
@document_response(list[AvailableProperty])
async def list_available_properties(query_args: AvailabilityQuery) -> Response:
    """The properties of which these nights can be reserved, by id.

    If there is none, 404 lists the start dates, up to 14 days earlier or later and nearest first, on which a property
    can be reserved for as many nights.
    """
    after = decode_position(query_args.cursor)
    found = await service.find_available(pool(), query_args, after, window(datetime.now(UTC)))
    return property_page(found, query_args.limit)


@blueprint.post("/reservations")
@operation(
    401,
    409,
    descriptions={200: "Reserved", 409: "At least one of the nights is taken (`not_available`)"},
    example=EXAMPLE_RESERVATION,
    idempotent=True,
)
@document_response(Reservation)
@json_body(ReservationInput, context=validation_context)
async def create_reservation(data: ReservationInput) -> Response:
    """Reserve nights of a property.

    409 when a night is taken, in the feed too if the property is a hotel's room; its bookings are then in the feed
    before the answer.
    """
    holder, append = g.holder, resources().append_events
    if requested_key() is None:
        return responses.json_response(await service.reserve(pool(), append, data, holder))

    async def create(connection: Connection) -> StoredResponse:
        data.require_within(window(datetime.now(UTC)))
        reservation = await service.reserve_within(connection, append, data, holder)
        return StoredResponse(200, responses.encode_json(reservation))

    return await run_once_per_key(pool(), "POST /reservations", create, caller=str(holder))


def parse_reservation_id(text: str) -> UUID:
    """Parse the id in a path. Raises NotFound when it is not a UUID."""
    if not UUID_PATTERN.fullmatch(text):
        raise NotFound("There is no such reservation.")
    return UUID(text)


@blueprint.get("/reservations/<reservation_id>")
@operation(401, example=EXAMPLE_RESERVATION, path_examples=RESERVATION_PATH_EXAMPLE)
@document_response(Reservation)
async def get_reservation(reservation_id: str) -> Response:
    """A reservation made with this token that is not cancelled."""
    reservation = await storefront.select_reservation(pool(), parse_reservation_id(reservation_id), g.holder)
    if reservation is None:
        raise NotFound("There is no such reservation.")
    return responses.json_response(reservation)


@blueprint.patch("/reservations/<reservation_id>")
@operation(
    401,
    409,
    descriptions={
        409: "A night is taken (`not_available`), or what would change is over (`already_begun`, `already_slept`)"
    },
    request_example={"nights": 4},
    example=EXAMPLE_RESERVATION,
    path_examples=RESERVATION_PATH_EXAMPLE,
)
@document_response(Reservation)
@json_body(ReservationChange)
async def change_reservation(reservation_id: str, data: ReservationChange) -> Response:
    """Move a reservation made with this token to other nights, all or nothing: after a 409 it has those that it had.

    Of a stay that has begun, the nights from today on can change. The bookings and cancellations of a hotel's room are
    in the feed before the answer, for the nights that differ alone.
    """
    data.require_whole()
    changed = await service.change_nights(
        pool(),
        resources().append_events,
        parse_reservation_id(reservation_id),
        data,
        g.holder,
        window(datetime.now(UTC)),
    )
    return responses.json_response(changed)


@blueprint.delete("/reservations/<reservation_id>")
@operation(401, descriptions={204: "Cancelled, now or earlier"}, path_examples=RESERVATION_PATH_EXAMPLE)
async def cancel_reservation(reservation_id: str) -> Response:
    """Cancel a reservation made with this token; its nights are free at once. Repeating it returns 204 too."""
    await service.cancel(pool(), resources().append_events, parse_reservation_id(reservation_id), g.holder)
    response = Response(status=204)
    del response.headers["Content-Type"]
    return response


@blueprint.get("/properties")
@operation(401, headers={200: LINK_HEADER}, example=[EXAMPLE_PROPERTY])
@table("properties", Property)
@validate_querystring(PageQuery)
@document_response(list[Property])
async def list_properties(query_args: PageQuery) -> Response:
    """All properties, by id."""
    found = await properties.select_properties(pool(), decode_position(query_args.cursor), query_args.limit + 1)
    return property_page(found, query_args.limit)


@blueprint.post("/properties")
@operation(
    401,
    409,
    headers={201: {"Location": "The path of the property"}},
    descriptions={
        201: "Created",
        409: "The id is taken (`property_exists`), or the room belongs to another property (`room_linked`)",
    },
    request_example=EXAMPLE_PROPERTY,
    example=EXAMPLE_PROPERTY,
    idempotent=True,
)
@document_response(Property, 201)
@json_body(PropertyInput)
async def create_property(data: PropertyInput) -> Response:
    """Add a property; without an id the server assigns one. A hotel's room belongs to one property at most."""
    data.require_whole_link()
    holder: UUID = g.holder

    async def create(connection: Connection) -> StoredResponse:
        created = await service.create_property(connection, data, holder)
        return StoredResponse(201, responses.encode_json(created), {"Location": f"/properties/{created.property_id}"})

    return await run_once_per_key(pool(), "POST /properties", create, caller=str(holder))


@blueprint.get("/properties/<property:property_id>")
@operation(401, example=EXAMPLE_PROPERTY, path_examples=PROPERTY_PATH_EXAMPLE)
@document_response(Property)
async def get_property(property_id: str) -> Response:
    """One property."""
    found = await properties.select_property(pool(), property_id)
    if found is None:
        raise service.unknown_property(property_id)
    return responses.json_response(found)


@blueprint.patch("/properties/<property:property_id>")
@operation(
    401,
    409,
    descriptions={409: "The room belongs to another property (`room_linked`), or one has sold it (`room_sold`)"},
    request_example={"turnover_days": 1},
    example=EXAMPLE_PROPERTY,
    path_examples=PROPERTY_PATH_EXAMPLE,
)
@document_response(Property)
@json_body(PropertyChange)
async def change_property(property_id: str, data: PropertyChange) -> Response:
    """Change the given fields of a property.

    A longer turnover applies to later reservations; closer stays that were sold before are kept. Hotel and room must be
    given together. The bookings of stays that are not in the feed yet enter it under the new room; the other stays
    belong to the room for which they were made.
    """
    data.require_whole()
    changed = await service.change_property(pool(), resources().append_events, property_id, data)
    if changed is None:
        raise service.unknown_property(property_id)
    return responses.json_response(changed)


@blueprint.get("/properties/<property:property_id>/calendar")
@operation(401, example=EXAMPLE_CALENDAR, path_examples=PROPERTY_PATH_EXAMPLE)
@table("calendar", CalendarNight, "nights")
@validate_querystring(CalendarQuery)
@document_response(Calendar)
async def get_calendar(property_id: str, query_args: CalendarQuery) -> Response:
    """The status of each night: taken, turnover (kept free after a stay, or too close before one) or free.

    The nights of a hotel's room that the feed has as booked are taken too.
    """
    query_args.require_ordered()
    calendar = await storefront.select_calendar(pool(), property_id, query_args.first, query_args.until)
    if calendar is None:
        raise service.unknown_property(property_id)
    return responses.json_response(calendar)


@blueprint.get("/properties/<property:property_id>/calendar.ics")
@operation(
    401,
    headers={200: {"ETag": HEADER_DESCRIPTIONS["ETag"]}},
    media={200: {ICALENDAR: {"type": "string"}}},
    descriptions={200: "iCalendar (RFC 5545)", 304: "The calendar has not changed"},
    request_headers={"If-None-Match": REQUEST_HEADERS["If-None-Match"]},
    path_examples=PROPERTY_PATH_EXAMPLE,
)
async def get_icalendar(property_id: str) -> Response:
    """The nights since a year ago that cannot be sold, as iCalendar: the same as at the addresses of calendar links."""
    body = await render_calendar(pool(), property_id, datetime.now(UTC))
    if body is None:
        raise service.unknown_property(property_id)
    return calendar_response(body)
