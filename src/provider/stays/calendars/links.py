"""The calendar of a property as other sites read it, and the addresses at which they do."""

import asyncio
import base64
import hashlib
import hmac
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import msgspec

from common.db.pool import Connection, Executor
from common.web.errors import Conflict
from provider.stays.calendars.render import digest_of, render
from provider.stays.inputs.calendars import CalendarLinkInput
from provider.stays.models.calendars import CalendarLink, NewCalendarLink, ShownCalendar
from provider.stays.queries import calendar_links as queries
from provider.stays.queries.properties import lock_properties
from provider.stays.service.rights import require_own_property

CALENDAR_PAST = timedelta(days=365)
MAX_LINKS = 50
"""The most links of a property."""


class StoredLink(msgspec.Struct, frozen=True):
    """A new link as it is stored for a repetition of its request: with the salt of its token, not the token itself."""

    link: CalendarLink
    salt: bytes


def link_token(bearer: str, salt: bytes) -> str:
    """The token of an address, made from the caller's token and a random salt.

    Nobody can guess it, and a repetition of the request gets it again, while the database has neither it nor all from
    which it is made.
    """
    digest = hmac.new(bearer.encode("utf-8", "surrogatepass"), salt, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def link_token_digest(token: str) -> bytes:
    """The digest under which the token of a link is stored."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def with_address(stored: StoredLink, bearer: str, public_url: str) -> NewCalendarLink:
    """The link with its address."""
    token = link_token(bearer, stored.salt)
    return NewCalendarLink(**msgspec.structs.asdict(stored.link), url=f"{public_url}/calendars/{token}.ics")


async def create_link(
    connection: Connection, property_id: str, new: CalendarLinkInput, holder: UUID | None, digest: bytes
) -> CalendarLink:
    """Store a link inside the caller's transaction. holder: None for the administrator.

    Raises NotFound, Forbidden for a property of another holder, and Conflict when it has MAX_LINKS links.
    """
    await lock_properties(connection, property_id)  # from here on nobody deletes it
    await require_own_property(connection, property_id, holder)
    link = await queries.insert_link(connection, property_id, new, digest, MAX_LINKS)
    if link is None:
        raise Conflict(f"The property has {MAX_LINKS} calendar links; revoke one first.", code="too_many_links")
    return link


async def render_calendar(
    db: Executor, property_id: str, now: datetime, without_source: str | None = None
) -> bytes | None:
    """The calendar of a property since a year ago; None without such a property."""
    owner = await queries.select_calendar_owner(db, property_id)
    if owner is None:
        return None
    nights = await queries.select_shown_nights(db, property_id, now.date() - CALENDAR_PAST, without_source)
    # Rendering is slow and would block the event loop.
    return await asyncio.to_thread(render, ShownCalendar(*owner, nights=nights))


async def read_by_link(db: asyncpg.Pool, token: str, now: datetime) -> tuple[bytes, datetime] | None:
    """The calendar at an address, and its Last-Modified; None when the link is unknown or revoked."""
    link = await queries.select_link(db, link_token_digest(token))
    body = link and await render_calendar(db, link.property_id, now, link.without_source)
    if not link or not body:
        return None
    modified = await queries.update_link_read(db, link, digest_of(body), now)
    return None if modified is None else (body, modified)
