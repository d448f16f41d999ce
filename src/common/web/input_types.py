"""The types of input that the slices share: ids, instants and nights in query strings and bodies."""

import re
import unicodedata
from datetime import UTC, date, datetime
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from common import instants
from common.tables import TableFormat

MAX_ID = 2**63 - 1

WITHOUT_NUL = r"^[^\x00]*$"
"""Pattern of a text that PostgreSQL can store."""

_NIGHT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,30}")


class Input(BaseModel):
    """Base of query strings and bodies: unknown fields are refused, and values are not converted between types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class PageInput(Input):
    """Base of the query strings of pages for people: unknown parameters are ignored.

    So are empty ones, which a form sends for empty fields, if they may be absent.
    """

    model_config = ConfigDict(extra="ignore")

    @model_validator(mode="before")
    @classmethod
    def _ignore_empty(cls, given: Any) -> Any:
        required = {field.alias or name for name, field in cls.model_fields.items() if field.is_required()}
        if not isinstance(given, dict):
            return given
        return {name: value for name, value in given.items() if value != "" or name in required}


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


def parse_month(value: Any, first: date, last: date) -> date:
    """Parse a month written YYYY-MM, from that of `first` to that of `last`, to its first day. Raises ValueError."""
    if type(value) is date:
        return value
    if isinstance(value, str) and _MONTH.fullmatch(value):
        month = parse_night(f"{value}-01")
        if first.replace(day=1) <= month <= last:
            return month
    raise ValueError(f"must be a month from {first:%Y-%m} to {last:%Y-%m}, such as 2026-12")


def parse_query_integer(value: Any) -> int:
    """Parse a whole number from a query string: digits, with or without a sign. Raises ValueError."""
    if type(value) is int:
        return value
    if not isinstance(value, str) or not _WHOLE_NUMBER.fullmatch(value):
        raise ValueError("must be a whole number")
    return int(value)


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


def parse_local_instant(value: Any, info: ValidationInfo) -> datetime:
    """Parse an instant; without an offset it is a time by the clocks of the zone in the context. Raises ValueError."""
    assert info.context is not None
    if not isinstance(value, str):
        return parse_instant(value)
    return instants.parse_local_instant(instants.restore_plus(value), info.context["zone"])


LocalInstant = Annotated[
    datetime, BeforeValidator(parse_local_instant), AfterValidator(require_finite), _INSTANT_SCHEMA
]
"""An instant in a body or a query string; validators need the ZoneInfo `zone` in their context."""

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


Cursor = Annotated[
    str, Field(description="Start of the page, from the Link header of the page before", examples=["gaDnGkqPUPSTzwE"])
]
"""The start of a page."""


class TableQuery(Input):
    """The query string of a route that answers a table."""

    format: Annotated[
        TableFormat | None, Field(description="The form of the table: json, csv or xlsx; by default as Accept says")
    ] = None


class PageQuery(TableQuery):
    """The query string of a paginated list."""

    limit: PageLimit = 100
    cursor: Cursor | None = None


MAX_NAME_LENGTH = 100

REFUSED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Control and format characters, lone surrogates, private and unassigned characters, line breaks: never in a name.

Format characters (Cf) turn the direction of the text around them, or cannot be seen.
"""

INVISIBLE_LETTERS = frozenset("\u115f\u1160\u3164\uffa0")
"""The Hangul fillers, which count as letters."""

JOINERS = frozenset("\u200c\u200d")
"""Between two letters of a script whose letters join, these format characters are a matter of spelling."""

JOINING_SCRIPTS = frozenset(
    ("ADLAM", "ARABIC", "BALINESE", "BENGALI", "BRAHMI", "DEVANAGARI", "GUJARATI", "GURMUKHI", "JAVANESE", "KANNADA",
     "KHMER", "MALAYALAM", "MANDAIC", "MONGOLIAN", "MYANMAR", "NKO", "ORIYA", "SINHALA", "SYRIAC", "TAMIL", "TELUGU",
     "THAANA", "TIBETAN")
)  # fmt: skip
"""The first words of the Unicode names of their letters."""


def parse_name(value: Any, max_length: int = MAX_NAME_LENGTH) -> str:
    """Return the name of a person or thing: one line that can be seen, without the spaces around it.

    Raises ValueError.
    """
    name = value.strip() if isinstance(value, str) else None
    if name is None:
        raise ValueError("must be text")
    if not 1 <= len(name) <= max_length:
        raise ValueError(f"must have 1 to {max_length} characters")
    if any(map(is_refused_in_names, ["", *name], name, [*name[1:], ""])):
        raise ValueError("must not contain control characters, line breaks or invisible characters")
    if not any(character.isalnum() for character in name):
        raise ValueError("must contain a letter or a digit")
    return name


def is_refused_in_names(before: str, character: str, after: str) -> bool:
    """Whether a name must not contain the character between the other two, which are empty at its ends."""
    if character in JOINERS:
        script = joining_script(before)
        return script is None or joining_script(after) != script
    return character in INVISIBLE_LETTERS or unicodedata.category(character) in REFUSED_CATEGORIES


def joining_script(character: str) -> str | None:
    """The script of a letter, or of a mark on one, whose letters join; None for every other character."""
    if not character or unicodedata.category(character)[0] not in "LM":
        return None
    script = unicodedata.name(character, "").partition(" ")[0]
    return script if script in JOINING_SCRIPTS else None


Name = Annotated[
    str,
    BeforeValidator(parse_name),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_NAME_LENGTH}),
]
"""The name of a person or thing: one line that can be seen, with a letter or a digit."""


def one_line(text: str, max_length: int) -> str:
    """Return a text of another program as one line that `parse_name` accepts, with a space for what that refuses."""
    neighbours = zip(["", *text], text, [*text[1:], ""], strict=False)
    line = "".join(" " if is_refused_in_names(*each) else each[1] for each in neighbours)
    return " ".join(line.split())[:max_length].strip()


MAX_NOTES_LENGTH = 500

REFUSED_IN_NOTES = REFUSED_CATEGORIES - {"Cn"}


def parse_notes(value: Any) -> str | None:
    """Return a text of several lines without the spaces around it; None for one without content. Raises ValueError.

    Line breaks of any kind become \\n, tabs become spaces. What hides text or turns its direction is refused; the
    joiners of letters and emoji stay.
    """
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError("must be text")  # noqa: TRY004 - pydantic takes ValueError
    text = value.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ").strip()
    if len(text) > MAX_NOTES_LENGTH:
        raise ValueError(f"must have at most {MAX_NOTES_LENGTH} characters")
    if any(
        character not in JOINERS and character != "\n" and unicodedata.category(character) in REFUSED_IN_NOTES
        for character in text
    ):
        raise ValueError("must not contain control characters or characters that turn or hide text")
    return text or None


Notes = Annotated[
    str | None,
    BeforeValidator(parse_notes),
    WithJsonSchema({"anyOf": [{"type": "string", "maxLength": MAX_NOTES_LENGTH}, {"type": "null"}]}),
]
"""A text of several lines that can be seen; None if it is empty."""
