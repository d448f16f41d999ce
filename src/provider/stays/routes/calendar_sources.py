"""HTTP of the calendars of other sites that hold nights of a property."""

from datetime import timedelta

from quart import Blueprint, Response, g
from quart_schema import document_response

from common.jobs.lease import make_job_due
from common.web import responses
from common.web.errors import Invalid, NotFound
from common.web.input_types import PageQuery
from common.web.openapi.document import LINK_HEADER
from common.web.pagination import decode_cursor, page_and_link
from common.web.query_string import validate_querystring
from common.web.rate_limit import Policy, each_address, rate_limit
from common.web.request_body import json_body
from common.web.resources import pool
from common.web.table_response import table
from provider.resources import resources
from provider.stays.calendars import sources
from provider.stays.calendars.hosts import CalendarHosts, require_public_host
from provider.stays.inputs.calendars import CalendarSourceInput
from provider.stays.inputs.fields import PROPERTY_ID
from provider.stays.jobs import READ_CALENDARS
from provider.stays.models.calendars import CalendarSource
from provider.stays.queries import calendar_sources as queries
from provider.stays.routes.access import OWN_PROPERTY_PATH_EXAMPLE, holder_operation, require_token
from provider.stays.routes.storefront import no_content
from provider.stays.service.rights import require_own_property

blueprint = Blueprint("calendar_sources", __name__)

require_token(blueprint)

SOURCE_CHANGES = Policy("calendar-sources", 300, timedelta(hours=1))
"""Of an address: each change of a source lets the provider read a calendar at once, before those of others."""


async def address_of_holder(*_: object, **__: object) -> str | None:
    """The key of the limit: the administrator has none."""
    return None if g.holder is None else await each_address()


EXAMPLE_SOURCE = {
    "property_id": OWN_PROPERTY_PATH_EXAMPLE["property_id"],
    "name": "harbour-rentals",
    "url": "https://calendars.example.org/42.ics",
    "nights_off_sale": 9,
    "nights_in_conflict": 0,
    "last_read": "2026-01-01T12:15:00Z",
    "last_success": "2026-01-01T12:15:00Z",
    "last_error": None,
}
SOURCE_PATH_EXAMPLE = {**OWN_PROPERTY_PATH_EXAMPLE, "source_name": EXAMPLE_SOURCE["name"]}


@blueprint.put("/properties/<property:property_id>/calendar-sources/<source_name>")
@holder_operation(
    409,
    descriptions={
        200: "The source had been added before",
        201: "Added",
        409: "The property has too many sources (`too_many_sources`)",
    },
    request_example={"url": EXAMPLE_SOURCE["url"]},
    example=EXAMPLE_SOURCE,
    path_examples=SOURCE_PATH_EXAMPLE,
)
@document_response(CalendarSource)
@document_response(CalendarSource, 201)
@json_body(CalendarSourceInput)
@rate_limit(SOURCE_CHANGES, key=address_of_holder)
async def replace_calendar_source(property_id: str, source_name: str, data: CalendarSourceInput) -> Response:
    """Hold the nights of the events in a calendar of another site, which is read at once, then every few minutes.

    `PROVIDER_CALENDAR_HOSTS` has the hosts that the operator allows. A reservation of these nights is refused. Where a
    reservation had a night before, that stays sold and is a conflict. A reading that fails frees nothing; nor does
    another address until it has been read. The same address again lets the calendar be read at once.
    """
    await require_own_property(pool(), property_id, g.holder)
    if not PROPERTY_ID.fullmatch(source_name):
        raise Invalid.field("source_name", "must be 1 to 64 letters, digits or any of . _ ~ -")
    hosts = resources().config.calendar_hosts or CalendarHosts()
    try:
        url = hosts.require_url(data.url)
        await require_public_host(hosts, url)
    except ValueError as error:
        raise Invalid.field("url", str(error)) from None
    source, is_new = await sources.put_source(pool(), property_id, source_name, data.url, g.holder)
    await make_job_due(pool(), READ_CALENDARS)
    return responses.json_response(source, 201 if is_new else 200)


@blueprint.get("/properties/<property:property_id>/calendar-sources")
@holder_operation(
    headers={200: LINK_HEADER},
    example=[EXAMPLE_SOURCE],
)
@table("calendar_sources", CalendarSource)
@validate_querystring(PageQuery)
@document_response(list[CalendarSource])
async def list_calendar_sources(property_id: str, query_args: PageQuery) -> Response:
    """The calendars of other sites that hold nights of a property, by name."""
    await require_own_property(pool(), property_id, g.holder)
    after = "" if query_args.cursor is None else decode_cursor(query_args.cursor, tuple[str])[0]
    found = await queries.select_sources(pool(), property_id, after=after, limit=query_args.limit + 1)
    page, headers = page_and_link(found, query_args.limit, lambda last: (last.name,))
    return responses.json_response(page, headers=headers)


@blueprint.get("/properties/<property:property_id>/calendar-sources/<source_name>")
@holder_operation(example=EXAMPLE_SOURCE, path_examples=SOURCE_PATH_EXAMPLE)
@document_response(CalendarSource)
async def get_calendar_source(property_id: str, source_name: str) -> Response:
    """A calendar of another site: whether it could be read, and how many nights it holds."""
    await require_own_property(pool(), property_id, g.holder)
    found = await queries.select_sources(pool(), property_id, name=source_name, limit=1) if known(source_name) else []
    if not found:
        raise unknown_source()
    return responses.json_response(found[0])


@blueprint.delete("/properties/<property:property_id>/calendar-sources/<source_name>")
@holder_operation(
    descriptions={204: "Removed"},
    path_examples=SOURCE_PATH_EXAMPLE,
)
async def delete_calendar_source(property_id: str, source_name: str) -> Response:
    """Stop reading a calendar of another site, and put its nights on sale again unless something else takes them."""
    await require_own_property(pool(), property_id, g.holder)
    if not known(source_name) or not await sources.delete_source(pool(), property_id, source_name, g.holder):
        raise unknown_source()
    return no_content()


def known(source_name: str) -> bool:
    """Whether a source can have this name."""
    return PROPERTY_ID.fullmatch(source_name) is not None


def unknown_source() -> NotFound:
    return NotFound("There is no such calendar source.")
