"""The notable nights and the months ahead, held to the figures of single nights and of the pace."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import groupby

import asyncpg
import pytest

from dashboard.bookings.inputs import PaceMatch
from dashboard.bookings.models.morning import AskedMorning
from dashboard.bookings.models.nights import AskedNights, NightFigures
from dashboard.bookings.models.notable_nights import NIGHTS_WATCHED, NotableNight
from dashboard.bookings.queries.months_ahead import select_months_ahead
from dashboard.bookings.queries.nights import select_known_hotel, select_nights
from dashboard.bookings.queries.notable_nights import select_notable_nights
from dashboard.bookings.service import compute_pace, night_last_year
from provider.simulated_hotels.simulation import Simulation
from tests.dashboard.board.conftest import ROOMS, store_history

MATCHES: list[PaceMatch] = ["weekday", "date"]


def is_soft(night: NightFigures) -> bool:
    before = night.same_time_last_year
    return before is not None and before > 0 and night.on_the_books <= before * 0.8


def runs_of(nights: list[NightFigures]) -> dict[date, tuple[int, int]]:
    """The length and the difference of each run of a week or more, by its first night."""
    runs = {}
    for soft, group in groupby(nights, is_soft):
        run = list(group)
        if soft and len(run) >= 7:
            runs[run[0].night] = (len(run), sum(night.difference or 0 for night in run))
    return runs


async def cancellations(db: asyncpg.Pool, hotel_id: int, night: date, day: date) -> int:
    return await db.fetchval(
        "SELECT coalesce(sum(cancellations), 0)::int FROM night_counter "
        "WHERE hotel_id = $1 AND night_of_stay = $2 AND event_date = $3",
        hotel_id,
        night,
        day,
    )


LEAP_DATES = [date(2024, 2, 29), date(2024, 2, 28), date(2023, 12, 20), date(2024, 12, 20), date(2025, 2, 28)]
"""Before, on and after 29 February, and those of which a night ahead is that date in this year or the last one."""


async def expected_nights(
    db: asyncpg.Pool, rooms: Mapping[int, int | None], as_of: date, match: PaceMatch
) -> list[NotableNight]:
    """The notable nights, judged one by one by the figures of each night."""
    expected = []
    for hotel_id, known_rooms in rooms.items():
        last = as_of + timedelta(days=NIGHTS_WATCHED - 1)
        nights = await select_nights(db, AskedNights(hotel_id, as_of, last, as_of, match))
        runs = runs_of(nights)
        for each in nights:
            cancelled = await cancellations(db, hotel_id, each.night, as_of - timedelta(days=1))
            run = runs.get(each.night, (None, None))
            night = NotableNight(
                hotel_id, None, known_rooms, each.night, each.on_the_books, each.same_time_last_year, each.pickup_7,
                each.usual_7, cancelled, *run,
            )  # fmt: skip
            if run[0] or night.has_unusual_pickup or night.is_full or night.has_cancellations:
                expected.append(night)
    return expected


async def found_nights(db: asyncpg.Pool, as_of: date, match: PaceMatch) -> list[NotableNight]:
    found = await select_notable_nights(db, AskedMorning(as_of, match, datetime.now(UTC)))
    return [night._replace(name=None) for night in found]


async def require_months_of_pace(db: asyncpg.Pool, hotel_id: int, as_of: date, match: PaceMatch) -> None:
    """The months ahead are those of the pace, which are compared only where last year is known."""
    asked = AskedMorning(as_of, match, datetime.now(UTC))
    months = await select_months_ahead(db, asked, [hotel_id], 12)
    pace = [
        month for year in (as_of.year, as_of.year + 1) for month in await compute_pace(db, hotel_id, year, as_of, match)
    ][as_of.month - 1 :][:12]
    assert [f"{each.month:%Y-%m}" for each in months] == [month.period for month in pace]
    assert [each.on_the_books for each in months] == [month.on_the_books for month in pace]
    hotel = await select_known_hotel(db, hotel_id)
    assert hotel is not None
    if hotel.first_event_date <= as_of - timedelta(days=366):
        known = [night_last_year(each.month, match) for each in months]
        assert [each.same_time_last_year for each in months] == [
            month.last_year if first is not None and first >= hotel.first_night else None
            for first, month in zip(known, pace, strict=True)
        ]
    elif hotel.first_event_date > as_of - timedelta(days=364):
        assert {each.same_time_last_year for each in months} == {None}


@pytest.mark.parametrize("match", MATCHES)
@pytest.mark.parametrize("days_ago", [0, 45, 300, 700])
async def test_every_notable_night_is_found_and_no_other(
    dashboard_db: asyncpg.Pool, houses: None, today: date, match: PaceMatch, days_ago: int
) -> None:
    as_of = today - timedelta(days=days_ago)
    found = await found_nights(dashboard_db, as_of, match)

    assert sorted(found) == sorted(await expected_nights(dashboard_db, ROOMS, as_of, match))
    assert found or days_ago == 700


@pytest.mark.parametrize("match", MATCHES)
@pytest.mark.parametrize("days_ago", [0, 45, 300, 700])
async def test_the_months_ahead_are_those_of_the_pace(
    dashboard_db: asyncpg.Pool, houses: None, today: date, match: PaceMatch, days_ago: int
) -> None:
    for hotel_id in (1, 3):
        await require_months_of_pace(dashboard_db, hotel_id, today - timedelta(days=days_ago), match)


@pytest.fixture
async def leap_house(dashboard_db: asyncpg.Pool) -> None:
    """A house of 8 rooms, of which nobody told the number, before and after 29 February 2024."""
    await store_history(dashboard_db, Simulation(5, 1, 8).history(date(2022, 6, 1), date(2025, 3, 1)))


@pytest.mark.parametrize("match", MATCHES)
async def test_both_are_right_around_29_february(
    dashboard_db: asyncpg.Pool, leap_house: None, match: PaceMatch
) -> None:
    for as_of in LEAP_DATES:
        found = await found_nights(dashboard_db, as_of, match)
        assert sorted(found) == sorted(await expected_nights(dashboard_db, {1: None}, as_of, match)), as_of
        await require_months_of_pace(dashboard_db, 1, as_of, match)


async def test_hidden_hotels_have_no_notable_nights(dashboard_db: asyncpg.Pool, houses: None, today: date) -> None:
    """The day of the test decides which hotels have some."""
    before = await found_nights(dashboard_db, today, "weekday")
    hidden = before[0].hotel_id
    await dashboard_db.execute(
        """
        INSERT INTO hotel_profile (hotel_id, hidden) VALUES ($1, true)
        ON CONFLICT (hotel_id) DO UPDATE SET hidden = true
        """,
        hidden,
    )

    after = await found_nights(dashboard_db, today, "weekday")
    assert sorted(after) == sorted(night for night in before if night.hotel_id != hidden)
