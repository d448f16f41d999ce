"""HTTP of reservations: a guest's own, and for the administrator all of them, with those of a day."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from quart import Blueprint, Response, g
from quart_schema import document_response, security_scheme_blueprint, tag_blueprint

from common.db.pool import Connection
from common.web import responses
from common.web.idempotency import StoredResponse, earliest_possible_send_time, requested_key, run_once_per_key
from common.web.input_types import PageQuery
from common.web.openapi.document import LINK_HEADER, operation
from common.web.pagination import decode_cursor, page_and_link
from common.web.query_string import validate_querystring
from common.web.request_body import json_body
from common.web.resources import pool
from common.web.table_response import table
from provider.hotel_rooms import UUID_PATTERN
from provider.resources import resources
from provider.stays.inputs.fields import EXAMPLE_PROPERTY_ID
from provider.stays.inputs.reservations import DayQuery, ReservationChange, ReservationInput
from provider.stays.models.clock import BookingWindow
from provider.stays.models.reservations import DayStay, Reservation
from provider.stays.queries import reservations
from provider.stays.routes.access import ADMIN_SECURITY, clock_at, current_clock, require_administrator, require_token
from provider.stays.routes.storefront import decode_position, no_content
from provider.stays.service import reservations as service

blueprint = Blueprint("reservations", __name__)
require_token(blueprint)

day_blueprint = Blueprint("reservations_of_a_day", __name__)
tag_blueprint(day_blueprint, ["stays"])
security_scheme_blueprint(day_blueprint, [{ADMIN_SECURITY: []}])
day_blueprint.before_request(require_administrator)

EXAMPLE_RESERVATION: dict[str, Any] = {
    "reservation_id": "0197a2b4-5c6d-7e8f-9a0b-1c2d3e4f5a6b",
    "property_id": EXAMPLE_PROPERTY_ID,
    "start_date": "2026-07-01",
    "nights": 3,
    "created_at": "2026-01-01T12:00:00.000000Z",
    "guests": 2,
    "status": "reserved",
    "nights_kept": None,
}
RESERVATION_PATH_EXAMPLE = {"reservation_id": EXAMPLE_RESERVATION["reservation_id"]}
EXAMPLE_DAY_STAY = {
    "property_id": "hotel-1-suite",
    "description": "The corner suite of hotel 1",
    "hotel_id": 1,
    "room_id": 9001,
    "reservation_id": EXAMPLE_RESERVATION["reservation_id"],
    "arrival": "2026-07-01",
    "departure": "2026-07-04",
    "nights": 3,
    "guests": 2,
    "status": "reserved",
    "reserved_at": "2026-01-01T12:00:00.000000Z",
}
AFTER_ALL = UUID(int=2**128 - 1)


def validation_context() -> dict[str, BookingWindow]:
    """The context for the validators of a reservation: the days on which a stay may start in some time zone.

    A retry is checked against the window of its first request, so that it is not rejected merely because it is late.
    """
    now = datetime.now(UTC)
    first_sent = clock_at(earliest_possible_send_time(now)).somewhere
    return {"window": BookingWindow(first_sent.first, clock_at(now).somewhere.last)}


@blueprint.post("/reservations")
@operation(
    401,
    409,
    429,
    descriptions={
        200: "Reserved",
        409: "At least one of the nights is taken (`not_available`), or the property is not on sale (`not_on_sale`)",
    },
    example=EXAMPLE_RESERVATION,
    idempotent=True,
)
@document_response(Reservation)
@json_body(ReservationInput, context=validation_context)
async def create_reservation(data: ReservationInput) -> Response:
    """Reserve nights of a property.

    409 when a night is taken, in the feed too if the property is a hotel's room; its bookings are then in the feed
    before the answer. 400 for a start that is past in the property's time zone, fewer nights than it demands, and more
    guests than it takes.
    """
    maker, append = g.maker, resources().append_events
    if requested_key() is None:
        return responses.json_response(await service.reserve(pool(), append, data, maker, current_clock()))

    async def create(connection: Connection) -> StoredResponse:
        reservation = await service.reserve_within(connection, append, data, maker, current_clock())
        return StoredResponse(200, responses.encode_json(reservation))

    return await run_once_per_key(pool(), "POST /reservations", create, caller=str(maker))


@blueprint.get("/reservations")
@operation(401, 429, headers={200: LINK_HEADER}, example=[EXAMPLE_RESERVATION])
@table("reservations", Reservation)
@validate_querystring(PageQuery)
@document_response(list[Reservation])
async def list_reservations(query_args: PageQuery) -> Response:
    """The reservations made with this token, cancelled ones too, the latest first; all, for the administrator."""
    before = AFTER_ALL
    if query_args.cursor is not None:
        (before,) = decode_cursor(query_args.cursor, tuple[UUID])
    found = await reservations.select_reservations(pool(), g.holder, before, query_args.limit + 1)
    page, headers = page_and_link(found, query_args.limit, lambda last: (last.reservation_id,))
    return responses.json_response(page, headers=headers)


def parse_reservation_id(text: str) -> UUID:
    """Parse the id in a path. Raises NotFound when it is not a UUID."""
    if not UUID_PATTERN.fullmatch(text):
        raise service.no_such_reservation()
    return UUID(text)


@blueprint.get("/reservations/<reservation_id>")
@operation(401, 429, example=EXAMPLE_RESERVATION, path_examples=RESERVATION_PATH_EXAMPLE)
@document_response(Reservation)
async def get_reservation(reservation_id: str) -> Response:
    """A reservation made with this token, or any for the administrator; `status` says whether it was cancelled."""
    reservation = await reservations.select_reservation(pool(), parse_reservation_id(reservation_id), g.holder)
    if reservation is None:
        raise service.no_such_reservation()
    return responses.json_response(reservation)


@blueprint.patch("/reservations/<reservation_id>")
@operation(
    401,
    409,
    429,
    descriptions={
        409: "A night is taken (`not_available`); the property is not on sale (`not_on_sale`); the stay has begun"
        " (`already_begun`); the nights are over (`already_slept`); the reservation was cancelled (`cancelled`)"
    },
    request_example={"nights": 4},
    example=EXAMPLE_RESERVATION,
    path_examples=RESERVATION_PATH_EXAMPLE,
)
@document_response(Reservation)
@json_body(ReservationChange)
async def change_reservation(reservation_id: str, data: ReservationChange) -> Response:
    """Move a reservation made with this token to other nights, all or nothing: after a 409 it has those that it had.

    Of a stay that has begun, the nights from today on can change, today being that of the property's time zone. 400 for
    fewer nights than the property demands by now, and, if a night is taken, for more guests than it takes by now. The
    bookings and cancellations of a hotel's room are in the feed before the answer, for the nights that differ alone.
    """
    data.require_whole()
    changed = await service.change_nights(
        pool(), resources().append_events, parse_reservation_id(reservation_id), data, g.holder, current_clock()
    )
    return responses.json_response(changed)


@blueprint.delete("/reservations/<reservation_id>")
@operation(
    401,
    409,
    429,
    descriptions={204: "Cancelled, now or earlier", 409: "All nights of the stay are over (`already_slept`)"},
    path_examples=RESERVATION_PATH_EXAMPLE,
)
async def cancel_reservation(reservation_id: str) -> Response:
    """Cancel a reservation made with this token, or any for the administrator; its nights are free at once.

    Nights that are over, by the property's time zone, stay sold (`nights_kept`). Repeating it returns 204 too.
    """
    await service.cancel(
        pool(), resources().append_events, parse_reservation_id(reservation_id), g.holder, current_clock()
    )
    return no_content()


@day_blueprint.get("/arrivals")
@operation(
    401,
    403,
    429,
    headers={200: LINK_HEADER},
    descriptions={403: "Only the administrator sees this (`not_administrator`)"},
    example=[EXAMPLE_DAY_STAY],
)
@table("arrivals", DayStay)
@validate_querystring(DayQuery)
@document_response(list[DayStay])
async def list_arrivals(query_args: DayQuery) -> Response:
    """The stays that begin on a day, by property; for the administrator."""
    day, after = query_args.day or current_clock().today(None), decode_position(query_args.cursor)
    return day_page(await reservations.select_arrivals(pool(), day, after, query_args.limit + 1), query_args.limit)


@day_blueprint.get("/departures")
@operation(
    401,
    403,
    429,
    headers={200: LINK_HEADER},
    descriptions={403: "Only the administrator sees this (`not_administrator`)"},
    example=[{**EXAMPLE_DAY_STAY, "arrival": "2026-06-28", "departure": "2026-07-01"}],
)
@table("departures", DayStay)
@validate_querystring(DayQuery)
@document_response(list[DayStay])
async def list_departures(query_args: DayQuery) -> Response:
    """The stays whose last night was the one before a day, by property; for the administrator."""
    day, after = query_args.day or current_clock().today(None), decode_position(query_args.cursor)
    return day_page(await reservations.select_departures(pool(), day, after, query_args.limit + 1), query_args.limit)


def day_page(found: list[DayStay], limit: int) -> Response:
    """A response with up to `limit` stays, and the link to the next page."""
    page, headers = page_and_link(found, limit, lambda last: (last.property_id,))
    return responses.json_response(page, headers=headers)
