"""What the pages for guests show, and how what a guest types becomes the input that the API takes too."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pydantic

from common.time_zones import format_offset, instant_of
from common.web.errors import FieldError, Invalid, field_errors
from common.web.input_types import parse_night
from provider.dining.inputs import DEFAULT_MINUTES, BookingInput, TableFilter, parse_clock_time
from provider.dining.models import BookableTable, OpeningHours
from provider.dining.opening_hours import DAY_NAMES
from provider.dining.order_rules import time_faults
from provider.dining.settings import DiningSettings
from provider.dining.wording import TABLE_TYPE_NAMES

CHOICES_SHOWN = 50
"""Tables shown for one time."""
TABLES_READ = 200
"""Tables among which those shown fit the party best."""
USUAL_TIMES = (19, 20, 18, 21, 12, 13)
"""Hours of the day at which most guests come, the most usual one first."""
SUGGESTED_DAYS = 14
TIME_TO_COME = timedelta(hours=1)
"""How far ahead a suggested time is at least."""
OTHER_TIMES = tuple(timedelta(minutes=minutes) for minutes in (-30, 30, -60, 60, -90, 90, -120, 120))
"""How far from a time without a free table another one is looked for, the nearest first."""

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

    def at(self, local: datetime) -> "Wish":
        """The same wish for another time, by the clocks of the restaurant."""
        offset = local.utcoffset()
        assert offset is not None
        return Wish(
            self.guests, f"{local:%Y-%m-%d}", f"{local:%H:%M}", format_offset(offset), self.table_type, self.price_max
        )


@dataclass(frozen=True)
class Contact:
    """Who orders a table, as typed."""

    name: str = ""
    email: str = ""
    phone: str = ""
    notes: str = ""


class Choice(NamedTuple):
    """A table that a guest may choose."""

    id: int
    title: str
    price: str


class Repeated(NamedTuple):
    """One of the two times that the clocks show alike. offset: from UTC."""

    offset: str
    title: str


def parse_criteria(wish: Wish, context: Context) -> TableFilter:
    """What a search for tables takes. Raises Invalid naming every fault."""
    start, faults = start_text(wish, context["zone"])
    if not wish.guests:
        faults.append(FieldError("guests", "is missing"))
    given = {"guests": wish.guests, "table_type": wish.table_type, "price_max": wish.price_max, "starts_at": start}
    try:
        criteria = _CRITERIA.validate_python({name: value for name, value in given.items() if value}, context=context)
    except pydantic.ValidationError as error:
        raise Invalid("The search is not valid.", errors=[*faults, *field_errors(error)]) from None
    if faults:
        raise Invalid("The search is not valid.", errors=faults)
    return criteria


def parse_order(wish: Wish, contact: Contact, context: Context) -> BookingInput:
    """What the order of a table takes. Raises Invalid naming every fault."""
    start, faults = start_text(wish, context["zone"])
    is_number = wish.guests.isascii() and wish.guests.isdigit() and len(wish.guests) < 10
    given = {**contact.__dict__, "starts_at": start, "guests": int(wish.guests) if is_number else wish.guests}
    try:
        order = _ORDER.validate_python({name: value for name, value in given.items() if value != ""}, context=context)
    except pydantic.ValidationError as error:
        raise Invalid("The order is not valid.", errors=[*faults, *field_errors(error)]) from None
    if faults:
        raise Invalid("The order is not valid.", errors=faults)
    return order


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
    repeated = repeated_times(wish, zone)
    if not repeated:
        return start, []
    if wish.offset not in [each.offset for each in repeated]:
        message = f"{wish.time} comes twice that day, since the clocks go back. Choose one of the two"
        return "", [FieldError("offset", message)]
    return start + wish.offset, []


def repeated_times(wish: Wish, zone: ZoneInfo) -> list[Repeated]:
    """The two times that are meant, where the clocks show the wished time twice; else none."""
    try:
        clock_time = parse_clock_time(wish.time)
        local = datetime.combine(parse_night(wish.day), time.fromisoformat(clock_time), zone)
    except ValueError:
        return []
    both = [local.replace(fold=fold) for fold in (0, 1)]
    first, second = (each.utcoffset() or timedelta() for each in both)
    if first <= second:
        return []
    names = (f"The first {clock_time}", f"The second {clock_time}, an hour later")
    return [
        Repeated(format_offset(offset), f"{name} ({each.tzname()})")
        for offset, name, each in zip((first, second), names, both, strict=True)
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
    subjects = {"guests": "The number of guests ", "day": "The day ", "time": "The time ", "starts_at": "The time "}
    subject = "" if fault.field == "offset" else subjects.get(fault.field, "This ")
    return f"{subject}{fault.message.rstrip('.')}."


def choices_of(found: Sequence[BookableTable], settings: DiningSettings) -> list[Choice]:
    """The tables, those with the fewest seats first, and of these the cheapest first."""
    ordered = sorted(found, key=lambda table: (table.seats, table.price, table.id))
    return [choice_of(table, settings) for table in ordered]


def choice_of(table: BookableTable, settings: DiningSettings) -> Choice:
    """A table as a guest reads it."""
    kind = TABLE_TYPE_NAMES[table.table_type]
    price = f"{table.price:.2f} {settings.currency}" if table.price else "no charge"
    return Choice(table.id, f"{kind[0].upper()}{kind[1:]} for {table.seats}", price)


def found_words(number: int, *, is_more: bool, guests: int, start: datetime, now: datetime) -> str:
    """How many tables are free. is_more: whether there are more. start, now: in the zone of the restaurant."""
    party = "1 guest" if guests == 1 else f"{guests} guests"
    if not number:
        return f"No table is free for {party} on {when_words(start, now)}."
    many = f"{'More than ' if is_more else ''}{number} tables are" if number > 1 else "1 table is"
    return f"{many} free for {party} on {when_words(start, now)}."


def when_words(start: datetime, now: datetime) -> str:
    """Such as `Sunday, 29 November at 19:00`, with the year unless it is the present one; both in one zone."""
    year = "" if start.year == now.year else f" {start.year}"
    other = start.replace(fold=1 - start.fold)
    zone = f" {start.tzname()}" if other.utcoffset() != start.utcoffset() else ""
    return f"{start:%A}, {start.day} {start:%B}{year} at {start:%H:%M}{zone}"


def other_starts(
    settings: DiningSettings, hours: Sequence[OpeningHours], start: datetime, now: datetime
) -> list[datetime]:
    """Times near one that has no free table for which a table can be ordered, the nearest first."""
    near = [start + distance for distance in OTHER_TIMES]
    return [each for each in near if is_orderable(settings, hours, each, now)]


def is_orderable(settings: DiningSettings, hours: Sequence[OpeningHours], start: datetime, now: datetime) -> bool:
    return start > now and not time_faults(settings, hours, start, DEFAULT_MINUTES, now)


def suggested_start(settings: DiningSettings, hours: Sequence[OpeningHours], now: datetime) -> datetime | None:
    """The next usual time at which guests may come, by the clocks of the restaurant; None if there is none soon."""
    zone = settings.zone
    first = now.astimezone(zone).date()
    for ahead in range(SUGGESTED_DAYS):
        for hour in USUAL_TIMES:
            local = datetime.combine(first + timedelta(days=ahead), time(hour))
            try:
                start = instant_of(local, zone)
            except ValueError:  # the clocks skip it
                continue
            if start >= now + TIME_TO_COME and is_orderable(settings, hours, start, now):
                return start.astimezone(zone)
    return None


def last_day(now: datetime, ahead: timedelta, zone: ZoneInfo) -> date:
    return (now + ahead).astimezone(zone).date()


def hours_lines(hours: Sequence[OpeningHours]) -> list[tuple[str, str]]:
    """The opening hours of each day of the week; none where the restaurant is always open."""
    if not hours:
        return []
    return [
        (name, ", ".join(f"{each.opens} to {each.closes}" for each in hours if each.day == day) or "closed")
        for day, name in enumerate(DAY_NAMES)
    ]
