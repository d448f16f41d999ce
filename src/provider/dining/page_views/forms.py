"""What a guest types, as the input that the API takes too, and what is wrong with it in sentences."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pydantic

from common.time_zones import format_offset, offsets_around, zone_abbreviation
from common.web.errors import FieldError, Invalid, field_errors
from common.web.input_types import parse_night, parse_query_integer
from common.web.page_frame import duration_words
from provider.dining.inputs import BookingInput, TableFilter, parse_clock_time

HOUR = timedelta(hours=1)

T = TypeVar("T")

_CRITERIA = pydantic.TypeAdapter(TableFilter)
_ORDER = pydantic.TypeAdapter(BookingInput)

Context = Mapping[str, Any]
"""What the validators know: `now`, the `zone` of the restaurant, the `region` of phone numbers."""

TIME_FIELDS = ("day", "time", "offset", "starts_at")
"""Their faults stand together, below the day and the time."""


@dataclass(frozen=True)
class Wish:
    """With how many a guest wants to come, when, and to what table, as typed.

    offset: from UTC; chosen where the clocks show the time twice.
    """

    guests: str
    day: str
    time: str
    offset: str = ""
    table_type: str = ""
    price_max: str = ""

    def address(self, path: str, **further: Any) -> str:
        """An address with what was typed."""
        fields = {**self.__dict__, **further}
        return f"{path}?{urlencode({name: value for name, value in fields.items() if value != ''})}"

    def of_any_table(self) -> "Wish":
        """The same wish for a table of any kind and price."""
        return replace(self, table_type="", price_max="")

    def at(self, local: datetime) -> "Wish":
        """The same wish for another time, by the clocks of the restaurant."""
        offset = local.utcoffset()
        assert offset is not None
        return replace(self, day=f"{local:%Y-%m-%d}", time=f"{local:%H:%M}", offset=format_offset(offset))


@dataclass(frozen=True)
class Contact:
    """Who orders a table, as typed."""

    name: str = ""
    email: str = ""
    phone: str = ""
    notes: str = ""


class Repeated(NamedTuple):
    """One of the two times that the clocks show alike. offset: from UTC."""

    offset: str
    title: str


def parse_criteria(wish: Wish, context: Context) -> TableFilter:
    """What a search for tables takes. Raises Invalid naming every fault."""
    start, faults = start_text(wish, context["zone"])
    given = {
        "guests": wish.guests,
        "table_type": wish.table_type,
        "price_max": wish.price_max.replace(",", "."),  # the only key for it on the telephones of many countries
        "starts_at": start,
    }
    return _parse(_CRITERIA, given, [*guests_faults(wish), *faults], context)


def parse_order(wish: Wish, contact: Contact, context: Context) -> BookingInput:
    """What the order of a table takes. Raises Invalid naming every fault."""
    start, faults = start_text(wish, context["zone"])
    guests: int | str = wish.guests
    with suppress(ValueError):
        guests = parse_query_integer(guests)
    given = {**contact.__dict__, "guests": guests, "starts_at": start}
    return _parse(_ORDER, given, [*guests_faults(wish), *faults], context)


def _parse(
    adapter: pydantic.TypeAdapter[T], given: Mapping[str, Any], faults: Sequence[FieldError], context: Context
) -> T:
    """What was given, without what is empty. Raises Invalid naming the faults found before, and those found here."""
    try:
        parsed = adapter.validate_python({name: value for name, value in given.items() if value != ""}, context=context)
    except pydantic.ValidationError as error:
        raise Invalid("The form is not valid.", errors=[*faults, *field_errors(error)]) from None
    if faults:
        raise Invalid("The form is not valid.", errors=faults)
    return parsed


def guests_faults(wish: Wish) -> list[FieldError]:
    """What is wrong with a number of guests that is not there."""
    return [] if wish.guests else [FieldError("guests", "is missing")]


def start_text(wish: Wish, zone: ZoneInfo) -> tuple[str, list[FieldError]]:
    """The wished start as the API takes it, empty if there is none, and what is wrong with the day and the time."""
    faults = []
    for name, value, parse in (("day", wish.day, parse_night), ("time", wish.time, parse_clock_time)):
        try:
            if value:
                parse(value)
            else:
                faults.append(FieldError(name, "is missing"))
        except ValueError as error:
            faults.append(FieldError(name, str(error)))
    if faults:
        return "", faults
    start = f"{wish.day}T{wish.time}"
    before, after = offsets_around(local_time(wish, zone))
    if before < after:
        return "", [FieldError("time", "does not exist on that day: the clocks skip it. Choose another one")]
    if before == after:
        return start, []
    if wish.offset not in (format_offset(before), format_offset(after)):
        message = f"{wish.time} comes twice that day, since the clocks go back. Choose one of the two"
        return "", [FieldError("offset", message)]
    return start + wish.offset, []


def local_time(wish: Wish, zone: ZoneInfo) -> datetime:
    """The wished day and time by the clocks of a zone. Raises ValueError."""
    return datetime.combine(parse_night(wish.day), time.fromisoformat(parse_clock_time(wish.time)), zone)


def repeated_times(wish: Wish, zone: ZoneInfo) -> list[Repeated]:
    """The two times that are meant, where the clocks show the wished time twice; else none."""
    try:
        local = local_time(wish, zone)
    except ValueError:
        return []
    before, after = offsets_around(local)
    if before <= after:
        return []
    first, second = (zone_abbreviation(local.replace(fold=fold)) for fold in (0, 1))
    apart = before - after
    later = "an hour" if apart == HOUR else duration_words(apart / timedelta(seconds=1))
    return [
        Repeated(format_offset(before), f"The first {wish.time} ({first})"),
        Repeated(format_offset(after), f"The second {wish.time}, {later} later ({second})"),
    ]


def sentences_of(faults: Sequence[FieldError]) -> dict[str, list[str]]:
    """The sentences about faults, by the field below which they stand."""
    found: dict[str, list[str]] = {}
    for fault in faults:
        field = "when" if fault.field in TIME_FIELDS else fault.field
        found.setdefault(field, []).append(sentence_of(fault))
    return found


def sentence_of(fault: FieldError) -> str:
    """A fault as a guest reads it beside the field."""
    if fault.field == "phone" and fault.message.startswith("is required"):
        return "Enter an email address or a phone number, so that the restaurant can answer."
    if fault.field == "price_max":
        return "Enter a price such as 25 or 25.50."
    subjects = {"guests": "The number of guests ", "day": "The day ", "time": "The time ", "starts_at": "The time "}
    subject = "" if fault.field == "offset" else subjects.get(fault.field, "This ")
    return f"{subject}{fault.message.rstrip('.')}."
