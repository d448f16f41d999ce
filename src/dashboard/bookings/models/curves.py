"""Responses of the curves: how a month and a night filled up beside others, and what was cancelled."""

from datetime import date

import msgspec


class BuildUpDay(msgspec.Struct, frozen=True):
    """A day of booking: the month's room nights at its end, and those of last year's month at the same time."""

    day: date
    """The day of booking."""
    days_before: int
    """Days before the first night of the month; negative after it."""
    this_year: int | None
    """Room nights on the books at the end of the day; null after `as_of`, and before the hotel's first event."""
    last_year: int | None
    """Those of last year's month at the same time; null if that is after `as_of`, or before the hotel's first event."""


class BuildUp(msgspec.Struct, frozen=True):
    """How the nights of a month were booked, day by day, beside those of last year's month."""

    hotel_id: int
    """Id of the hotel."""
    month: str
    """The month, such as 2026-01."""
    as_of: date
    """The date at the hotel up to which events are counted."""
    match: str
    """Whether the same calendar date or the same weekday of the year before is compared."""
    items: list[BuildUpDay]
    """Each day, from 180 days before the month to its last day."""
    last_year_slept: int | None
    """Room nights slept in last year's month; null before its last night is slept, and where its first is unknown."""


class UsualPoint(msgspec.Struct, frozen=True):
    """What is usual a number of days before a night: quartiles of the nights compared, and the night of last year."""

    days_before: int
    """Days before the night."""
    q1: float | None
    """A quarter of the nights had at most these rooms on the books; null where no night is known."""
    median: float | None
    """Half of the nights had at most these rooms on the books; null where no night is known."""
    q3: float | None
    """Three quarters of the nights had at most these rooms on the books; null where no night is known."""
    last_year: int | None
    """Those of the night of last year; null if that is after `as_of`, or before the hotel's first event."""


class UsualCurve(msgspec.Struct, frozen=True):
    """The usual booking curve of a night: that of the last nights of its weekday, and that of the year before."""

    hotel_id: int
    """Id of the hotel."""
    night: date
    """The night."""
    as_of: date
    """The date at the hotel up to which events are counted."""
    match: str
    """Whether the same calendar date or the same weekday of the year before is compared."""
    count: int
    """Number of slept nights compared."""
    items: list[UsualPoint]
    """Each number of days before the night, from 365 to 0."""


class LeadCounts(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """What was booked and cancelled `from` to `to` days ahead; `to` is null in the last bucket."""

    from_: int
    """The fewest days ahead."""
    to: int | None
    """The most days ahead; null: no limit."""
    bookings: int
    """Room nights booked that many days ahead."""
    cancellations: int
    """Room nights cancelled that many days ahead."""


class MonthCancellations(msgspec.Struct, frozen=True):
    """A month of stay: room nights booked and cancelled."""

    period: str
    """The month, such as 2026-01."""
    bookings: int
    """Room nights booked."""
    cancellations: int
    """Room nights cancelled."""
    cancellation_rate: float | None
    """Cancellations / bookings to 4 places; null without bookings."""


class Cancellations(msgspec.Struct, frozen=True):
    """What was booked and cancelled of a year's nights, by days ahead and by month of stay."""

    hotel_id: int
    """Id of the hotel."""
    year: int
    """The year of the nights."""
    as_of: date
    """The date at the hotel up to which events are counted."""
    by_lead: list[LeadCounts]
    """By days between event and night, in order; events after the night count at 0."""
    by_month: list[MonthCancellations]
    """By month of stay: each month, in order."""
