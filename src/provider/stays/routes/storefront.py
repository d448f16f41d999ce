"""HTTP of the storefront."""

from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID

from quart import Blueprint, Response, g
from quart.blueprints import BlueprintSetupState
from quart_schema import document_response
from werkzeug.routing import BaseConverter

from common.db.pool import Connection
from common.web import responses
from common.web.errors import PROBLEM_TYPE, Invalid
from common.web.idempotency import StoredResponse, run_once_per_key
from common.web.input_types import PageQuery
from common.web.openapi.document import HEADER_DESCRIPTIONS, LINK_HEADER, operation
from common.web.pagination import decode_cursor, page_and_link
from common.web.query_string import validate_querystring
from common.web.request_body import json_body
from common.web.resources import pool
from common.web.table_response import table
from provider.resources import resources
from provider.stays import search
from provider.stays.calendars.links import render_calendar
from provider.stays.inputs.fields import PROPERTY_ID, RESERVED_IDS, is_property_id
from provider.stays.inputs.properties import CalendarQuery, PropertyChange, PropertyInput
from provider.stays.inputs.reservations import AvailabilityQuery
from provider.stays.models.properties import AvailableProperty, Calendar, CalendarNight, NoAvailability, Property
from provider.stays.queries import properties, storefront
from provider.stays.routes.access import (
    OWN_PROPERTY_PATH_EXAMPLE,
    PROPERTY_PATH_EXAMPLE,
    current_clock,
    holder_operation,
    require_token,
)
from provider.stays.routes.calendars import ICALENDAR, REQUEST_HEADERS, calendar_response
from provider.stays.service import properties as service
from provider.stays.service.rights import unknown_property

T = TypeVar("T", AvailableProperty, Property)

blueprint = Blueprint("stays", __name__)

require_token(blueprint)

EXAMPLE_PROPERTY = {
    **OWN_PROPERTY_PATH_EXAMPLE,
    "description": "A cabin above the lake",
    "turnover_days": 0,
    "on_sale": True,
    "timezone": "Europe/Berlin",
    "min_nights": 2,
    "max_guests": 4,
    "hotel_id": None,
    "room_id": None,
}
EXAMPLE_AVAILABLE = {**PROPERTY_PATH_EXAMPLE, "description": "Spacious one-bedroom villa above the lake"}
EXAMPLE_CALENDAR = {
    **PROPERTY_PATH_EXAMPLE,
    "from": "2026-07-01",
    "to": "2026-07-04",
    "nights": [
        {"night": "2026-07-01", "status": "taken"},
        {"night": "2026-07-02", "status": "turnover"},
        {"night": "2026-07-03", "status": "free"},
    ],
}


class PropertyIdConverter(BaseConverter):
    """A property's id in a path; does not match the names of other routes."""

    regex = rf"(?!({'|'.join(RESERVED_IDS)})\Z){PROPERTY_ID.pattern}"


@blueprint.record_once
def convert_property_ids(setup: BlueprintSetupState) -> None:
    setup.app.url_map.converters["property"] = PropertyIdConverter


def no_content() -> Response:
    """A response 204."""
    response = Response(status=204)
    del response.headers["Content-Type"]
    return response


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
    429,
    headers={200: LINK_HEADER},
    media={404: {PROBLEM_TYPE: NoAvailability}},
    descriptions={404: "No property is free; `alternatives` are the nearest start dates with a free property"},
    example=[EXAMPLE_AVAILABLE],
)
@table("available", AvailableProperty)
@validate_querystring(AvailabilityQuery)
@document_response(list[AvailableProperty])
async def list_available_properties(query_args: AvailabilityQuery) -> Response:
    """The properties of which these nights can be reserved, for as many guests, by id.

    A property decides how many nights and guests a stay has, and by its time zone on which day it may start. If there
    is none, 404 lists the start dates, up to 14 days earlier or later and nearest first, on which a stay of as many
    nights and guests can be reserved, and in how many properties.
    """
    after = decode_position(query_args.cursor)
    found = await search.find_available(pool(), query_args, after, current_clock())
    return property_page(found, query_args.limit)


@blueprint.get("/properties")
@operation(401, 429, headers={200: LINK_HEADER}, example=[EXAMPLE_PROPERTY])
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
    429,
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
    holder: UUID = g.maker

    async def create(connection: Connection) -> StoredResponse:
        created = await service.create_property(connection, data, holder)
        return StoredResponse(201, responses.encode_json(created), {"Location": f"/properties/{created.property_id}"})

    return await run_once_per_key(pool(), "POST /properties", create, caller=str(holder))


@blueprint.get("/properties/<property:property_id>")
@operation(401, 429, example={**EXAMPLE_PROPERTY, **EXAMPLE_AVAILABLE}, path_examples=PROPERTY_PATH_EXAMPLE)
@document_response(Property)
async def get_property(property_id: str) -> Response:
    """One property."""
    found = await properties.select_property(pool(), property_id)
    if found is None:
        raise unknown_property(property_id)
    return responses.json_response(found)


@blueprint.patch("/properties/<property:property_id>")
@holder_operation(
    409,
    descriptions={
        409: "The room belongs to another property (`room_linked`); another property has sold the room (`room_sold`)"
    },
    request_example={"turnover_days": 1},
    example=EXAMPLE_PROPERTY,
)
@document_response(Property)
@json_body(PropertyChange)
async def change_property(property_id: str, data: PropertyChange) -> Response:
    """Change the given fields of a property, by the token that created it or the administrator's.

    Stays that were sold before are kept: a longer turnover applies to later reservations, and so do other time zones,
    fewest nights and most guests, which also apply to changes of a reservation that take a night. Hotel and room must
    be given together. The bookings of stays that are not in the feed yet enter it under the new room; the other stays
    belong to the room for which they were made.
    """
    data.require_whole()
    changed = await service.change_property(pool(), resources().append_events, property_id, data, g.holder)
    return responses.json_response(changed)


@blueprint.delete("/properties/<property:property_id>")
@holder_operation(
    409,
    descriptions={204: "Deleted", 409: "The property has or had reservations (`has_stays`)"},
)
async def delete_property(property_id: str) -> Response:
    """Delete a property that never had a reservation, by the token that created it or the administrator's.

    Its blocks, calendar links and calendar sources are deleted too. Reservations are never deleted: a property that has
    any, also past or cancelled ones, can be taken off sale instead (`on_sale`).
    """
    await service.delete_property(pool(), property_id, g.holder)
    return no_content()


@blueprint.get("/properties/<property:property_id>/calendar")
@operation(401, 429, example=EXAMPLE_CALENDAR, path_examples=PROPERTY_PATH_EXAMPLE)
@table("calendar", CalendarNight, "nights")
@validate_querystring(CalendarQuery)
@document_response(Calendar)
async def get_calendar(property_id: str, query_args: CalendarQuery) -> Response:
    """The status of each night: taken, turnover (kept free after a stay, or too close before one) or free.

    Nights that the feed has booked in the hotel's room are taken too; all nights are, if the property is not on sale.
    """
    query_args.require_ordered()
    calendar = await storefront.select_calendar(pool(), property_id, query_args.first, query_args.until)
    if calendar is None:
        raise unknown_property(property_id)
    return responses.json_response(calendar)


@blueprint.get("/properties/<property:property_id>/calendar.ics")
@operation(
    401,
    429,
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
        raise unknown_property(property_id)
    return calendar_response(body)
