"""What a guest reads: the tables that are free, and what to try where none is."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from common.time_zones import offsets_around, zone_abbreviation
from common.web.words import counted
from provider.dining.models import BookableTable, OpeningHours
from provider.dining.opening_hours import DAY_NAMES
from provider.dining.page_views.forms import Wish
from provider.dining.settings import DiningSettings
from provider.dining.wording import TABLE_TYPE_NAMES


class Choice(NamedTuple):
    """A table that a guest may choose."""

    id: int
    title: str
    price: str


def choice_of(table: BookableTable, settings: DiningSettings) -> Choice:
    """A table as a guest reads it."""
    kind = TABLE_TYPE_NAMES[table.table_type]
    price = f"{table.price:.2f} {settings.currency}" if table.price else "no charge"
    return Choice(table.id, f"{kind[0].upper()}{kind[1:]} for {table.seats}", price)


def found_words(number: int, guests: int, start: datetime, now: datetime) -> str:
    """How many tables are free. start, now: in the zone of the restaurant."""
    many = f"{counted(number, 'table') if number else 'No table'} {'are' if number > 1 else 'is'}"
    return f"{many} free for {counted(guests, 'guest')} on {when_words(start, now)}."


def when_words(start: datetime, now: datetime) -> str:
    """Such as `Sunday, 29 November at 19:00`, with the year unless it is the present one; both in one zone."""
    year = "" if start.year == now.year else f" {start.year}"
    return f"{start:%A}, {start.day} {start:%B}{year} at {clock_words(start)}"


def clock_words(start: datetime) -> str:
    """Such as `19:00`; with the zone, such as `02:30 CEST`, where the clocks show the time twice."""
    before, after = offsets_around(start)
    return f"{start:%H:%M}" if before == after else f"{start:%H:%M} {zone_abbreviation(start)}"


def other_words(other: datetime, start: datetime) -> str:
    """Another time than a wished one, with its day if that is another. Both are in one zone."""
    return clock_words(other) if other.date() == start.date() else f"{clock_words(other)} on {other:%A}"


def advice(wish: Wish, guests: int, largest: int | None, largest_wanted: int | None) -> str:
    """What a guest may try where no table is free, not even at a time nearby.

    largest: seats of the largest table that can be ordered; largest_wanted: of the kind and price in the wish; both
    None without one.
    """
    if largest is None:
        return "No table of this restaurant can be ordered at the moment."
    if guests > largest:
        return f"The largest table has {largest} seats. For a larger party, order two tables, each on its own."
    wanted = " ".join(
        words for words, is_set in (("of this kind", wish.table_type), ("up to this price", wish.price_max)) if is_set
    )
    if largest_wanted is None:
        return f"The restaurant has no table {wanted}."
    if guests > largest_wanted:
        return f"The largest table {wanted} has {largest_wanted} seats."
    return f"Try another day{', kind or price' if wanted else ''}."


def hours_lines(hours: Sequence[OpeningHours]) -> list[tuple[str, str]]:
    """The opening hours of each day of the week; none where the restaurant is always open."""
    if not hours:
        return []
    return [
        (name, ", ".join(f"{each.opens}–{each.closes}" for each in hours if each.day == day) or "closed")
        for day, name in enumerate(DAY_NAMES)
    ]
