"""Rooms and the statuses of their nights, as the feed writes them; shared by the slices that send or store events."""

import re
from datetime import date, datetime
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BeforeValidator, WithJsonSchema

from common.web.input_types import MAX_ID

BOOKING: Literal[1] = 1
CANCELLATION: Literal[2] = 2

UUID_PATTERN = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def parse_room_id(value: Any) -> str:
    """Parse a room id into its stored form: the digits of an integer, or a UUID unchanged. Raises ValueError."""
    if type(value) is int and 1 <= value <= MAX_ID:
        return str(value)
    if isinstance(value, str) and UUID_PATTERN.fullmatch(value):
        return value
    raise ValueError("must be a whole number from 1 to 2^63 - 1, or a UUID")


def parse_room_id_text(value: Any) -> str:
    """Parse a room id from a query string or a CSV file, where integers are text. Raises ValueError."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        return parse_room_id(int(value))
    return parse_room_id(value)


_ROOM_ID_SCHEMA = WithJsonSchema(
    {"anyOf": [{"type": "integer", "minimum": 1, "maximum": MAX_ID}, {"type": "string", "format": "uuid"}]}
)

RoomId = Annotated[str, BeforeValidator(parse_room_id), _ROOM_ID_SCHEMA]
QueryRoomId = Annotated[str, BeforeValidator(parse_room_id_text), _ROOM_ID_SCHEMA]


class NightEvent(NamedTuple):
    """A booking or a cancellation of one room for one night that is not in the feed yet; the feed assigns its id."""

    hotel_id: int
    event_timestamp: datetime
    status: int
    room_id: str
    night_of_stay: date
