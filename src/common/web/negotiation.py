"""The media type of a response, by the Accept header of the request (RFC 9110, section 12.5.1)."""

import re
from collections.abc import Sequence
from functools import lru_cache

from werkzeug.http import parse_list_header

from common.web.errors import NotAcceptable
from common.web.request_body import current_request

ANYTHING = "*/*"
CACHED_HEADERS = 1024
QUALITY = re.compile(r"0?\.[0-9]{1,3}|0\.?|1(\.0{0,3})?")
PART = re.compile(r'(?:[^;"]|"(?:[^"\\]|\\.)*"?)+')
"""A part of a range between semicolons, but not those in quotes. A quote left open ends with the range."""

Rank = tuple[float, int]
"""Quality, then how exactly the header names the type: 2 by its name, 1 as `text/*`, 0 as `*/*`."""


def negotiate(*offered: str, default: str | None = None) -> str:
    """The media type to answer with: the one that the request prefers, on a tie the first of `offered`.

    default: the type for a request without an Accept header or with `*/*` alone; by default the first of `offered`.
    Raises NotAcceptable if the request accepts none of them.
    """
    chosen = preferred(accept_header(), offered, default or offered[0])
    if chosen is None:
        raise not_acceptable(offered)
    return chosen


def accept_header() -> str:
    """The Accept header of the current request; `*/*` if there is none."""
    current = current_request()
    given = current.headers.getlist("Accept") if b"accept" in current.header_names else ()
    return ", ".join(given) or ANYTHING


def not_acceptable(offered: Sequence[str]) -> NotAcceptable:
    return NotAcceptable(f"The Accept header allows none of {', '.join(offered)}.")


@lru_cache(CACHED_HEADERS)
def preferred(accept: str, offered: tuple[str, ...], default: str) -> str | None:
    """The best of `offered` for an Accept header; None if it accepts none of them."""
    ranges = [_parse_range(text) for text in parse_list_header(accept)]
    ranks = {media_type: _rank(ranges, media_type) for media_type in offered}
    best = max(ranks.values())
    if best[0] <= 0:
        return None
    if best[1] == 0 and ranks[default] == best:
        return default
    return next(media_type for media_type in offered if ranks[media_type] == best)


def _rank(ranges: Sequence[tuple[str, float]], media_type: str) -> Rank:
    """How much the media ranges of an Accept header want a type; the most exact that names it decides its quality.

    Parameters of a range, such as charset, do not matter.
    """
    exactness = {media_type: 2, f"{media_type.partition('/')[0]}/*": 1, ANYTHING: 0, "*": 0}
    found = [(exactness[media_range], quality) for media_range, quality in ranges if media_range in exactness]
    exact, quality = max(found, default=(0, 0.0))
    return quality, exact


def _parse_range(text: str) -> tuple[str, float]:
    """A media range in lower case and its quality, of which clients also write `.2`; 0 for one that is not valid."""
    media_range, *parameters = (part.strip().lower() for part in PART.findall(text) or [""])
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            return media_range, float(value) if QUALITY.fullmatch(value.strip()) else 0.0
    return media_range, 1.0
