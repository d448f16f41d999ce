"""HTTP of the calendars that other sites read at the addresses of calendar links, without a header."""

from datetime import UTC, datetime

from quart import Blueprint, Response, request
from quart_schema import tag_blueprint
from werkzeug.http import http_date

from common.web.errors import NotFound
from common.web.openapi.document import HEADER_DESCRIPTIONS, operation
from common.web.resources import pool
from common.web.spooled import is_current, not_modified
from provider.stays.calendars import links
from provider.stays.calendars.render import digest_of

blueprint = Blueprint("calendars", __name__)

tag_blueprint(blueprint, ["stays"])

ICALENDAR = "text/calendar"
ETAG_CHARACTERS = 32
REQUEST_HEADERS = {
    "If-None-Match": "Answer 304 unless the calendar has changed since this ETag",
    "If-Modified-Since": "Answer 304 unless the calendar has changed since then; If-None-Match goes first",
}
RESPONSE_HEADERS = {
    "ETag": HEADER_DESCRIPTIONS["ETag"],
    "Last-Modified": "Since when the calendar has had these nights; absent while it changes several times in a second",
}


def calendar_response(body: bytes, modified: datetime | None = None) -> Response:
    """A calendar, or 304 for a client that has it. modified: the Last-Modified; None where there is none."""
    etag = digest_of(body).hex()[:ETAG_CHARACTERS]
    headers = {"ETag": f'"{etag}"', "Cache-Control": "private, no-cache"}
    # A stamp is ahead of the clock while a calendar changes several times in a second; then the ETag alone counts.
    is_usable = modified is not None and modified <= datetime.now(UTC)
    if modified is not None and is_usable:
        headers["Last-Modified"] = http_date(modified)
    since = request.if_modified_since
    is_same = is_current(etag) if "If-None-Match" in request.headers else _is_unmodified(modified, since, is_usable)
    if is_same:
        return not_modified(headers)
    return Response(body, content_type=f"{ICALENDAR}; charset=utf-8", headers=headers)


def _is_unmodified(modified: datetime | None, since: datetime | None, is_usable: bool) -> bool:
    return modified is not None and since is not None and is_usable and modified <= since


@blueprint.get("/calendars/<calendar_token>.ics")
@operation(
    404,
    headers={200: RESPONSE_HEADERS},
    media={200: {ICALENDAR: {"type": "string"}}},
    descriptions={200: "iCalendar (RFC 5545)", 304: "The calendar has not changed"},
    request_headers=REQUEST_HEADERS,
    any_query=True,
    path_examples={"calendar_token": "Zk1V0rZ7mO2f3n8xU5QpH1sT9aYcE6bLdGiKjWvXuRo"},
)
async def get_linked_calendar(calendar_token: str) -> Response:
    """The calendar of a property for other sites, at the address of a calendar link; the address is all that it takes.

    It has the nights since a year ago that cannot be sold: one event for each reservation, and events for the turnover
    around them, for blocks, for nights that the feed has as booked, and for nights that other sites hold. No event
    names a guest. Query parameters are ignored, since some sites add one against caches.
    """
    found = await links.read_by_link(pool(), calendar_token, datetime.now(UTC))
    if found is None:
        raise NotFound("There is no such calendar.")
    return calendar_response(*found)
