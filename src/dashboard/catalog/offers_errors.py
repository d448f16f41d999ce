"""The message of the offers service about a request that it refuses."""

import unicodedata
from typing import Any

import msgspec

from common.upstream import UpstreamError, UpstreamResponse, read_body, retry_after_seconds

ANY_STATUS = frozenset(range(100, 600))
MAX_ERROR_BYTES = 64 * 1024
MAX_MESSAGE_LENGTH = 300
"""Characters of the service's message that are kept."""


async def require_accepted(response: UpstreamResponse, accept: frozenset[int], token: str) -> None:
    """Raise UpstreamError with the service's own message unless the status is one of `accept`.

    token: what the request sent; it is masked in the message, which everybody may read.
    """
    if response.status in accept:
        return
    try:
        message = message_of(await read_body(response, MAX_ERROR_BYTES), token)
    except UpstreamError:
        message = ""
    reason = f"{response.method} {response.url.path} answered {response.status}"
    raise UpstreamError(
        f"{reason}: {message}" if message else reason,
        status=response.status,
        retry_after=retry_after_seconds(response.headers),
    )


def message_of(body: bytes, token: str = "") -> str:
    """The `msg` or `detail` of an error, which may be a list of invalid values; empty for any other body.

    The token is masked before the message is cut, so that no part of it is left at the end.
    """
    try:
        error = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""
    if not isinstance(error, dict):
        return ""
    found = error.get("msg") or error.get("detail")
    message = "; ".join(map(_of_value, found)) if isinstance(found, list) else found
    if not isinstance(message, str):
        return ""
    visible = "".join(" " if unicodedata.category(each)[0] == "C" else each for each in message)
    masked = visible.replace(token, "***") if token else visible
    return " ".join(masked.split())[:MAX_MESSAGE_LENGTH]


def _of_value(value: Any) -> str:
    """What is wrong with one value: `body.name: field required`."""
    if not isinstance(value, dict):
        return str(value)
    place = value.get("loc")
    path = ".".join(map(str, place)) if isinstance(place, list) else ""
    return f"{path}: {value.get('msg', '')}".removeprefix(": ")
