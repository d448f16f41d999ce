"""The answers of the curves and of the cancellations, by looking at each event."""

from calendar import monthrange
from datetime import date, timedelta
from statistics import quantiles
from typing import Any

from tests.support.raw_events import HOTEL, Recount, event_day_before, year_before

DAY = timedelta(days=1)
LEADS = [(0, 0), (1, 3), (4, 7), (8, 14), (15, 30), (31, 60), (61, 90), (91, 180), (181, None)]


def expected_build_up(recount: Recount, month: date, as_of: date, match: str) -> dict[str, Any]:
    """The answer, by summing up the nights one by one for each day."""
    nights = [month.replace(day=day) for day in range(1, monthrange(month.year, month.month)[1] + 1)]
    nights_before = [night for night in (year_before(each, match) for each in nights) if night]
    items = []
    for number in range(180 + len(nights)):
        day = month + (number - 180) * DAY
        through = max(day, as_of) if day == nights[-1] else day
        day_before, through_before = event_day_before(day, match), event_day_before(through, match)
        this_year = sum(recount.net(night, through) for night in nights)
        last_year = sum(recount.net(night, through_before) for night in nights_before)
        items.append(
            {
                "day": day.isoformat(),
                "days_before": (month - day).days,
                "this_year": this_year if recount.first_date <= day <= as_of else None,
                "last_year": last_year if recount.first_date <= day_before <= as_of else None,
            }
        )
    is_slept = recount.first_date <= nights_before[0] and nights_before[-1] < as_of
    slept = sum(recount.net(night, as_of) for night in nights_before)
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


def expected_curve(recount: Recount, night: date, as_of: date, match: str, count: int = 8) -> list[dict[str, Any]]:
    """The items, by looking at each night and distance."""
    slept = [as_of - number * DAY for number in range(1, 7 * count + 8)]
    beside = [each for each in slept if each.weekday() == night.weekday()][:count]
    before = year_before(night, match)
    items = []
    for distance in range(365, -1, -1):
        known = [each for each in beside if each - distance * DAY >= recount.first_date]
        values = [recount.net(each, each - distance * DAY if distance else as_of) for each in known]
        q1, median, q3 = quartiles_of(values)
        last_year = None
        if before and recount.first_date <= before - distance * DAY <= as_of:
            last_year = recount.net(before, before - distance * DAY if distance else as_of)
        items.append({"days_before": distance, "q1": q1, "median": median, "q3": q3, "last_year": last_year})
    return items


def expected_cancellations(recount: Recount, year: int, as_of: date) -> dict[str, Any]:
    """The answer, by looking at each event once for each line."""
    counted = [(max((night - day).days, 0), night.month, status) for day, night, status in recount.events
               if night.year == year and day <= as_of]  # fmt: skip
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
