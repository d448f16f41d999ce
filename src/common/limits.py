"""The ranges of dates, times and prices that the applications accept. Each has one value for both of them."""

from datetime import UTC, date, datetime, time, timedelta

EARLIEST_NIGHT = date(1900, 1, 1)
LATEST_NIGHT = date(2199, 12, 31)
"""The first and the last night of a stay or of a booking event."""

EARLIEST_INSTANT = datetime.combine(EARLIEST_NIGHT, time.min, UTC)
"""No event is dated before it."""

EARLIEST_STORE_DAY = date(1970, 1, 1)
LATEST_STORE_DAY = date(2199, 12, 31)
"""The first and the last day of what is known of a store: its polls, hours and closures."""

MAX_EVENT_AHEAD = timedelta(days=1)
"""How far the clock of a sender of booking events may be ahead of ours."""

MAX_POLL_AHEAD = timedelta(minutes=10)
"""How far the clock of the poller of the stores may be ahead of ours."""

MAX_WINDOW_DAYS = 400
"""The longest range of days that one query may ask for."""

MAX_CURVE_DAYS = 730
"""The days before a night at which its booking curve begins at the earliest."""

MAX_PRICE = 10**12
"""The highest price, in the minor units of its currency."""


def require_sane_night(night: date) -> date:
    """Return the night. Raises ValueError when it is outside EARLIEST_NIGHT to LATEST_NIGHT."""
    if not EARLIEST_NIGHT <= night <= LATEST_NIGHT:
        raise ValueError(f"must be from {EARLIEST_NIGHT} to {LATEST_NIGHT}")
    return night


def require_sane_store_day(day: date) -> date:
    """Return the day. Raises ValueError when it is outside EARLIEST_STORE_DAY to LATEST_STORE_DAY."""
    if not EARLIEST_STORE_DAY <= day <= LATEST_STORE_DAY:
        raise ValueError(f"must be from {EARLIEST_STORE_DAY} to {LATEST_STORE_DAY}")
    return day


def require_sane_event_time(at: datetime, now: datetime) -> datetime:
    """Return the time of an event. Raises ValueError when it is before EARLIEST_INSTANT or a day after `now`."""
    if at < EARLIEST_INSTANT:
        raise ValueError(f"must not be before {EARLIEST_NIGHT}")
    if at > now + MAX_EVENT_AHEAD:
        raise ValueError("is more than a day in the future")
    return at
