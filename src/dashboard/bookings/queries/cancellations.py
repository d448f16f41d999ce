"""SQL of what was booked and cancelled, by days ahead and by month of stay."""

from datetime import date
from typing import NamedTuple

from common.db.pool import Executor
from dashboard.bookings.queries.counters import LEAD_TIME_FROM


class MonthLeadCounts(NamedTuple):
    """What was booked and cancelled of a month's nights in a bucket of days ahead; both are numbered from 1."""

    month: int
    bucket: int
    bookings: int
    cancellations: int


async def select_month_lead_counts(
    db: Executor, hotel_id: int, first: date, last: date, as_of: date
) -> list[MonthLeadCounts]:
    """The counts of the nights from `first` to `last`, which are of one year; those without events are absent.

    Events after `as_of` do not count. An event after its night counts as 0 days ahead.
    """
    rows = await db.fetch(
        """
        SELECT extract(month FROM night_of_stay)::int AS month,
               width_bucket(greatest(night_of_stay - event_date, 0), $5::int[]) AS bucket,
               sum(bookings)::int AS bookings,
               sum(cancellations)::int AS cancellations
          FROM night_counter
         WHERE hotel_id = $1 AND night_of_stay BETWEEN $2 AND $3 AND event_date <= $4
         GROUP BY 1, 2
        """,
        hotel_id,
        first,
        last,
        as_of,
        LEAD_TIME_FROM,
    )
    return [MonthLeadCounts(*row) for row in rows]
