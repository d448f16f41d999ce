"""Times, days, tables and guests as staff read them."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from common.time_zones import zone_abbreviation
from common.web.words import moment_text
from dashboard.front_desk.house import House
from dashboard.front_desk.models import Order

EVENING_HOUR = 17
DAY = timedelta(days=1)
LONGEST_NAME = 40
KINDS = {"regular": "Table in the hall", "cabin": "Cabin", "room": "Private room"}


def isolated(text: str) -> str:
    """A name in a sentence, between marks that keep its direction of writing from turning the rest around."""
    return f"\u2068{text}\u2069"


def short_name(name: str) -> str:
    """A name that a bar or a sentence has room for, cut off with `…`."""
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1].rstrip()}…"


def clock(instant: datetime, zone: ZoneInfo) -> str:
    """Such as `19:00`."""
    return f"{instant.astimezone(zone):%H:%M}"


def span(starts_at: datetime, ends_at: datetime, zone: ZoneInfo) -> str:
    """Such as `19:00–21:00`; with the day of the end if the clocks show the same time again before it."""
    end = ends_at.astimezone(zone)
    later = "" if ends_at - starts_at < DAY else f"{end:%a} {end.day} {end:%B}, "
    return f"{clock(starts_at, zone)}–{later}{clock(ends_at, zone)}"


def span_with_zone(starts_at: datetime, ends_at: datetime, zone: ZoneInfo) -> str:
    """Such as `19:00–21:00 CET`; both abbreviations if the clocks change in between."""
    first, last = (zone_abbreviation(each.astimezone(zone)) for each in (starts_at, ends_at))
    text = span(starts_at, ends_at, zone)
    return f"{text} {last}" if first == last else f"{text.replace('–', f' {first}–', 1)} {last}"


def short_day(day: date, today: date) -> str:
    """Such as `Sat 5 December`, with the year unless it is this one."""
    return f"{day:%a} {day.day} {day:%B}{'' if day.year == today.year else f' {day.year}'}"


def day_name(day: date, today: date, evening: bool = False) -> str:
    """`Today`, `Tonight` in the evening, `Tomorrow`, `Yesterday`, else such as `Sat 5 December`."""
    near = {0: "Tonight" if evening else "Today", 1: "Tomorrow", -1: "Yesterday"}
    return near.get((day - today).days) or short_day(day, today)


def when(order: Order, house: House) -> str:
    """When the guests come, by the clocks of the restaurant; the zone's name only if it is not that of the house."""
    if order.starts_at is None or order.ends_at is None:
        return "The next time that suits"
    start = order.starts_at.astimezone(order.zone)
    name = day_name(start.date(), house.now.astimezone(order.zone).date(), start.hour >= EVENING_HOUR)
    text = f"{name}, {span_with_zone(order.starts_at, order.ends_at, order.zone)}"
    return text if order.zone.key == house.zone.key else f"{text} ({order.zone.key})"


def moment(instant: datetime, house: House) -> str:
    """A moment of the past by the clocks of the house: `18:05` today, else such as `Sat 28 Nov, 18:05`."""
    return moment_text(instant.astimezone(house.zone), house.now.astimezone(house.zone))


def kind_of_table(table_type: str) -> str:
    return KINDS.get(table_type, table_type)
