"""The types of the fields in requests of the storefront."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from common.limits import EARLIEST_NIGHT, LATEST_NIGHT, require_sane_night
from common.time_zones import parse_time_zone
from common.web.errors import Invalid
from common.web.input_types import parse_name, parse_night

MAX_NIGHTS = 365

MAX_GUESTS = 1000
"""The most guests of a stay; it stands again in the provider's SQL."""

PROPERTY_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._~-]{0,63}")

RESERVED_IDS = frozenset({"available"})
"""Names of routes that stand in a URL where the id of a property would."""


def is_property_id(value: str) -> bool:
    return PROPERTY_ID.fullmatch(value) is not None and value not in RESERVED_IDS


def parse_property_id(value: Any) -> str:
    """Parse an id that needs no escaping in a URL. Raises ValueError."""
    if isinstance(value, str) and is_property_id(value):
        return value
    raise ValueError("must be 1 to 64 letters, digits or any of . _ ~ - (and not `available`)")


def parse_description(value: str) -> str:
    """Return the text, which may have several lines. Raises ValueError for what `parse_name` refuses in a line."""
    parse_name(" ".join(value.replace("\r\n", "\n").replace("\t", "\n").split("\n")), max_length=2000)
    return value


def parse_note(value: str) -> str:
    """Return a line of text. Raises ValueError for what `parse_name` refuses."""
    return parse_name(value, max_length=200)


def parse_day(value: Any) -> date:
    """Parse a date written YYYY-MM-DD, from `EARLIEST_NIGHT` to `LATEST_NIGHT`. Raises ValueError."""
    return require_sane_night(parse_night(value))


def parse_end(value: Any) -> date:
    """Parse the day after a last night. Raises ValueError."""
    end = parse_night(value)
    if not EARLIEST_NIGHT < end <= LATEST_NIGHT + timedelta(days=1):
        raise ValueError(f"must be from {EARLIEST_NIGHT + timedelta(days=1)} to {LATEST_NIGHT + timedelta(days=1)}")
    return end


def parse_time_zone_name(value: Any) -> str:
    """Parse the name of a time zone. Raises ValueError."""
    if not isinstance(value, str):
        raise ValueError("must be text")  # noqa: TRY004 - pydantic takes ValueError
    return parse_time_zone(value)


EXAMPLE_PROPERTY_ID = "lake-villa"
"""A property of the demo, so that the examples in the browser find it."""

EXAMPLE_DAYS_AHEAD = 700
"""Examples are sent from the browser, also of a document that was rendered more than a year before; a reservation may
begin MAX_DAYS_AHEAD days ahead at most."""

EXAMPLE_NIGHTS = 3


@dataclass(frozen=True)
class ExampleDay:
    """The schema of a date, with an example so many days ahead of the day on which the document is rendered."""

    days_ahead: int

    def __get_pydantic_json_schema__(self, _schema: object, _handler: object) -> dict[str, Any]:
        example = datetime.now(UTC).date() + timedelta(days=self.days_ahead)
        return {"type": "string", "format": "date", "examples": [example.isoformat()]}


_PROPERTY_ID_SCHEMA = {
    "type": "string",
    "pattern": f"^{PROPERTY_ID.pattern}$",
    "not": {"enum": sorted(RESERVED_IDS)},
    "examples": [EXAMPLE_PROPERTY_ID],
}

Day = Annotated[date, BeforeValidator(parse_day), ExampleDay(EXAMPLE_DAYS_AHEAD)]

End = Annotated[date, BeforeValidator(parse_end), ExampleDay(EXAMPLE_DAYS_AHEAD + EXAMPLE_NIGHTS)]

PropertyId = Annotated[str, BeforeValidator(parse_property_id), WithJsonSchema(_PROPERTY_ID_SCHEMA)]

Description = Annotated[str, Field(min_length=1, max_length=2000), AfterValidator(parse_description)]

TurnoverDays = Annotated[int, Field(ge=0, le=365, description="Days kept free between two stays")]

MinNights = Annotated[int, Field(ge=1, le=MAX_NIGHTS, description="The fewest nights of a stay")]

Guests = Annotated[int, Field(ge=1, le=MAX_GUESTS)]

TimeZone = Annotated[
    str,
    BeforeValidator(parse_time_zone_name),
    WithJsonSchema({"type": "string", "maxLength": 100, "examples": ["Europe/Berlin"]}),
]


def never_null(schema: dict[str, Any]) -> None:
    """Remove null from a field's schema: None stands for absent, and `require_whole` refuses a null."""
    schema.update(schema.pop("anyOf")[0])
    del schema["default"]


def require_sane_end(end: date) -> None:
    """Raises Invalid for nights that end after `LATEST_NIGHT`."""
    if end > LATEST_NIGHT + timedelta(days=1):
        raise Invalid.field("nights", f"end after the night of {LATEST_NIGHT}")
