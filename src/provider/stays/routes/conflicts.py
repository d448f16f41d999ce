"""HTTP of the conflicts between reservations and what others have sold or cancelled."""

from datetime import UTC, date, datetime, timedelta

from quart import Blueprint, Response
from quart_schema import document_response, security_scheme_blueprint, tag_blueprint

from common.web import responses
from common.web.errors import Invalid
from common.web.input_types import PageQuery
from common.web.openapi.document import LINK_HEADER, operation
from common.web.pagination import decode_cursor, page_and_link
from common.web.query_string import validate_querystring
from common.web.resources import pool
from common.web.table_response import table
from provider.stays.inputs.fields import is_property_id
from provider.stays.models.clock import MOST_WEST
from provider.stays.models.reservations import NightConflict
from provider.stays.queries import properties
from provider.stays.routes.access import ADMIN_SECURITY, SECURITY, visible_holder

blueprint = Blueprint("stay_conflicts", __name__)

tag_blueprint(blueprint, ["stays"])
security_scheme_blueprint(blueprint, [{SECURITY: []}, {ADMIN_SECURITY: []}])

EXAMPLE_CONFLICT = {
    "kind": "feed",
    "property_id": "hotel-1-suite",
    "reservation_id": "0197a2b4-5c6d-7e8f-9a0b-1c2d3e4f5a6b",
    "night": "2026-07-01",
    "hotel_id": 1,
    "room_id": 9001,
    "event_id": 4711,
    "source": None,
    "uid": None,
}


@blueprint.get("/conflicts")
@operation(401, 429, headers={200: LINK_HEADER}, example=[EXAMPLE_CONFLICT])
@table("conflicts", NightConflict)
@validate_querystring(PageQuery)
@document_response(list[NightConflict])
async def list_conflicts(query_args: PageQuery) -> Response:
    """The nights that a reservation holds although somebody else has them too, or has cancelled them.

    The feed stores facts, so an event from elsewhere is stored and reported here: one that has booked the room (`feed`)
    or cancelled it (`feed_cancellation`). Or an event in a calendar of another site has the night (`calendar`): it was
    sold there too. A cancellation of a booking, or of such an event, ends the conflict, and so does the reservation
    that gives up the night: the feed then has one booking less, unless others have cancelled it. Nights before
    yesterday are left out. A token sees the conflicts of the properties that it created; the administrator's token sees
    all.
    """
    holder = await visible_holder()
    after = decode_position(query_args.cursor)
    since = (datetime.now(UTC) - MOST_WEST).date() - timedelta(days=1)
    found = await properties.select_conflicts(pool(), holder, after, since, query_args.limit + 1)
    page, headers = page_and_link(
        found, query_args.limit, lambda last: (last.property_id, last.night, last.kind, last.source or "")
    )
    return responses.json_response(page, headers=headers)


def decode_position(cursor: str | None) -> tuple[str, date, str, str]:
    """Decode the property, the night, the kind and the source after which a page begins. Raises Invalid."""
    if cursor is None:
        return "", date.min, "", ""
    position = decode_cursor(cursor, tuple[str, date, str, str])
    if not is_property_id(position[0]) or not "".join(position[2:]).isprintable():
        raise Invalid.field("cursor", "is not a valid cursor for this list")
    return position
