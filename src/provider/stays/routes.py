"""HTTP of the storefront."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import UUID

from quart import Blueprint, Response, g
from quart.blueprints import BlueprintSetupState
from quart_schema import document_response, security_scheme_blueprint, tag_blueprint, validate_querystring
from werkzeug.routing import BaseConverter

from common.db.pool import Connection
from common.web import responses
from common.web.bearer import bearer_token, invalid_token
from common.web.errors import PROBLEM_TYPE, Conflict, Invalid, NotFound
from common.web.idempotency import StoredResponse, earliest_possible_send_time, requested_key, run_once_per_key
from common.web.input_types import PageQuery
from common.web.openapi.document import LINK_HEADER, operation
from common.web.pagination import decode_cursor, page_and_link
from common.web.request_body import json_body
from common.web.resources import pool
from provider.resources import resources
from provider.stays import icalendar, service
from provider.stays.examples import EXAMPLE_CALENDAR, EXAMPLE_PROPERTY, EXAMPLE_RESERVATION, EXAMPLE_WISH
from provider.stays.models import (
    PROPERTY_ID,
    RESERVED_IDS,
    UUID_TEXT,
    AvailabilityQuery,
    AvailableProperty,
    BookingWindow,
    Calendar,
    CalendarQuery,
    NoAvailability,
    Property,
    PropertyChange,
    PropertyInput,
    Reservation,
    ReservationInput,
    is_property_id,
)
from provider.stays.queries import storefront

T = TypeVar("T", AvailableProperty, Property)

blueprint = Blueprint("stays", __name__)

SECURITY = "stays_token"
tag_blueprint(blueprint, ["stays"])
security_scheme_blueprint(blueprint, [{SECURITY: []}])

ICALENDAR = "text/calendar"


class PropertyIdConverter(BaseConverter):
    """The part of a path that is a property's id; no other is the path of a property."""

    regex = rf"(?!({'|'.join(RESERVED_IDS)})\Z){PROPERTY_ID.pattern}"


@blueprint.record_once
def convert_property_ids(setup: BlueprintSetupState) -> None:
    setup.app.url_map.converters["property"] = PropertyIdConverter


ICALENDAR_PAST = timedelta(days=365)


@blueprint.before_request
async def authorise() -> None:
    """Every operation asks for a bearer token that is a UUID; what it did belongs to it. Raises Unauthorized."""
    token = bearer_token("stays")
    if not UUID_TEXT.fullmatch(token):
        raise invalid_token("stays", "The bearer token is not a UUID.")
    g.holder = service.token_digest(UUID(token))


def window(now: datetime) -> BookingWindow:
    """When a reservation may start, as things stand at that moment."""
    return BookingWindow.on(now.date(), past=resources().config.past_stays == "allow")


def validation_context() -> dict[str, BookingWindow]:
    """What the validators of a reservation look at."""
    now = datetime.now(UTC)
    return {"window": BookingWindow(window(earliest_possible_send_time(now)).first, window(now).last)}


def unknown_property(property_id: str) -> NotFound:
    return NotFound(f"There is no property {property_id!r}.")


def decode_position(cursor: str | None) -> str:
    """The id behind which a page begins. Raises Invalid."""
    if cursor is None:
        return ""
    (after,) = decode_cursor(cursor, tuple[str])
    if not is_property_id(after):
        raise Invalid.field("cursor", "is no cursor of this list")
    return after


def property_page(found: list[T], limit: int) -> Response:
    """Up to `limit` of what was found as an answer, with the link to the rest."""
    page, headers = page_and_link(found, limit, lambda last: (last.property_id,))
    return responses.json_response(page, headers=headers)


@blueprint.get("/properties/available")
@operation(
    401,
    404,
    headers={200: LINK_HEADER},
    media={404: {PROBLEM_TYPE: NoAvailability}},
    words={404: "Nothing is free; `alternatives` has the nearest start dates on which something is"},
    example=[{"property_id": EXAMPLE_PROPERTY["property_id"], "description": EXAMPLE_PROPERTY["description"]}],
)
@validate_querystring(AvailabilityQuery)
@document_response(list[AvailableProperty])
async def list_available(query_args: AvailabilityQuery) -> Response:
    """The properties that are free for all of the nights, by id.

    When nothing is, 404 names the start dates within 14 days either way on which something is free for as many nights,
    nearest first.
    """
    after = decode_position(query_args.cursor)
    now = datetime.now(UTC)
    first_day = window(now).first if query_args.start_date >= now.date() else None
    found = await service.find_available(pool(), query_args, after, first_day)
    return property_page(found, query_args.limit)


@blueprint.post("/reservations")
@operation(
    401,
    409,
    words={200: "Reserved", 409: "Somebody else has one of these nights (`not_available`)"},
    request_example=EXAMPLE_WISH,
    example=EXAMPLE_RESERVATION,
    idempotent=True,
)
@document_response(Reservation)
@json_body(ReservationInput, context=validation_context)
async def create_reservation(data: ReservationInput) -> Response:
    """Reserve nights of a property.

    A well-formed request that comes too late is 409. Where the property is a hotel's room, the feed has the bookings by
    the time that this answers.
    """
    holder: UUID = g.holder
    if requested_key() is None:
        return responses.json_response(await service.reserve(pool(), resources().event_feed, data, holder))

    async def create(connection: Connection) -> StoredResponse:
        data.require_within(window(datetime.now(UTC)))
        return StoredResponse(
            200, responses.encode_json(await service.reserve_within(connection, resources().event_feed, data, holder))
        )

    return await run_once_per_key(pool(), f"POST /reservations {holder}", create)


def parse_reservation_id(text: str) -> UUID:
    """The id of a path if it can be one. Raises NotFound."""
    if not UUID_TEXT.fullmatch(text):
        raise NotFound("There is no such reservation of yours.")
    return UUID(text)


@blueprint.get("/reservations/<reservation_id>")
@operation(401, 404, example=EXAMPLE_RESERVATION)
@document_response(Reservation)
async def get_reservation(reservation_id: str) -> Response:
    """A reservation that was made with this token and is not cancelled."""
    reservation = await storefront.select_reservation(pool(), parse_reservation_id(reservation_id), g.holder)
    if reservation is None:
        raise NotFound("There is no such reservation of yours.")
    return responses.json_response(reservation)


@blueprint.delete("/reservations/<reservation_id>")
@operation(401, 404, words={204: "Cancelled, now or before"})
async def delete_reservation(reservation_id: str) -> Response:
    """Cancel a reservation that was made with this token; its nights are free at once. Again is 204 too."""
    await service.cancel(pool(), resources().event_feed, parse_reservation_id(reservation_id), g.holder)
    answer = Response(status=204)
    del answer.headers["Content-Type"]
    return answer


@blueprint.get("/properties")
@operation(401, headers={200: LINK_HEADER}, example=[EXAMPLE_PROPERTY])
@validate_querystring(PageQuery)
@document_response(list[Property])
async def list_properties(query_args: PageQuery) -> Response:
    """All properties, by id."""
    found = await storefront.select_properties(pool(), decode_position(query_args.cursor), query_args.limit + 1)
    return property_page(found, query_args.limit)


@blueprint.post("/properties")
@operation(
    401,
    409,
    headers={201: {"Location": "Where the property is"}},
    words={201: "Created", 409: "The id is taken (`property_exists`)"},
    request_example=EXAMPLE_PROPERTY,
    example=EXAMPLE_PROPERTY,
    idempotent=True,
)
@document_response(Property, 201)
@json_body(PropertyInput)
async def create_property(data: PropertyInput) -> Response:
    """Add a property; an id is made when none is given."""
    data.require_whole_link()

    async def create(connection: Connection) -> StoredResponse:
        created = await storefront.insert_property(
            connection, data.property_id, data.description, data.turnover_days, data.hotel_id, data.room_id
        )
        if created is None:
            raise Conflict(f"There is a property {data.property_id!r} already.", code="property_exists")
        return StoredResponse(201, responses.encode_json(created), {"Location": f"/properties/{created.property_id}"})

    return await run_once_per_key(pool(), f"POST /properties {g.holder}", create)


@blueprint.get("/properties/<property:property_id>")
@operation(401, 404, example=EXAMPLE_PROPERTY)
@document_response(Property)
async def get_property(property_id: str) -> Response:
    """One property."""
    found = await storefront.select_property(pool(), property_id)
    if found is None:
        raise unknown_property(property_id)
    return responses.json_response(found)


@blueprint.patch("/properties/<property:property_id>")
@operation(401, 404, request_example={"turnover_days": 1}, example=EXAMPLE_PROPERTY)
@document_response(Property)
@json_body(PropertyChange)
async def change_property(property_id: str, data: PropertyChange) -> Response:
    """Change what is given of a property.

    A longer turnover holds for what is reserved from now on; stays that were sold closer to one another stay. A hotel
    and its room go together; reservations made before belong to the room that they were made for.
    """
    data.require_whole()
    changed = await storefront.update_property(
        pool(), property_id, data.description, data.turnover_days, data.hotel_id, data.room_id,
        link=data.changes_link,
    )  # fmt: skip
    if changed is None:
        raise unknown_property(property_id)
    return responses.json_response(changed)


@blueprint.get("/properties/<property:property_id>/calendar")
@operation(401, 404, example=EXAMPLE_CALENDAR)
@validate_querystring(CalendarQuery)
@document_response(Calendar)
async def get_calendar(property_id: str, query_args: CalendarQuery) -> Response:
    """Night by night what is taken, what is turnover (the days after a stay that are kept free) and what is free."""
    query_args.require_ordered()
    calendar = await storefront.select_calendar(pool(), property_id, query_args.first, query_args.until)
    if calendar is None:
        raise unknown_property(property_id)
    return responses.json_response(calendar)


@blueprint.get("/properties/<property:property_id>/calendar.ics")
@operation(401, 404, media={200: {ICALENDAR: {"type": "string"}}}, words={200: "iCalendar (RFC 5545)"})
async def get_icalendar(property_id: str) -> Response:
    """What is taken, from a year ago on, as rental sites exchange it; one event per reservation."""
    since = datetime.now(UTC).date() - ICALENDAR_PAST
    stays = await storefront.select_stays(pool(), property_id, since)
    if stays is None:
        raise unknown_property(property_id)
    # Rendering takes long enough to hold up everybody else.
    body = await asyncio.to_thread(icalendar.render, stays)
    return Response(body, content_type=f"{ICALENDAR}; charset=utf-8")
