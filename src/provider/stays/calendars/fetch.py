"""Fetches the calendar of another site, which may be down, slow, huge, or something else than a calendar."""

from typing import NamedTuple

import aiohttp
from yarl import URL

from common.db.errors import describe_failure
from common.upstream import CONNECT_SECONDS, Upstream, UpstreamError, UpstreamResponse
from common.web.least_speed import KIB_PER_SECOND, LeastSpeed, TooSlowError
from provider.stays.calendars.hosts import AddressNotPublicError, CalendarHosts
from provider.stays.models.calendars import Validators

MAX_CALENDAR_BYTES = 10 * 1024 * 1024
MAX_SECONDS = 60.0
SLOW_SECONDS = 10.0
MAX_REDIRECTS = 3

OK_STATUSES = frozenset({200, 304})
REDIRECTS = frozenset({301, 302, 303, 307, 308})
MAX_ETAG_LENGTH = 1000
MAX_LAST_MODIFIED_LENGTH = 100

_TIMEOUT = aiohttp.ClientTimeout(total=MAX_SECONDS, sock_connect=CONNECT_SECONDS, sock_read=15)


class CalendarError(Exception):
    """A calendar could not be read; the message is for the holder of the property."""


class FetchedCalendar(NamedTuple):
    """A document, decompressed, and its validators."""

    body: bytes
    validators: Validators


async def fetch_calendar(
    client: aiohttp.ClientSession, hosts: CalendarHosts, address: str, known: Validators
) -> FetchedCalendar | None:
    """Fetch the document at an address; None when it is the known one. Raises CalendarError.

    Redirects are followed on the same host alone. The session checks the addresses that it connects to.
    """
    try:
        url = hosts.require_url(address)
    except ValueError as error:
        raise CalendarError(f"The address {error}.") from None
    for _ in range(MAX_REDIRECTS + 1):
        origin = str(url.origin())
        site = Upstream(client, "calendar", origin, timeout=_TIMEOUT)
        try:
            async with site.call(
                "GET", str(url).removeprefix(origin), accept=OK_STATUSES | REDIRECTS, headers=_request_headers(known)
            ) as response:
                if response.status in REDIRECTS:
                    url = _redirected(url, response)
                    continue
                if response.status == 304:
                    return None
                return FetchedCalendar(await _read(response), _validators(response))
        except UpstreamError as error:
            raise CalendarError(_describe(error)) from error
    raise CalendarError(f"The site redirects more than {MAX_REDIRECTS} times.")


def _request_headers(known: Validators) -> dict[str, str]:
    headers = {"Accept": "text/calendar, */*;q=0.1"}
    if known.etag is not None:
        headers["If-None-Match"] = known.etag
    if known.last_modified is not None:
        headers["If-Modified-Since"] = known.last_modified
    return headers


def _validators(response: UpstreamResponse) -> Validators:
    etag, last_modified = response.headers.get("ETag"), response.headers.get("Last-Modified")
    return Validators(
        etag if etag and len(etag) <= MAX_ETAG_LENGTH and etag.isprintable() else None,
        last_modified
        if last_modified and len(last_modified) <= MAX_LAST_MODIFIED_LENGTH and last_modified.isprintable()
        else None,
    )


def _redirected(url: URL, response: UpstreamResponse) -> URL:
    """The address to which a response redirects. Raises CalendarError for another host, and from https to http."""
    try:
        target = url.join(URL(response.headers.get("Location", ""))).with_fragment(None)
        host = target.raw_host
    except ValueError:
        raise CalendarError("The site redirects to an address that is not valid.") from None
    if host != url.raw_host or target.scheme not in ("http", "https") or target.raw_user is not None:
        raise CalendarError("The site redirects to another host; use the address there if it is allowed.")
    if (url.scheme, target.scheme) == ("https", "http"):
        raise CalendarError("The site redirects from https to http.")
    return target


async def _read(response: UpstreamResponse) -> bytes:
    """The body, decompressed. Raises CalendarError when it is too large or comes too slowly, and UpstreamError."""
    announced = response.headers.get("Content-Length", "")
    if announced.isdecimal() and int(announced[:15]) > MAX_CALENDAR_BYTES:
        raise CalendarError(_TOO_LARGE)
    speed = LeastSpeed(SLOW_SECONDS)
    parts = aiter(response.content.iter_any())
    body = bytearray()
    try:
        while (part := await speed.wait_for(anext(parts, b""))) != b"":
            speed.count(len(part))
            body += part
            if len(body) > MAX_CALENDAR_BYTES:
                raise CalendarError(_TOO_LARGE)
    except TooSlowError:
        raise CalendarError(f"The site sends less than {KIB_PER_SECOND} KiB in a second.") from None
    return bytes(body)


_TOO_LARGE = f"The calendar has more than {MAX_CALENDAR_BYTES // 1024**2} MiB."


def _describe(error: UpstreamError) -> str:
    """What went wrong, without the path of the address, which is often a secret."""
    cause = error.__cause__
    if error.status is not None:
        return f"The site answered {error.status}."
    if isinstance(cause, TimeoutError):
        return "The site did not answer in time."
    if isinstance(cause, aiohttp.ClientConnectorError):
        if isinstance(cause.os_error, AddressNotPublicError):
            return f"The site was not called: {cause.os_error}."
        return f"The site cannot be reached: {describe_failure(cause.os_error)}"
    if isinstance(cause, aiohttp.ClientResponseError):  # its text has the address
        return f"The answer is not valid HTTP: {cause.message.partition(':')[0][:200]}"
    return f"The answer cannot be read: {describe_failure(cause) if cause else str(error).rpartition(': ')[2][:200]}"
