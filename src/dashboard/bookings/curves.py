"""How a month and a night filled up beside others, and what was cancelled; null where the hotel has no history."""

from datetime import date, timedelta

from common.db.pool import Executor
from dashboard.bookings.inputs import PaceMatch, UsualCurveQuery
from dashboard.bookings.models.curves import (
    BuildUp,
    BuildUpDay,
    Cancellations,
    LeadCounts,
    MonthCancellations,
    UsualCurve,
    UsualPoint,
)
from dashboard.bookings.models.figures import figures_of
from dashboard.bookings.models.nights import KnownHotel
from dashboard.bookings.months import last_of_months
from dashboard.bookings.queries.build_up import select_net_through
from dashboard.bookings.queries.cancellations import select_cancellations
from dashboard.bookings.queries.counters import LEAD_TIME_FROM
from dashboard.bookings.queries.nights import select_known_hotel
from dashboard.bookings.queries.usual_curve import USUAL_CURVE_DAYS, select_usual_quartiles
from dashboard.bookings.service import FIRST_COMPARABLE_DATE, NO_COUNTS, day_last_year, night_last_year, unknown_hotel

BUILD_UP_DAYS = 180
"""Days before the month at which its build-up begins; earlier events count on the first of them."""

UNKNOWN_QUARTILES = (None, None, None)


async def require_known_hotel(db: Executor, hotel_id: int) -> KnownHotel:
    """Where the history of a hotel begins. Raises NotFound for a hotel without an event in the feeds."""
    hotel = await select_known_hotel(db, hotel_id)
    if hotel is None:
        raise unknown_hotel(hotel_id)
    return hotel


async def compute_build_up(db: Executor, hotel_id: int, month: date, as_of: date, match: PaceMatch) -> BuildUp:
    """How the nights of the month that begins at `month` were booked up to `as_of`, beside those of last year's month.

    The nights and days of last year are those of `compute_pace`. Events after the month count on its last day: up to
    `as_of`, and of last year's month up to the day of last year that `as_of` is compared with. So the point at `as_of`,
    or the last one once the month is over, is the pace of the month.
    """
    last = last_of_months(month)
    start = month - timedelta(days=BUILD_UP_DAYS)
    days = [start + timedelta(days=number) for number in range((last - start).days + 1)]
    through = [*days[:-1], max(last, as_of)]
    first_before, last_before = day_last_year(month, match), day_last_year(last, match)
    through_before = [day_last_year(day, match) for day in through]

    hotel = await require_known_hotel(db, hotel_id)
    this_year = await select_net_through(db, hotel_id, month, last, through)
    *last_year, slept = await select_net_through(db, hotel_id, first_before, last_before, [*through_before, as_of])

    has_last_year = hotel.first_night <= first_before

    items = [
        BuildUpDay(
            day,
            (month - day).days,
            net if hotel.first_event_date <= day <= as_of else None,
            net_before if has_last_year and hotel.first_event_date <= day_last_year(day, match) <= as_of else None,
        )
        for day, net, net_before in zip(days, this_year, last_year, strict=True)
    ]
    is_slept = has_last_year and hotel.first_event_date <= first_before and last_before < as_of
    return BuildUp(hotel_id, f"{month:%Y-%m}", as_of, match, items, slept if is_slept else None)


def last_slept_like(night: date, as_of: date) -> date:
    """The last night of the weekday of a night that was slept before `as_of`."""
    at = max(as_of, FIRST_COMPARABLE_DATE)
    return at - timedelta(days=(at - night).days % 7 or 7)


async def compute_usual_curve(db: Executor, hotel_id: int, query: UsualCurveQuery, as_of: date) -> UsualCurve:
    """The quartiles of the last nights of the night's weekday slept before `as_of`, and the curve of last year's night.

    Events up to `as_of` count, those after a night at 0 days before it. Raises NotFound for a hotel without an event.
    """
    last = last_slept_like(query.night, as_of)
    quartiles = await select_usual_quartiles(db, hotel_id, last, query.count, as_of)
    if not quartiles:
        raise unknown_hotel(hotel_id)
    last_year = await curve_last_year(db, hotel_id, night_last_year(query.night, query.match), as_of)
    items = []
    for row, net in zip(quartiles, last_year, strict=True):
        q1, median, q3 = row["quartiles"] or UNKNOWN_QUARTILES
        items.append(UsualPoint(row["days_before"], q1, median, q3, net))
    return UsualCurve(hotel_id, query.night, as_of, query.match, query.count, items)


async def curve_last_year(db: Executor, hotel_id: int, night: date | None, as_of: date) -> list[int | None]:
    """Rooms on the books of a night from 365 days before it to 0; None where it is not known at `as_of`."""
    hotel = await require_known_hotel(db, hotel_id)
    if night is None or night < hotel.first_night:
        return [None] * (USUAL_CURVE_DAYS + 1)
    days = [night - timedelta(days=number) for number in range(USUAL_CURVE_DAYS, -1, -1)]
    curve = await select_net_through(db, hotel_id, night, night, [*days[:-1], as_of])
    return [net if hotel.first_event_date <= day <= as_of else None for day, net in zip(days, curve, strict=True)]


async def compute_cancellations(db: Executor, hotel_id: int, year: int, as_of: date) -> Cancellations:
    """Count what was booked and cancelled of a year's nights up to `as_of`, by days ahead and by month."""
    groups = await select_cancellations(db, hotel_id, date(year, 1, 1), date(year, 12, 31), as_of)
    by_bucket = {group.bucket: (group.bookings, group.cancellations) for group in groups if group.bucket}
    by_number = {group.month: (group.bookings, group.cancellations) for group in groups if group.month}
    ends = [*(start - 1 for start in LEAD_TIME_FROM[1:]), None]
    by_lead = [
        LeadCounts(start, end, *by_bucket.get(bucket, NO_COUNTS))
        for bucket, (start, end) in enumerate(zip(LEAD_TIME_FROM, ends, strict=True), 1)
    ]
    by_month = []
    for month in range(1, 13):
        bookings, cancellations = by_number.get(month, NO_COUNTS)
        rate = figures_of(bookings, cancellations).cancellation_rate
        by_month.append(MonthCancellations(f"{year}-{month:02}", bookings, cancellations, rate))
    return Cancellations(hotel_id, year, as_of, by_lead, by_month)
