"""SQL of the summary: all hotels on one morning."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import asyncpg

from common.db.pool import Executor
from dashboard.bookings.inputs import PaceMatch
from dashboard.bookings.models.summary import AskedSummary, HotelFigures, day_change, nights_ahead
from dashboard.bookings.queries.dated_hotels import FOUND_HOTELS, has_night_after, night_after, night_before

NIGHTS_LISTED = 30


def _net_by_night(first: str, last: str, as_of: str) -> str:
    """Net bookings per night of the hotels at a date: all of the night, less those dated after it.

    There are no events after today, and for near nights fewer after a date than before it.
    """
    return f"""
    SELECT hotel_id, today, night, sum(net) AS net
      FROM (SELECT hotel_id, as_of AS today, day AS night, bookings - cancellations AS net
              FROM ({FOUND_HOTELS}) AS hotel
              JOIN day_counter USING (hotel_id)
             WHERE NOT by_event_date AND day BETWEEN {first} AND {last}
             UNION ALL
            SELECT hotel_id, as_of, night_of_stay, cancellations - bookings
              FROM ({FOUND_HOTELS}) AS hotel
              JOIN night_counter USING (hotel_id)
             WHERE last_event_date > {as_of} AND night_of_stay BETWEEN {first} AND {last} AND event_date > {as_of}
           ) AS change
     GROUP BY 1, 2, 3
    """  # noqa: S608 - built from the pieces above, without input


_NET_THIS_YEAR = f"""
    SELECT hotel_id, night - today AS ahead, net FROM ({_net_by_night("as_of - 1", "as_of + 89", "as_of")}) AS found
"""  # noqa: S608 - built from the pieces above, without input

_NET_LAST_YEAR = f"""
    SELECT hotel_id, net, {night_after("night")} - today AS ahead
      FROM ({_net_by_night("as_of_before", night_before("(as_of + 89)"), "as_of_before")}) AS found
     WHERE {has_night_after("night")}
"""  # noqa: S608 - built from the pieces above, without input
"""By the days from as_of to the night whose counterpart it is: below 0 for 28 February if as_of is 29 February."""


def _sums(net_by_night: str) -> str:
    return f"""
    SELECT hotel_id,
           sum(net) FILTER (WHERE ahead = -1)::int AS last_night,
           sum(net) FILTER (WHERE ahead = 0)::int AS tonight,
           sum(net) FILTER (WHERE ahead BETWEEN 0 AND 6)::int AS next_7,
           sum(net) FILTER (WHERE ahead BETWEEN 0 AND 29)::int AS next_30,
           sum(net) FILTER (WHERE ahead >= 0)::int AS next_90,
           array_agg(ahead) FILTER (WHERE ahead BETWEEN 0 AND 29) AS nights,
           array_agg(net::int) FILTER (WHERE ahead BETWEEN 0 AND 29) AS nets
      FROM ({net_by_night}) AS found
     GROUP BY hotel_id
    """  # noqa: S608 - built from the pieces above, without input


_SELECT_HOTEL_FIGURES = f"""
    SELECT hotel.hotel_id, name, rooms, as_of, first_event_date <= as_of_before AS has_history,
           first_event_date <= as_of_before AND first_night <= as_of_before AS has_last_year, first_night,
           coalesce(this_year.last_night, 0) AS last_night,
           coalesce(this_year.tonight, 0) AS tonight, coalesce(before.tonight, 0) AS tonight_before,
           coalesce(this_year.next_7, 0) AS next_7, coalesce(before.next_7, 0) AS next_7_before,
           coalesce(this_year.next_30, 0) AS next_30, coalesce(before.next_30, 0) AS next_30_before,
           coalesce(this_year.next_90, 0) AS next_90, coalesce(before.next_90, 0) AS next_90_before,
           coalesce(this_year.nights, '{{}}') AS nights, coalesce(this_year.nets, '{{}}') AS nets,
           coalesce(before.nights, '{{}}') AS nights_before, coalesce(before.nets, '{{}}') AS nets_before,
           coalesce(booked_yesterday, 0) AS booked_yesterday,
           coalesce(cancelled_yesterday, 0) AS cancelled_yesterday,
           coalesce(booked_today, 0) AS booked_today, coalesce(cancelled_today, 0) AS cancelled_today
      FROM ({FOUND_HOTELS}) AS hotel
      LEFT JOIN ({_sums(_NET_THIS_YEAR)}) AS this_year USING (hotel_id)
      LEFT JOIN ({_sums(_NET_LAST_YEAR)}) AS before USING (hotel_id)
      LEFT JOIN (SELECT hotel_id,
                        sum(bookings) FILTER (WHERE day = as_of - 1)::int AS booked_yesterday,
                        sum(cancellations) FILTER (WHERE day = as_of - 1)::int AS cancelled_yesterday,
                        sum(bookings) FILTER (WHERE day = as_of)::int AS booked_today,
                        sum(cancellations) FILTER (WHERE day = as_of)::int AS cancelled_today
                   FROM ({FOUND_HOTELS}) AS hotel
                   JOIN day_counter USING (hotel_id)
                  WHERE by_event_date AND day BETWEEN as_of - 1 AND as_of
                  GROUP BY hotel_id) AS change USING (hotel_id)
"""  # noqa: S608 - built from the pieces above, without input


async def select_hotel_figures(db: Executor, asked: AskedSummary) -> list[HotelFigures]:
    """The figures of all hotels found, in no order, without hidden hotels.

    No hotel counts events after its own date of today, also if `as_of` is later because another is a day ahead.
    """
    rows = await db.fetch(_SELECT_HOTEL_FIGURES, *asked)
    return [_figures_of(row, asked) for row in rows]


async def select_latest_today(db: Executor, now: datetime) -> date:
    """The latest of the dates at the hotels now; that in UTC if there is no hotel."""
    return await db.fetchval(
        """
        SELECT coalesce(max(($1::timestamptz AT TIME ZONE timezone)::date), ($1::timestamptz AT TIME ZONE 'UTC')::date)
          FROM hotel_summary
        """,
        now,
    )


def _figures_of(row: asyncpg.Record, asked: AskedSummary) -> HotelFigures:
    has_last_year = row["has_last_year"]
    as_of: date = row["as_of"]
    counterparts = [_counterpart(as_of + timedelta(days=ahead), asked.match) for ahead in range(NIGHTS_LISTED)]
    has_counterpart = [
        row["has_history"] and night is not None and night >= row["first_night"] for night in counterparts
    ]
    last_year = _by_night(row["nights_before"], row["nets_before"])
    return HotelFigures(
        row["hotel_id"],
        row["name"],
        row["rooms"],
        as_of,
        row["last_night"],
        nights_ahead(row["tonight"], row["tonight_before"] if has_counterpart[0] else None),
        nights_ahead(row["next_7"], row["next_7_before"] if has_last_year else None),
        nights_ahead(row["next_30"], row["next_30_before"] if has_last_year else None),
        nights_ahead(row["next_90"], row["next_90_before"] if has_last_year else None),
        day_change(row["booked_yesterday"], row["cancelled_yesterday"]),
        day_change(row["booked_today"], row["cancelled_today"]),
        _by_night(row["nights"], row["nets"]),
        [net if is_known else None for net, is_known in zip(last_year, has_counterpart, strict=True)],
    )


def _counterpart(night: date, match: PaceMatch) -> date | None:
    """The night a year before; None for 29 February if calendar dates are compared, and in the first year of all."""
    if night.year == 1:
        return None
    if match == "weekday":
        return night - timedelta(days=364)
    return None if (night.month, night.day) == (2, 29) else night.replace(year=night.year - 1)


def _by_night(nights: Sequence[int], nets: Sequence[int]) -> list[int]:
    """The net of each of the nights listed, by the number of days ahead; nights without events are 0."""
    listed = [0] * NIGHTS_LISTED
    for ahead, net in zip(nights, nets, strict=True):
        listed[ahead] = net
    return listed
