"""The one reader and the one writer of instants: in files, requests, feeds and responses."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from common.time_zones import instant_of

_ISO = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)[ Tt](?P<time>\d\d:\d\d(?::\d\d)?)(?:[.,](?P<fraction>\d{1,9}))?"
    r" ?(?P<zone>UTC|GMT|Z|[+-]\d\d(?::?[0-5]\d)?)?",
    re.ASCII | re.IGNORECASE,
)
_SECONDS = re.compile(r"(\d{9,10})(?:[.,](\d{1,9}))?", re.ASCII)
_MILLISECONDS = re.compile(r"\d{12,13}", re.ASCII)
_LOST_PLUS = re.compile(r"(:\d\d(?:[.,]\d{1,9})?) (\d\d(?::?[0-5]\d)?)", re.ASCII)

WITHOUT_ZONE = "must be an instant with an offset from UTC, such as 2020-01-01T00:00:00Z"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_instant(text: str) -> datetime:
    """Parse an instant as programs write it; returns it in UTC. Raises ValueError.

    A date, `T` or a space, and a time with or without seconds and fraction; as zone `Z`, `UTC`, `GMT`, `+01`, `+0100`
    or `+01:00`; without a zone it is UTC. Digits finer than a microsecond are cut off. Or the time since 1970: 9 or 10
    digits are seconds, which may have a fraction, 12 or 13 digits are milliseconds, so no instant has two meanings.
    """
    if match := _ISO.fullmatch(text):
        return _from_iso(match)
    if match := _SECONDS.fullmatch(text):
        return _EPOCH + timedelta(seconds=int(match[1]), microseconds=int((match[2] or "0").ljust(6, "0")[:6]))
    if _MILLISECONDS.fullmatch(text):
        return _EPOCH + timedelta(milliseconds=int(text))
    raise ValueError("must be an instant, such as 2020-01-01T00:00:00Z")


def parse_instant_with_zone(text: str) -> datetime:
    """Parse an instant that names its zone, or counts from 1970; returns it in UTC. Raises ValueError."""
    match = _ISO.fullmatch(text)
    if match is None and not _SECONDS.fullmatch(text) and not _MILLISECONDS.fullmatch(text):
        raise ValueError(WITHOUT_ZONE)
    if match is not None and match["zone"] is None:
        raise ValueError(WITHOUT_ZONE)
    return parse_instant(text)


def parse_local_instant(text: str, zone: ZoneInfo) -> datetime:
    """Parse an instant; without an offset it is a time by the clocks of a zone. Returns it in UTC.

    Raises ValueError, also for a time that these clocks skip or show twice.
    """
    match = _ISO.fullmatch(text)
    instant = parse_instant(text)
    if match is None or match["zone"] is not None:
        return instant
    return instant_of(instant.replace(tzinfo=None), zone)


def parse_query_text(text: str) -> datetime:
    """Parse an instant with its zone from a query string, where a + that is not encoded arrives as a space."""
    return parse_instant_with_zone(restore_plus(text))


def restore_plus(text: str) -> str:
    """Return an instant from a query string with its +, which arrives as a space if it was not encoded."""
    return _LOST_PLUS.sub(r"\1+\2", text)


def _from_iso(match: re.Match[str]) -> datetime:
    zone = match["zone"] or "Z"
    fraction = f".{match['fraction'][:6]}" if match["fraction"] else ""
    offset = zone if zone[0] in "+-" else "Z"
    try:
        return datetime.fromisoformat(f"{match['date']}T{match['time']}{fraction}{offset}").astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("is not a valid instant") from None


def format_instant(instant: datetime) -> str:
    """An instant in UTC in the form of RFC 3339, with `Z` and always six decimals.

    Programs that guess the form of a column from its first value then read every value.
    """
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def format_minute(instant: datetime) -> str:
    """An instant in UTC in the form for sentences: `2026-03-01 12:04 UTC`."""
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
