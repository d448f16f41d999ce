"""Reading a batch of events out of a body: a JSON array, or a line for each (NDJSON)."""

import io
from datetime import datetime
from typing import Annotated

import pydantic

from common.web.errors import FieldError, Invalid, field_errors
from provider.booking_events.models import EventInput

MAX_BATCH_EVENTS = 10_000
MAX_BATCH_BYTES = 16 * 1024 * 1024

Batch = dict[int, EventInput]
"""Events by their lines, counted from 1."""

# Pydantic looks at the length first: the faults of millions of wrong items would not find room in memory.
_events: pydantic.TypeAdapter[list[EventInput]] = pydantic.TypeAdapter(
    Annotated[list[EventInput], pydantic.Field(min_length=1, max_length=MAX_BATCH_EVENTS)]
)
_event: pydantic.TypeAdapter[EventInput] = pydantic.TypeAdapter(EventInput)


def parse_array(data: bytes, now: datetime) -> Batch:
    """A JSON array of events. Raises Invalid naming every fault by its line."""
    try:
        return dict(enumerate(_events.validate_json(data, context={"now": now}), start=1))
    except pydantic.ValidationError as error:
        raise _invalid(list(map(_numbered, field_errors(error)))) from None


def parse_lines(data: bytes, now: datetime) -> Batch:
    """NDJSON; an empty line counts as one but holds nothing. Raises Invalid naming every fault by its line."""
    count = sum(not line.isspace() for line in io.BytesIO(data))
    if not 1 <= count <= MAX_BATCH_EVENTS:
        raise _invalid([FieldError("body", f"must hold 1 to {MAX_BATCH_EVENTS} events, not {count}")])
    batch: Batch = {}
    faults: list[FieldError] = []
    for number, line in enumerate(io.BytesIO(data), start=1):
        if line.isspace():
            continue
        try:
            batch[number] = _event.validate_json(line, context={"now": now})
        except pydantic.ValidationError as error:
            faults += field_errors(error, ("lines", number))
    if faults:
        raise _invalid(faults)
    return batch


def _numbered(fault: FieldError) -> FieldError:
    """Pydantic counts from 0, and calls the whole `body`."""
    first, *rest = fault.field.split(".")
    where = ".".join(("lines", str(int(first) + 1), *rest)) if first.isdigit() else fault.field
    return FieldError(where, fault.message)


def _invalid(faults: list[FieldError]) -> Invalid:
    return Invalid("The batch is not valid; nothing was stored.", errors=faults)
