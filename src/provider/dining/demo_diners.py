"""The diners of the demo: the orders of the day on which it first starts, and then an order every so often."""

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

import asyncpg

from common.config import Secret
from common.db.pool import Connection, connect_with, transaction
from common.jobs.lease import JobResult
from provider.dining import service
from provider.dining.demo import TABLES
from provider.dining.inputs import DEFAULT_MINUTES, BookingInput, SetBookingInput, TableFilter
from provider.dining.models import Actor, BookableTable, OpeningHours
from provider.dining.order_rules import time_faults
from provider.dining.queries import bookings, opening_hours, tables
from provider.dining.settings import DEMO_DINERS_DOMAIN, DiningSettings

MAX_WAITING = 12
"""With so many orders waiting, diners order nothing until some are decided or expire: perhaps nobody is at the desk."""

SOON = timedelta(minutes=30)
"""How far ahead an order is at least."""
DAYS_AHEAD = (0, 0, 0, 1, 1, 2, 3)
SUITABLE_TABLES = 3
TRIES = 30

STAFF = Actor("admin", "demo")


class Booked(NamedTuple):
    """A party of the first day. table: its place among the demo's tables."""

    table: int
    at: str
    guests: int


CONFIRMED = (
    Booked(0, "12:00", 2), Booked(1, "12:30", 3), Booked(4, "12:30", 9), Booked(9, "12:30", 2), Booked(7, "13:00", 4),
    Booked(5, "13:30", 2), Booked(2, "14:30", 4), Booked(1, "18:00", 4), Booked(0, "18:30", 2), Booked(3, "19:00", 5),
    Booked(7, "19:30", 3), Booked(4, "19:30", 11), Booked(8, "20:00", 6), Booked(2, "20:30", 4),
)  # fmt: skip
WAITING = (Booked(5, "19:30", 2), Booked(1, "20:30", 3), Booked(3, "19:30", 6))
"""The last of them overlaps a table that is confirmed."""

NAMES = (
    "Ann Baker", "Joschka Weiß", "María Núñez", "Łukasz Wójcik", "Chloé Dubois", "Giulia Conti", "Sofia Lindqvist",
    "Daniel Okafor", "محمد الأحمد", "山田 花子", "Νίκος Παπαδόπουλος", "Ольга Иванова", "שרה לוי", "Aoife Byrne",
    "Priya Sharma", "Thomas van Dijk", "Elif Yılmaz", "김민준", "Hannah Fischer", "Owen Price",
)  # fmt: skip
NOTES = (
    "A high chair, please.", "By the window if there is one.", "One of us eats no nuts.", "It is a birthday.",
    "We come with a pram.", "Two of us are vegetarian.",
)  # fmt: skip
PARTIES = (2, 2, 2, 2, 3, 4, 4, 5, 6, 8)
CLOCK_TIMES = tuple(time(hour, minute) for hour in (12, 13, 18, 19, 20, 21) for minute in (0, 30))


async def add_demo_orders(url: Secret, settings: DiningSettings, now: datetime) -> int:
    """Store the orders of the first day, unless there are bookings, or the tables are not the demo's; returns how many.

    A waiting one whose time has nearly passed is for the day after; one that the restaurant does not take is left out.
    Their messages leave through the outbox.
    """
    connection = await connect_with(url, "provider-demo")
    try:
        async with connection.transaction():
            await bookings.lock_bookings(connection)
            found = await tables.select_tables(connection, 0, len(TABLES) + 1)
            kinds = [(table.table_type, table.seats) for table in found if table.can_be_booked]
            if await bookings.has_bookings(connection) or kinds != [(kind, seats) for kind, seats, _ in TABLES]:
                return 0
            ids = [table.id for table in found]
            return await _store_first_day(connection, settings, ids, now)
    finally:
        await connection.close()


async def _store_first_day(connection: Connection, settings: DiningSettings, ids: Sequence[int], now: datetime) -> int:
    rng, hours = random.Random(1), await opening_hours.select_opening_hours(connection)
    names, stored = iter(rng.sample(NAMES, len(NAMES))), len(CONFIRMED)
    today = now.astimezone(settings.zone).date()
    for booked in CONFIRMED:
        start = _start(today, booked.at, settings)
        values = {**_guest(rng, next(names), booked.guests), "starts_at": start.isoformat(), "force": True}
        set_order = SetBookingInput.model_validate(values, context=_context(settings, start))
        await service.set_booking(connection, settings, ids[booked.table], set_order, STAFF, now)
    for booked in WAITING:
        start = _start(today, booked.at, settings)
        if start < now + SOON:
            start = _start(today + timedelta(days=1), booked.at, settings)
        if time_faults(settings, hours, start, DEFAULT_MINUTES, now):
            continue
        values = {**_guest(rng, next(names), booked.guests), "starts_at": start.isoformat()}
        order = BookingInput.model_validate(values, context=_context(settings, now))
        await service.place_order(connection, settings, ids[booked.table], order, now, service.nothing_before_storing)
        stored += 1
    return stored


def _start(day: date, clock_time: str, settings: DiningSettings) -> datetime:
    return datetime.combine(day, time.fromisoformat(clock_time), settings.zone).astimezone(UTC)


def _context(settings: DiningSettings, now: datetime) -> dict[str, object]:
    return {"now": now, "zone": settings.zone, "region": settings.phone_region}


def _guest(rng: random.Random, name: str, guests: int) -> dict[str, object]:
    """A guest with an email address or, one in four, with a phone number alone; some with notes."""
    number = rng.randrange(1000)
    reachable = (
        {"phone": f"+44 20 7946 0{number:03}"}
        if rng.random() < 0.25
        else {"email": f"diner{number}@{DEMO_DINERS_DOMAIN}"}
    )
    notes = {"notes": rng.choice(NOTES)} if rng.random() < 0.3 else {}
    return {"name": name, "guests": guests, **reachable, **notes}


async def order_as_diner(db: asyncpg.Pool, settings: DiningSettings, now: datetime) -> JobResult:
    """Order a table as a guest of these days does. Orders nothing while many orders wait, and when nothing is free."""
    rng = random.Random(now.isoformat())
    async with transaction(db) as connection:
        if await bookings.select_waiting_count(connection) >= MAX_WAITING:
            return {"orders": 0}
        hours = await opening_hours.select_opening_hours(connection)
        guests, start = rng.choice(PARTIES), _choose_start(rng, settings, hours, now)
        if start is None or (table := await _choose_table(rng, connection, guests, start)) is None:
            return {"orders": 0}
        values = {**_guest(rng, rng.choice(NAMES), guests), "starts_at": start.isoformat()}
        order = BookingInput.model_validate(values, context=_context(settings, now))
        await service.place_order(connection, settings, table.id, order, now, service.nothing_before_storing)
    return {"orders": 1}


def _choose_start(
    rng: random.Random, settings: DiningSettings, hours: Sequence[OpeningHours], now: datetime
) -> datetime | None:
    """A usual time within the next days at which the restaurant is open; None if none was found."""
    today = now.astimezone(settings.zone).date()
    for _ in range(TRIES):
        day = today + timedelta(days=rng.choice(DAYS_AHEAD))
        start = datetime.combine(day, rng.choice(CLOCK_TIMES), settings.zone).astimezone(UTC)
        if start >= now + SOON and not time_faults(settings, hours, start, DEFAULT_MINUTES, now):
            return start
    return None


async def _choose_table(
    rng: random.Random, connection: Connection, guests: int, start: datetime
) -> BookableTable | None:
    """One of the smallest tables that are free."""
    criteria = TableFilter(guests=guests).model_copy(update={"starts_at": start})
    found = await tables.select_bookable_tables(connection, criteria, 0, 100)
    return rng.choice(sorted(found, key=lambda table: table.seats)[:SUITABLE_TABLES]) if found else None
