"""Parses the body of a batch: a JSON array of events, or one event per line (NDJSON)."""

import io
from datetime import datetime
from typing import Annotated

import pydantic

from common.web.errors import FieldError, Invalid, field_errors
from provider.booking_events.inputs import EventInput

MAX_BATCH_EVENTS = 10_000
MAX_BATCH_BYTES = 16 * 1024 * 1024

Batch = dict[int, EventInput]
"""Events by their lines, counted from 1."""

# Pydantic checks the length first; otherwise the errors of millions of invalid items would exhaust the memory.
_events: pydantic.TypeAdapter[list[EventInput]] = pydantic.TypeAdapter(
    Annotated[list[EventInput], pydantic.Field(min_length=1, max_length=MAX_BATCH_EVENTS)]
)
_event: pydantic.TypeAdapter[EventInput] = pydantic.TypeAdapter(EventInput)


def parse_array(data: bytes, now: datetime) -> Batch:
    """The events of a JSON array. Raises Invalid naming every fault by its line."""
    try:
        return dict(enumerate(_events.validate_json(data, context={"now": now}), start=1))
    except pydantic.ValidationError as error:
        raise _invalid(list(map(_with_line_number, field_errors(error)))) from None


def parse_lines(data: bytes, now: datetime) -> Batch:
    """The events of NDJSON; blank lines are counted but skipped. Raises Invalid naming every fault by its line."""
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


def _with_line_number(fault: FieldError) -> FieldError:
    """The fault of an item under the number of its line; pydantic counts from 0."""
    first, *rest = fault.field.split(".")
    field = ".".join(("lines", str(int(first) + 1), *rest)) if first.isdigit() else fault.field
    return FieldError(field, fault.message)


def _invalid(faults: list[FieldError]) -> Invalid:
    return Invalid("The batch is not valid; nothing was stored.", errors=faults)
