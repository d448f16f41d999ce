"""The rules that an order must keep when it is placed: the party fits the table, and the restaurant takes the time."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from common.web.errors import FieldError, Invalid
from provider.dining.inputs import BookingInput
from provider.dining.models import OpeningHours, Table
from provider.dining.opening_hours import describe_hours, is_open
from provider.dining.settings import DiningSettings

MAX_AHEAD = timedelta(days=365)


def require_orderable(
    settings: DiningSettings, hours: Sequence[OpeningHours], table: Table, order: BookingInput, now: datetime
) -> None:
    """Raise Invalid naming every rule that a guest's order breaks."""
    faults = [*party_faults(table, order), *time_faults(settings, hours, order.starts_at, order.minutes, now)]
    if faults:
        raise Invalid("The order is not valid.", errors=faults)


def require_settable(
    settings: DiningSettings, hours: Sequence[OpeningHours], table: Table, order: BookingInput, now: datetime
) -> None:
    """Raise Invalid naming every rule that a booking by staff breaks: those for guests, except the notice."""
    faults = [
        *party_faults(table, order),
        *time_faults(settings, hours, order.starts_at, order.minutes, now, notice=timedelta(0)),
    ]
    if faults:
        raise Invalid("The booking is not valid; `force` sets it all the same.", errors=faults)


def require_time(
    settings: DiningSettings, hours: Sequence[OpeningHours], start: datetime | None, minutes: int, now: datetime
) -> None:
    """Raise Invalid when no guest can order any table for this time."""
    faults = time_faults(settings, hours, start, minutes, now)
    if faults:
        raise Invalid("The request is not valid.", errors=faults)


def party_faults(table: Table, order: BookingInput) -> list[FieldError]:
    """Return the fault of a party that does not fit the table."""
    if order.guests is None or order.guests <= table.seats:
        return []
    return [FieldError("guests", f"must be at most {table.seats}, the number of seats of the table")]


def time_faults(
    settings: DiningSettings,
    hours: Sequence[OpeningHours],
    start: datetime | None,
    minutes: int,
    now: datetime,
    *,
    notice: timedelta | None = None,
) -> list[FieldError]:
    """Return the faults of a time; an order without one has none. notice: None: that of the settings."""
    if start is None:
        return []
    notice = settings.notice if notice is None else notice
    faults = []
    if notice and start < now + notice:
        faults.append(f"must be at least {notice // timedelta(minutes=1)} minutes ahead")
    if start > now + MAX_AHEAD:
        faults.append(f"must be at most {MAX_AHEAD.days} days ahead")
    zone = settings.zone
    if not is_open(hours, start, start + timedelta(minutes=minutes), zone):
        local = start.astimezone(zone)
        times = describe_hours(hours, local.date())
        faults.append(f"must be within the opening hours for all {minutes} minutes: {times} ({zone.key})")
    return [FieldError("starts_at", fault) for fault in faults]
