"""The hotels of a page as a piece of SQL: each with the date up to which its events count, and that a year before."""

from dashboard.bookings.queries.counters import has_searched_name_or_id


def _dated_hotels(condition: str) -> str:
    return f"""
    SELECT hotel_id, name, rooms, first_event_date, last_event_date, first_night, as_of,
           CASE WHEN $2::text = 'weekday' THEN as_of - 364 ELSE (as_of - interval '1 year')::date END AS as_of_before
      FROM (SELECT hotel_id, name, rooms, first_event_date, last_event_date, first_night,
                   least($1::date, ($3::timestamptz AT TIME ZONE hotel_summary.timezone)::date) AS as_of
              FROM hotel_summary
              LEFT JOIN hotel_profile USING (hotel_id)
             WHERE hidden IS NOT TRUE AND {condition}) AS dated
"""  # noqa: S608 - of constants


DATED_HOTELS = _dated_hotels("true")
"""$1: as_of, or null for the date at each hotel; $2: how the year before is compared; $3: now."""

FOUND_HOTELS = _dated_hotels(has_searched_name_or_id("$4"))
"""Those of the hotels that are searched for by $4."""


def night_before(night: str) -> str:
    """The counterpart a year before of a night, an expression; with calendar dates that of 29 February is the 28th."""
    return f"CASE WHEN $2 = 'weekday' THEN {night} - 364 ELSE ({night} - interval '1 year')::date END"


def night_after(night: str) -> str:
    """The night whose counterpart a year before is `night`, for which `has_night_after` holds."""
    return f"CASE WHEN $2 = 'weekday' THEN {night} + 364 ELSE ({night} + interval '1 year')::date END"


def has_night_after(night: str) -> str:
    """Whether `night` is the counterpart of a night a year later: 29 February is not if calendar dates are compared."""
    return f"($2 = 'weekday' OR to_char({night}::timestamp, 'MM-DD') <> '02-29')"
