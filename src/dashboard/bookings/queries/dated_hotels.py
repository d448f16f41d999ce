"""The hotels of a page as a piece of SQL: each with the date up to which its events count, and that a year before."""

DATED_HOTELS = """
    SELECT hotel_id, name, rooms, first_event_date, as_of,
           CASE WHEN $2::text = 'weekday' THEN as_of - 364 ELSE (as_of - interval '1 year')::date END AS as_of_before
      FROM (SELECT hotel_id, name, rooms, first_event_date,
                   least($1::date, ($3::timestamptz AT TIME ZONE hotel_summary.timezone)::date) AS as_of
              FROM hotel_summary
              LEFT JOIN hotel_profile USING (hotel_id)
             WHERE hidden IS NOT TRUE) AS dated
"""
"""$1: as_of, or null for the date at each hotel; $2: how the year before is compared; $3: now."""

COUNTERPART_NOW = "CASE WHEN $2 = 'weekday' THEN night_of_stay + 364 ELSE (night_of_stay + interval '1 year')::date END"
"""The night of this year whose counterpart is `night_of_stay`."""

HAS_COUNTERPART_NOW = "($2 = 'weekday' OR to_char(night_of_stay::timestamp, 'MM-DD') <> '02-29')"
"""29 February has no counterpart if calendar dates are compared."""


def night_before(night: str) -> str:
    """The counterpart of a night, an expression, a year before; that of 29 February may be the 28th."""
    return f"CASE WHEN $2 = 'weekday' THEN {night} - 364 ELSE ({night} - interval '1 year')::date END"
