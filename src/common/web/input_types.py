"""The types of input that the slices share: ids, instants and nights in query strings and bodies."""

import re
import unicodedata
from datetime import UTC, date, datetime
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from common import instants

MAX_ID = 2**63 - 1

WITHOUT_NUL = r"^[^\x00]*$"
"""Pattern of a text that PostgreSQL can store."""

_NIGHT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,30}")


_JOINERS = "\u200c\u200d"
_OF_A_JOINING_SCRIPT = re.compile("[\u0620-\u08ff\u0900-\u0dff\u1000-\u109f\u1780-\u18aa\ufb50-\ufdff\ufe70-\ufefc]")
"""Arabic, Syriac, the scripts of India, Myanmar, Khmer and Mongolian."""


class Input(BaseModel):
    """Base of query strings and bodies: unknown fields are refused, and values are not converted between types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class PageInput(Input):
    """Base of the query strings of pages for people: unknown parameters are ignored."""

    model_config = ConfigDict(extra="ignore")


def parse_instant(value: Any) -> datetime:
    """Parse an instant with its zone, in any form of `common.instants`; returns it in UTC. Raises ValueError."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC)
    if not isinstance(value, str):
        raise ValueError(instants.WITHOUT_ZONE)  # noqa: TRY004 - pydantic takes ValueError
    return instants.parse_instant_with_zone(value)


def parse_night(value: Any) -> date:
    """Parse a date written YYYY-MM-DD. Raises ValueError."""
    if type(value) is date:
        return value
    if not isinstance(value, str) or not _NIGHT.fullmatch(value):
        raise ValueError("must be a date, such as 2020-01-01")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ValueError("is not a valid date") from None


def parse_query_integer(value: Any) -> int:
    """Parse a whole number from a query string: digits, with or without a sign. Raises ValueError."""
    if type(value) is int:
        return value
    if not isinstance(value, str) or not _WHOLE_NUMBER.fullmatch(value):
        raise ValueError("must be a whole number")
    return int(value)


def require_visible(text: str) -> str:
    """Return the text. Raises ValueError for control characters, and for those that are invisible or turn text around.

    A joiner or a non-joiner is permitted between two letters, or their marks, of a script that joins letters.
    """
    for index, character in enumerate(text):
        if unicodedata.category(character) not in ("Cc", "Cf"):
            continue
        neighbours = (text[index - 1 : index], text[index + 1 : index + 2])
        if character not in _JOINERS or not all(map(_OF_A_JOINING_SCRIPT.match, neighbours)):
            raise ValueError(f"must not contain the character U+{ord(character):04X}, which is invisible")
    return text


def parse_name(value: str) -> str:
    """Return the name of a person or a thing. Raises ValueError unless it is visible and has a letter or a digit."""
    if not any(map(str.isalnum, value)):
        raise ValueError("must have a letter or a digit")
    return require_visible(value)


Name = Annotated[str, AfterValidator(parse_name)]
"""The name of a person or a thing."""

D = TypeVar("D", date, datetime)

CALENDAR_ENDS = (date.min, date.max, datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


def require_finite(value: D) -> D:
    """Return the value. Raises ValueError for the ends of the calendar, which asyncpg sends as infinities."""
    if value in CALENDAR_ENDS:
        raise ValueError("is at the end of the calendar")
    return value


_INSTANT_SCHEMA = WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2020-01-01T00:00:00Z"]})
_NIGHT_SCHEMA = WithJsonSchema({"type": "string", "format": "date", "examples": ["2020-01-01"]})

Instant = Annotated[datetime, BeforeValidator(parse_instant), AfterValidator(require_finite), _INSTANT_SCHEMA]
"""An instant with its zone, in UTC."""


def parse_query_instant(value: Any) -> datetime:
    """Parse an instant from a query string, where an unencoded + arrives as a space. Raises ValueError."""
    return instants.parse_query_text(value) if isinstance(value, str) else parse_instant(value)


QueryInstant = Annotated[
    datetime, BeforeValidator(parse_query_instant), AfterValidator(require_finite), _INSTANT_SCHEMA
]
"""An instant in a query string."""

Night = Annotated[date, BeforeValidator(parse_night), AfterValidator(require_finite), _NIGHT_SCHEMA]
"""The date on which a guest goes to sleep."""

QueryNight = Annotated[date, BeforeValidator(parse_night), _NIGHT_SCHEMA]
"""A bound of nights in a query string; 9999-12-31 usually means no bound, so the ends of the calendar are allowed."""

Id = Annotated[int, Field(ge=1, le=MAX_ID)]
"""An id in a body: 1 to 2^63 - 1."""

QueryInteger = Annotated[int, BeforeValidator(parse_query_integer)]
"""Any whole number in a query string; bound it with Field(ge=…, le=…)."""

QueryId = Annotated[QueryInteger, Field(ge=1, le=MAX_ID)]
"""An id in a query string: 1 to 2^63 - 1."""

PageLimit = Annotated[QueryInteger, Field(ge=1, le=1000, description="Maximum number of items in a page")]
"""The maximum number of items in a page."""


class PageQuery(Input):
    """The query string of a paginated list."""

    limit: PageLimit = 100
    cursor: Annotated[str | None, Field(description="Start of the page, from the Link header")] = None
