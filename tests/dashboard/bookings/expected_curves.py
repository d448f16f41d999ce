"""The answers of the curves and of the cancellations, by looking at each event."""

from calendar import monthrange
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from statistics import quantiles
from typing import Any

from dashboard.bookings.decoding import BookingEvent, Status
from dashboard.bookings.inputs import PaceMatch
from tests.dashboard.bookings.plain_books import PlainBooks, a_year_before

HOTEL = 7001
DAY = timedelta(days=1)
LEADS = [(0, 0), (1, 3), (4, 7), (8, 14), (15, 30), (31, 60), (61, 90), (91, 180), (181, None)]


def event_day_before(day: date, match: PaceMatch) -> date:
    """The day of the year before up to which events count: for 29 February the 28th."""
    return a_year_before(day, match) or day.replace(year=day.year - 1, day=28)


def expected_build_up(books: PlainBooks, month: date, as_of: date, match: PaceMatch) -> dict[str, Any]:
    """The answer, by summing up the nights one by one for each day."""
    nights = [month.replace(day=day) for day in range(1, monthrange(month.year, month.month)[1] + 1)]
    nights_before = [night for night in (a_year_before(each, match) for each in nights) if night]
    first_date = books.first_dates[HOTEL]
    has_last_year = books.first_nights[HOTEL] <= nights_before[0]
    items = []
    for number in range(180 + len(nights)):
        day = month + (number - 180) * DAY
        through = max(day, as_of) if day == nights[-1] else day
        day_before, through_before = event_day_before(day, match), event_day_before(through, match)
        this_year = sum(books.rooms(HOTEL, night, through) for night in nights)
        last_year = sum(books.rooms(HOTEL, night, through_before) for night in nights_before)
        items.append(
            {
                "day": day.isoformat(),
                "days_before": (month - day).days,
                "this_year": this_year if first_date <= day <= as_of else None,
                "last_year": last_year if has_last_year and first_date <= day_before <= as_of else None,
            }
        )
    is_slept = has_last_year and first_date <= nights_before[0] and nights_before[-1] < as_of
    slept = sum(books.rooms(HOTEL, night, as_of) for night in nights_before)
    return {
        "hotel_id": HOTEL,
        "month": f"{month:%Y-%m}",
        "as_of": as_of.isoformat(),
        "match": match,
        "items": items,
        "last_year_slept": slept if is_slept else None,
    }


def quartiles_of(values: list[int]) -> list[float | None]:
    """The quartiles by linear interpolation between the values."""
    if not values:
        return [None, None, None]
    return list(quantiles(values, n=4, method="inclusive")) if len(values) > 1 else [*map(float, values * 3)]


def expected_curve(
    books: PlainBooks, night: date, as_of: date, match: PaceMatch, count: int = 8
) -> list[dict[str, Any]]:
    """The items, by looking at each night and distance."""
    slept = [as_of - number * DAY for number in range(1, 7 * count + 8)]
    beside = [each for each in slept if each.weekday() == night.weekday()][:count]
    before = a_year_before(night, match)
    first_date, first_night = books.first_dates[HOTEL], books.first_nights[HOTEL]
    if before is not None and before < first_night:
        before = None
    items = []
    for distance in range(365, -1, -1):
        known = [each for each in beside if each >= first_night and each - distance * DAY >= first_date]
        values = [books.rooms(HOTEL, each, each - distance * DAY if distance else as_of) for each in known]
        q1, median, q3 = quartiles_of(values)
        last_year = None
        if before and first_date <= before - distance * DAY <= as_of:
            last_year = books.rooms(HOTEL, before, before - distance * DAY if distance else as_of)
        items.append({"days_before": distance, "q1": q1, "median": median, "q3": q3, "last_year": last_year})
    return items


def expected_cancellations(events: Iterable[BookingEvent], year: int, as_of: date) -> dict[str, Any]:
    """The answer, by looking at each event once for each line."""
    counted = []
    for event in events:
        day, night = event.event_timestamp.date(), event.night_of_stay
        if event.hotel_id == HOTEL and night.year == year and day <= as_of:
            counted.append((max((night - day).days, 0), night.month, event.status))
    by_lead = []
    for start, end in LEADS:
        found = [status for lead, _, status in counted if start <= lead and (end is None or lead <= end)]
        by_lead.append({"from": start, "to": end, "bookings": found.count(1), "cancellations": found.count(2)})
    by_month = []
    for month in range(1, 13):
        found = [status for _, of_month, status in counted if of_month == month]
        by_month.append(
            {
                "period": f"{year}-{month:02}",
                "bookings": found.count(1),
                "cancellations": found.count(2),
                "cancellation_rate": round(found.count(2) / found.count(1), 4) if 1 in found else None,
            }
        )
    return {"hotel_id": HOTEL, "year": year, "as_of": as_of.isoformat(), "by_lead": by_lead, "by_month": by_month}


def booking(event_id: int, night: date, on: date, status: Status = 1) -> BookingEvent:
    """An event of the hotel at noon UTC."""
    return BookingEvent(event_id, HOTEL, datetime(on.year, on.month, on.day, 12, tzinfo=UTC), status, 1, night)


def opening(on: date) -> list[BookingEvent]:
    """A booking and its cancellation, both on the day of the night: from it on, the nights of the hotel are known."""
    return [booking(900_001, on, on), booking(900_002, on, on, 2)]
