"""Which addresses the dashboard calls back: those under the provider's base URL, and no other.

An order names its callback address, and a signed order is still somebody else's input: an address elsewhere would make
the dashboard send a signed decision there.
"""

import re
from urllib.parse import SplitResult, unquote, urlsplit

DEFAULT_PORTS = {"http": 80, "https": 443}
_VISIBLE_ASCII = re.compile(r"[!-~]+")


def is_under(address: str, base: str) -> bool:
    """Does the address lie under the base URL: the same origin, and a path below the base's, segment by segment?

    Compares what a client would call, not how it is spelled; whatever could be read in two ways is refused.
    """
    if not _VISIBLE_ASCII.fullmatch(address) or "\\" in address or len(address) > 2000:
        return False
    try:
        parts, root = urlsplit(address), urlsplit(base)
        same = origin(parts) == origin(root)
    except ValueError:
        return False
    if not same or parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        return False
    segments, prefix = segments_of(parts.path), segments_of(root.path)
    return len(segments) > len(prefix) and segments[: len(prefix)] == prefix and not any(map(is_ambiguous, segments))


def origin(parts: SplitResult) -> tuple[str, str, int]:
    """Scheme, host and port. Raises ValueError where one of them is missing or none."""
    port = DEFAULT_PORTS.get(parts.scheme) if parts.port is None else parts.port
    if not parts.hostname or port is None:
        raise ValueError("no origin")
    return parts.scheme, parts.hostname, port


def segments_of(path: str) -> list[str]:
    return path.removeprefix("/").removesuffix("/").split("/") if path.strip("/") else []


def is_ambiguous(segment: str) -> bool:
    """Would a client or a server take the segment for something else than it says?"""
    plain = unquote(segment)
    return plain in ("", ".", "..") or "/" in plain or "\\" in plain or "%" in plain
