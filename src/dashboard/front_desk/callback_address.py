"""Check callback addresses: the dashboard calls only addresses under the provider's base URL.

An order names its callback address. Even a signed order is foreign input: with an address elsewhere the dashboard would
send a signed decision to a third party.
"""

import re
from urllib.parse import SplitResult, unquote, urlsplit

DEFAULT_PORTS = {"http": 80, "https": 443}
_VISIBLE_ASCII = re.compile(r"[!-~]+")


def is_under(address: str, base: str) -> bool:
    """Whether the address is under the base URL: the same origin, and a path that continues the base's by segments.

    Compares the addresses that a client would call, not their spelling; an ambiguous address is refused.
    """
    if not _VISIBLE_ASCII.fullmatch(address) or "\\" in address or len(address) > 2000:
        return False
    try:
        parts, root = urlsplit(address), urlsplit(base)
        same_origin = origin(parts) == origin(root)
    except ValueError:
        return False
    if not same_origin or parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        return False
    segments, prefix = segments_of(parts.path), segments_of(root.path)
    return len(segments) > len(prefix) and segments[: len(prefix)] == prefix and not any(map(is_ambiguous, segments))


def origin(parts: SplitResult) -> tuple[str, str, int]:
    """Scheme, host and port. Raises ValueError if one of them is missing or not valid."""
    port = DEFAULT_PORTS.get(parts.scheme) if parts.port is None else parts.port
    if not parts.hostname or port is None:
        raise ValueError("the address has no origin")
    return parts.scheme, parts.hostname, port


def segments_of(path: str) -> list[str]:
    return path.removeprefix("/").removesuffix("/").split("/") if path.strip("/") else []


def is_ambiguous(segment: str) -> bool:
    """Whether a client or a server could read the segment differently from how it is written."""
    decoded = unquote(segment)
    return decoded in ("", ".", "..") or "/" in decoded or "\\" in decoded or "%" in decoded
