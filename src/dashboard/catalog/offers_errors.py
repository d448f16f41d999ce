"""What the offers service says of a request that it refuses, in its own words."""

import unicodedata
from typing import Any

import msgspec

from common.upstream import UpstreamError, UpstreamResponse, read_body, retry_after_seconds

ANY_STATUS = frozenset(range(100, 600))
MAX_ERROR_BYTES = 64 * 1024
MAX_WORDS = 300
"""Characters of the service's words that are kept."""


async def require_accepted(response: UpstreamResponse, accept: frozenset[int], token: str) -> None:
    """Raise UpstreamError with the service's own words unless the status is one of `accept`.

    token: what the request sent; it is left out of the words, which everybody may read.
    """
    if response.status in accept:
        return
    try:
        words = words_of(await read_body(response, MAX_ERROR_BYTES)).replace(token or "\0", "***")
    except UpstreamError:
        words = ""
    reason = f"{response.method} {response.url.path} answered {response.status}"
    raise UpstreamError(
        f"{reason}: {words}" if words else reason,
        status=response.status,
        retry_after=retry_after_seconds(response.headers),
    )


def words_of(body: bytes) -> str:
    """The `msg` or `detail` of an error, which may be a list of invalid values; empty for any other body."""
    try:
        error = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""
    if not isinstance(error, dict):
        return ""
    found = error.get("msg") or error.get("detail")
    words = "; ".join(map(_of_value, found)) if isinstance(found, list) else found
    if not isinstance(words, str):
        return ""
    visible = "".join(" " if unicodedata.category(each)[0] == "C" else each for each in words)
    return " ".join(visible.split())[:MAX_WORDS]


def _of_value(value: Any) -> str:
    """What is wrong with one value: `body.name: field required`."""
    if not isinstance(value, dict):
        return str(value)
    place = value.get("loc")
    path = ".".join(map(str, place)) if isinstance(place, list) else ""
    return f"{path}: {value.get('msg', '')}".removeprefix(": ")
