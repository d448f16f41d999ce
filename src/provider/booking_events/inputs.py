"""The bodies and query strings of the feed's requests."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, WithJsonSchema

from common.limits import MAX_WINDOW_DAYS, require_sane_event_time, require_sane_night
from common.web.errors import FieldError, Invalid
from common.web.input_types import (
    Cursor,
    Id,
    Input,
    Instant,
    Night,
    QueryId,
    QueryInteger,
    QueryNight,
    TableQuery,
    parse_night,
    parse_query_instant,
)
from provider.hotel_rooms import BOOKING, CANCELLATION, QueryRoomId, RoomId


def parse_from(value: Any) -> datetime:
    """Parse an instant, or a date as its first moment in UTC. Raises ValueError."""
    if isinstance(value, str) and len(value) == 10 and not value.isdigit():
        return datetime.combine(parse_night(value), time.min, UTC)
    return parse_query_instant(value)


def parse_to(value: Any) -> datetime:
    """Parse an instant, or a date as its last microsecond in UTC. Raises ValueError."""
    if isinstance(value, str) and len(value) == 10 and not value.isdigit():
        return datetime.combine(parse_night(value), time.max, UTC)
    return parse_query_instant(value)


_INSTANT_OR_DATE_SCHEMA = WithJsonSchema(
    {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}]}
)
From = Annotated[datetime, BeforeValidator(parse_from), _INSTANT_OR_DATE_SCHEMA]
To = Annotated[datetime, BeforeValidator(parse_to), _INSTANT_OR_DATE_SCHEMA]

Status = Field(ge=BOOKING, le=CANCELLATION, description="1 = booking, 2 = cancellation")


def _require_sane_time(at: datetime, info: ValidationInfo) -> datetime:
    assert info.context is not None
    return require_sane_event_time(at, info.context["now"])


class EventInput(Input):
    """A booking event from a client; without an id the server assigns one."""

    id: Id | None = None
    """Id of the event; without one the server assigns it."""
    hotel_id: Id
    """Id of the hotel."""
    event_timestamp: Annotated[Instant, AfterValidator(_require_sane_time)]
    """When the booking or the cancellation was made; at most a day ahead of now."""
    status: Annotated[int, Status]
    room_id: RoomId
    """The room: a number or a UUID."""
    night_of_stay: Annotated[Night, AfterValidator(require_sane_night)]
    """The date on which the guest goes to sleep."""


class EventsQuery(TableQuery):
    """The filters of the feed; all optional, combined by AND."""

    hotel_id: Annotated[QueryId | None, Field(description="Only this hotel")] = None
    updated__gte: Annotated[
        From | None, Field(description="event_timestamp at or after; a date means its first moment")
    ] = None
    updated__lte: Annotated[
        To | None, Field(description="event_timestamp at or before; a date means its last moment")
    ] = None
    rpg_status: Annotated[QueryInteger | None, Status] = None
    room_id: Annotated[QueryRoomId | None, Field(description="Only this room: a number or a UUID")] = None
    night_of_stay__gte: Annotated[QueryNight | None, Field(description="This night or later")] = None
    night_of_stay__lte: Annotated[QueryNight | None, Field(description="This night or earlier")] = None
    recorded__gte: Annotated[From | None, Field(description="Stored by the provider at or after")] = None
    recorded__lte: Annotated[To | None, Field(description="Stored by the provider at or before")] = None
    limit: Annotated[QueryInteger | None, Field(ge=1, le=10_000, description="How many events a page holds")] = None
    cursor: Cursor | None = None

    @property
    def is_wide(self) -> bool:
        """Whether it selects by room or night among all events: of every hotel, and of more than MAX_WINDOW_DAYS."""
        low, high = self.updated__gte, self.updated__lte
        is_window = low is not None and high is not None and high - low <= timedelta(days=MAX_WINDOW_DAYS)
        selects = (self.room_id, self.night_of_stay__gte, self.night_of_stay__lte) != (None, None, None)
        return selects and self.hotel_id is None and not is_window

    def require_ordered(self) -> None:
        """Raises Invalid naming every range that ends before it begins, and a cursor without a limit."""
        faults = []
        for name in ("updated", "night_of_stay", "recorded"):
            low: datetime | date | None = getattr(self, f"{name}__gte")
            high: datetime | date | None = getattr(self, f"{name}__lte")
            if low is not None and high is not None and low > high:
                faults.append(FieldError(f"{name}__gte", f"is after {name}__lte"))
        if self.cursor is not None and self.limit is None:
            faults.append(FieldError("cursor", "requires `limit`"))
        if faults:
            raise Invalid("The request is not valid.", errors=faults)
