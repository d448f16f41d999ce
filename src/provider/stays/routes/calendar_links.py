"""HTTP of the addresses at which other sites read the calendar of a property."""

import secrets
from uuid import UUID

import msgspec
from quart import Blueprint, Response, g
from quart_schema import document_response

from common.db.pool import Connection
from common.web import responses
from common.web.bearer import bearer_token
from common.web.errors import NotFound
from common.web.idempotency import StoredResponse, run_once_per_key
from common.web.input_types import PageQuery
from common.web.openapi.document import LINK_HEADER
from common.web.pagination import decode_cursor, page_and_link
from common.web.query_string import validate_querystring
from common.web.request_body import json_body
from common.web.resources import pool
from common.web.table_response import table
from provider.hotel_rooms import UUID_PATTERN
from provider.resources import resources
from provider.stays.calendars import links
from provider.stays.inputs.calendars import CalendarLinkInput
from provider.stays.models.calendars import CalendarLink, NewCalendarLink
from provider.stays.queries import calendar_links as queries
from provider.stays.routes.access import OWN_PROPERTY_PATH_EXAMPLE, holder_operation, require_token
from provider.stays.routes.storefront import no_content
from provider.stays.service.rights import require_own_property

blueprint = Blueprint("calendar_links", __name__)

require_token(blueprint)

SALT_BYTES = 32

EXAMPLE_LINK = {
    "link_id": "0197a2b4-5c6d-7e8f-9a0b-1c2d3e4f5a6b",
    "property_id": OWN_PROPERTY_PATH_EXAMPLE["property_id"],
    "name": "Harbour Rentals",
    "without_source": None,
    "created_at": "2026-01-01T12:00:00Z",
    "last_read": None,
}
EXAMPLE_NEW_LINK = {
    **EXAMPLE_LINK,
    "url": "https://stays.example.org/calendars/Zk1V0rZ7mO2f3n8xU5QpH1sT9aYcE6bLdGiKjWvXuRo.ics",
}
LINK_PATH_EXAMPLE = {**OWN_PROPERTY_PATH_EXAMPLE, "link_id": EXAMPLE_LINK["link_id"]}


@blueprint.post("/properties/<property:property_id>/calendar-links")
@holder_operation(
    409,
    headers={201: {"Location": "The address of the calendar"}},
    descriptions={201: "Created", 409: "The property has too many links (`too_many_links`)"},
    request_example={"name": EXAMPLE_LINK["name"]},
    example=EXAMPLE_NEW_LINK,
    idempotent=True,
)
@document_response(NewCalendarLink, 201)
@json_body(CalendarLinkInput, empty=True)
async def create_calendar_link(property_id: str, data: CalendarLinkInput) -> Response:
    """Make an address at which another site can read the calendar of a property, without a header.

    The address is in this response alone. Make one for each site, so that each can be revoked; if the calendar of that
    site is also a calendar source of the property, name the source as `without_source`.
    """
    holder: UUID | None = g.holder
    bearer = bearer_token("stays")

    async def create(connection: Connection) -> StoredResponse:
        salt = secrets.token_bytes(SALT_BYTES)
        digest = links.link_token_digest(links.link_token(bearer, salt))
        link = await links.create_link(connection, property_id, data, holder, digest)
        return StoredResponse(201, msgspec.json.encode(links.StoredLink(link, salt)))

    # The key is that of the bearer token as it was sent, since the address is made from it.
    response = await run_once_per_key(pool(), "POST /properties/{property_id}/calendar-links", create)
    stored = msgspec.json.decode(await response.get_data(as_text=False), type=links.StoredLink)
    created = links.with_address(stored, bearer, resources().config.public_url)
    response.set_data(responses.encode_json(created))
    response.headers["Location"] = created.url
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.get("/properties/<property:property_id>/calendar-links")
@holder_operation(
    headers={200: LINK_HEADER},
    example=[EXAMPLE_LINK],
)
@table("calendar_links", CalendarLink)
@validate_querystring(PageQuery)
@document_response(list[CalendarLink])
async def list_calendar_links(property_id: str, query_args: PageQuery) -> Response:
    """The calendar links of a property in the order in which they were made, without their addresses."""
    await require_own_property(pool(), property_id, g.holder)
    after = UUID(int=0) if query_args.cursor is None else decode_cursor(query_args.cursor, tuple[UUID])[0]
    found = await queries.select_links(pool(), property_id, after, query_args.limit + 1)
    page, headers = page_and_link(found, query_args.limit, lambda last: (last.link_id,))
    return responses.json_response(page, headers=headers)


@blueprint.delete("/properties/<property:property_id>/calendar-links/<link_id>")
@holder_operation(descriptions={204: "The address is no longer valid"}, path_examples=LINK_PATH_EXAMPLE)
async def delete_calendar_link(property_id: str, link_id: str) -> Response:
    """Revoke a calendar link: from now on nobody can read the calendar at its address."""
    await require_own_property(pool(), property_id, g.holder)
    if not UUID_PATTERN.fullmatch(link_id) or not await queries.delete_link(pool(), property_id, UUID(link_id)):
        raise NotFound("There is no such calendar link.")
    return no_content()
