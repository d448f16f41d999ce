"""The types of input that every capability shares: ids, instants, nights, as they stand in queries and bodies."""

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

MAX_ID = 2**63 - 1

_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_NIGHT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_WHOLE = re.compile(r"-?[0-9]{1,30}")


class Input(BaseModel):
    """Base of every query string and body: unknown fields are refused, values are taken as they are typed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def parse_instant(value: Any) -> datetime:
    """An RFC 3339 instant with offset, as a datetime in UTC; finer than a microsecond is cut off. Raises ValueError."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC)
    if not isinstance(value, str) or not _INSTANT.fullmatch(value):
        raise ValueError("must be an RFC 3339 instant with offset, such as 2020-01-01T00:00:00Z")
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("is no instant of the calendar") from None


def parse_night(value: Any) -> date:
    """A date written YYYY-MM-DD. Raises ValueError."""
    if type(value) is date:
        return value
    if not isinstance(value, str) or not _NIGHT.fullmatch(value):
        raise ValueError("must be a date, such as 2020-01-01")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ValueError("is no date of the calendar") from None


def parse_query_integer(value: Any) -> int:
    """A whole number from a query string: digits alone, no spaces, no underscores, no fraction. Raises ValueError."""
    if type(value) is int:
        return value
    if not isinstance(value, str) or not _WHOLE.fullmatch(value):
        raise ValueError("must be a whole number")
    return int(value)


D = TypeVar("D", date, datetime)

CALENDAR_ENDS = (date.min, date.max, datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


def require_finite(value: D) -> D:
    """The value, unless it is the first or the last that Python knows: asyncpg takes those for the infinities."""
    if value in CALENDAR_ENDS:
        raise ValueError("is at the end of the calendar")
    return value


_INSTANT_SCHEMA = WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2020-01-01T00:00:00Z"]})
_NIGHT_SCHEMA = WithJsonSchema({"type": "string", "format": "date", "examples": ["2020-01-01"]})

Instant = Annotated[datetime, BeforeValidator(parse_instant), AfterValidator(require_finite), _INSTANT_SCHEMA]
"""An RFC 3339 instant with offset; held in UTC."""


def parse_query_instant(value: Any) -> datetime:
    """An instant from a query string, where an unencoded + of the offset arrives as a space. Raises ValueError."""
    return parse_instant(re.sub(r" (?=[0-9]{2}:[0-9]{2}$)", "+", value) if isinstance(value, str) else value)


QueryInstant = Annotated[
    datetime, BeforeValidator(parse_query_instant), AfterValidator(require_finite), _INSTANT_SCHEMA
]
"""The same in a query string."""

Night = Annotated[date, BeforeValidator(parse_night), AfterValidator(require_finite), _NIGHT_SCHEMA]
"""The date on which a guest goes to sleep."""

QueryNight = Annotated[date, BeforeValidator(parse_night), _NIGHT_SCHEMA]
"""A bound of nights, in a query string: 9999-12-31 is the usual way to say that there is none."""

Id = Annotated[int, Field(ge=1, le=MAX_ID)]
"""1 to 2^63 - 1, in a body."""

QueryInteger = Annotated[int, BeforeValidator(parse_query_integer)]
"""Any whole number, in a query string; bound it with Field(ge=…, le=…)."""

QueryId = Annotated[QueryInteger, Field(ge=1, le=MAX_ID)]
"""1 to 2^63 - 1, in a query string."""

PageLimit = Annotated[QueryInteger, Field(ge=1, le=1000, description="How many items a page holds")]
"""How many items a page holds."""


class PageQuery(Input):
    """A page of a list."""

    limit: PageLimit = 100
    cursor: Annotated[str | None, Field(description="Where the page begins; from the Link header")] = None
