"""The search for free properties, and for other days when there is none.

It offers exactly what a reservation would accept. Which day is today, and so when a stay can start, depends on the time
zone of a property, but on few days; on all others the search does not look at time zones.
"""

from collections.abc import Sequence
from datetime import date, timedelta

import asyncpg

from common.limits import EARLIEST_NIGHT, LATEST_NIGHT
from common.web.errors import NotFound
from provider.stays.inputs.reservations import AvailabilityQuery
from provider.stays.models.clock import BookingWindow, Clock
from provider.stays.models.properties import Alternative, AvailableProperty
from provider.stays.queries import storefront

ALTERNATIVE_DAYS = 14
"""Alternative start dates are at most this far from the requested one."""

Refused = tuple[str, ...] | None
"""The time zones in which a stay cannot start on a day; None: it can in all."""


async def find_available(
    db: asyncpg.Pool, search: AvailabilityQuery, after: str, clock: Clock
) -> list[AvailableProperty]:
    """The properties that can be reserved, after the id `after`, up to one more than the page holds.

    Raises NotFound with alternatives when there is none.
    """
    found = []
    for refused, _ in await days_by_refused_zones(db, [search.start_date], clock):
        found = await _select_available(db, search, after, refused)
    if not found and not after:
        raise NotFound(
            "No property is free for all of these nights.",
            code="no_availability",
            extra={"alternatives": await find_alternatives(db, search, clock)},
        )
    return found


async def find_alternatives(db: asyncpg.Pool, search: AvailabilityQuery, clock: Clock) -> list[Alternative]:
    """The nearest days on which a stay like this can start, nearest first, later before earlier."""
    days = nearest_days(search.start_date, clock.somewhere)
    found = [
        alternative
        for refused, group in await days_by_refused_zones(db, days, clock)
        for alternative in await _select_start_dates(db, search, group, refused)
    ]
    return sorted(found, key=lambda alternative: days.index(alternative.start_date))


async def _select_available(
    db: asyncpg.Pool, search: AvailabilityQuery, after: str, refused: Refused
) -> list[AvailableProperty]:
    page = (search.start_date, search.nights, after, search.limit + 1)
    guests = search.guests or 1
    if search.hotel_id is None:
        return await storefront.select_available(db, *page, guests=guests, refused_zones=refused)
    return await storefront.select_available_in_hotel(db, search.hotel_id, *page, guests=guests, refused_zones=refused)


async def _select_start_dates(
    db: asyncpg.Pool, search: AvailabilityQuery, days: Sequence[date], refused: Refused
) -> list[Alternative]:
    guests = search.guests or 1
    if search.hotel_id is None:
        return await storefront.select_available_start_dates(
            db, days, search.nights, guests=guests, refused_zones=refused
        )
    return await storefront.select_available_start_dates_in_hotel(
        db, search.hotel_id, days, search.nights, guests=guests, refused_zones=refused
    )


async def days_by_refused_zones(
    db: asyncpg.Pool, days: Sequence[date], clock: Clock
) -> list[tuple[Refused, list[date]]]:
    """The days on which a stay can start somewhere, in groups of those that are refused by the same time zones."""
    zones: Sequence[str] | None = None
    groups: dict[Refused, list[date]] = {}
    for day in days:
        refused: Refused = None
        if day not in clock.somewhere:
            continue
        if day not in clock.everywhere:
            if zones is None:
                zones = ["", *await storefront.select_time_zones(db)]
            refused = clock.refused_zones(day, zones) or None
            if refused is not None and len(refused) == len(zones):
                continue
        groups.setdefault(refused, []).append(day)
    return list(groups.items())


def nearest_days(day: date, window: BookingWindow) -> list[date]:
    """The days of the window up to ALTERNATIVE_DAYS before and after, nearest first, later before earlier."""
    offsets = sorted((o for o in range(-ALTERNATIVE_DAYS, ALTERNATIVE_DAYS + 1) if o), key=lambda o: (abs(o), -o))
    days = (day + timedelta(days=offset) for offset in offsets)
    return [each for each in days if each in window and EARLIEST_NIGHT <= each <= LATEST_NIGHT]
