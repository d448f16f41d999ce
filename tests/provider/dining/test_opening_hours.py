"""Opening hours: the rule itself, and orders within them."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from provider.dining.models import OpeningHours
from provider.dining.opening_hours import MINUTE, is_open, minute_of
from tests.support.restaurant import EVENING, Restaurant

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Asia/Kathmandu", "Australia/Lord_Howe"]
BERLIN = ZoneInfo("Europe/Berlin")
WEEK = [OpeningHours(day, "18:00", "04:00") for day in range(7)]

clock_times = st.builds(lambda hour, minute: f"{hour:02}:{minute:02}", st.integers(5, 23), st.sampled_from([0, 15, 59]))
"""No hours begin or end in an hour that clocks may skip or show twice."""


def is_open_by_the_clock(hours: list[OpeningHours], instant: datetime, zone: ZoneInfo) -> bool:
    """Whether hours contain a minute, by nothing but what the clock on the wall shows."""
    local = instant.astimezone(zone)
    shown = local.hour * 60 + local.minute
    for each in hours:
        opens, closes = minute_of(each.opens), minute_of(each.closes)
        closes += 0 if closes > opens else 1440
        for days_ago in (0, 1):
            if (local.weekday() - days_ago) % 7 == each.day and opens <= shown + days_ago * 1440 < closes:
                return True
    return False


@given(
    hours=st.lists(st.builds(OpeningHours, st.integers(0, 6), clock_times, clock_times), min_size=1, max_size=8),
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    start=st.integers(0, 730 * 1440).map(lambda minute: datetime(2026, 1, 1, tzinfo=UTC) + minute * MINUTE),
    minutes=st.integers(1, 1440),
)
@example(WEEK, BERLIN, datetime(2027, 3, 27, 22, tzinfo=UTC), 180)
@example(WEEK, BERLIN, datetime(2026, 10, 24, 22, tzinfo=UTC), 180)
def test_an_order_is_within_the_hours_if_each_of_its_minutes_is(
    hours: list[OpeningHours], zone: ZoneInfo, start: datetime, minutes: int
) -> None:
    each_minute = (start + number * MINUTE for number in range(minutes))
    expected = all(is_open_by_the_clock(hours, each, zone) for each in each_minute)

    assert is_open(hours, start, start + minutes * MINUTE, zone) is expected


@pytest.mark.parametrize(
    ("opens", "closes", "start", "end", "expected"),
    [
        # 02:00 to 03:00 is skipped on 2027-03-28: hours begin and end at the jump, 01:00 in UTC.
        ("02:30", "06:00", "2027-03-28T01:00", "2027-03-28T02:00", True),
        ("02:30", "06:00", "2027-03-28T00:59", "2027-03-28T02:00", False),
        ("18:00", "02:30", "2027-03-28T00:00", "2027-03-28T01:00", True),
        ("18:00", "02:30", "2027-03-28T00:00", "2027-03-28T01:01", False),
        # 02:00 to 03:00 is shown twice on 2026-10-25, from 00:00 and from 01:00 in UTC.
        ("18:00", "02:30", "2026-10-24T23:00", "2026-10-25T01:30", True),
        ("18:00", "02:30", "2026-10-24T23:00", "2026-10-25T01:31", False),
        ("02:30", "06:00", "2026-10-25T00:30", "2026-10-25T02:00", True),
        ("02:30", "06:00", "2026-10-25T00:29", "2026-10-25T02:00", False),
    ],
)
def test_hours_that_begin_or_end_in_an_hour_of_a_clock_change(
    opens: str, closes: str, start: str, end: str, expected: bool
) -> None:
    hours = [OpeningHours(day, opens, closes) for day in range(7)]
    begin, finish = (datetime.fromisoformat(each).replace(tzinfo=UTC) for each in (start, end))

    assert is_open(hours, begin, finish, BERLIN) is expected


def test_hours_that_touch_are_one() -> None:
    whole_week = [OpeningHours(day, "06:00", "06:00") for day in range(7)]
    start = datetime(2027, 3, 27, tzinfo=UTC)

    assert is_open(whole_week, start, start + timedelta(days=3), BERLIN)
    assert not is_open(whole_week[:6], start, start + timedelta(days=3), BERLIN)


async def put_hours(restaurant: Restaurant, *hours: tuple[int, str, str]) -> Any:
    body = [{"day": day, "opens": opens, "closes": closes} for day, opens, closes in hours]
    return await restaurant.admin("PUT", "opening_hours", json=body)


async def order_at(restaurant: Restaurant, day: date, clock_time: str, minutes: int = 60) -> Any:
    table = await restaurant.add_table()
    return await restaurant.post_order(table, email="ann@example.com", starts_at=f"{day}T{clock_time}", minutes=minutes)


async def test_without_hours_the_restaurant_is_always_open(restaurant: Restaurant) -> None:
    assert await (await restaurant.admin("GET", "opening_hours")).get_json() == []
    assert (await order_at(restaurant, EVENING.date(), "04:00")).status_code == 201


async def test_orders_are_taken_only_within_the_hours_past_midnight_too(restaurant: Restaurant) -> None:
    day = EVENING.date()
    response = await put_hours(restaurant, (day.weekday(), "18:00", "02:00"), (day.weekday(), "11:30", "14:00"))
    assert response.status_code == 200
    assert [each["opens"] for each in await response.get_json()] == ["11:30", "18:00"]
    assert await (await restaurant.admin("GET", "opening_hours")).get_json() == await response.get_json()

    for clock_time, minutes, status in (
        ("18:00", 480, 201), ("18:00", 481, 400), ("17:59", 60, 400), ("13:00", 60, 201), ("13:01", 60, 400)
    ):  # fmt: skip
        assert (await order_at(restaurant, day, clock_time, minutes)).status_code == status
    next_day = day + timedelta(days=1)
    assert (await order_at(restaurant, next_day, "01:00")).status_code == 201
    refused = await order_at(restaurant, next_day, "18:00")
    [error] = (await refused.get_json())["errors"]
    assert error["field"] == "starts_at"
    assert error["message"] == (f"must be within the opening hours for all 60 minutes: {day:%A} 18:00 to 02:00 (UTC)")
    [error] = (await (await order_at(restaurant, next_day + timedelta(days=1), "18:00")).get_json())["errors"]
    assert error["message"].endswith(f"minutes: {next_day + timedelta(days=1):%A} is closed (UTC)")
    [error] = (await (await order_at(restaurant, day, "15:00")).get_json())["errors"]
    assert f"minutes: {day:%A} 11:30 to 14:00, {day:%A} 18:00 to 02:00 (UTC)" in error["message"]


@pytest.mark.parametrize("wrong", ["24:00", "6pm", "18.00", "18:00:00", "18:60", 18, None])
async def test_a_time_that_no_clock_shows_is_refused_in_words(restaurant: Restaurant, wrong: Any) -> None:
    response = await restaurant.admin("PUT", "opening_hours", json=[{"day": 0, "opens": wrong, "closes": wrong}])

    assert response.status_code == 400
    assert (await response.get_json())["errors"] == [
        {"field": f"0.{name}", "message": "must be a time such as 18:00; midnight is 00:00"}
        for name in ("opens", "closes")
    ]


async def test_an_empty_list_opens_the_restaurant_for_ever(restaurant: Restaurant) -> None:
    await put_hours(restaurant, (EVENING.weekday(), "18:00", "19:00"))
    assert (await order_at(restaurant, EVENING.date(), "04:00")).status_code == 400

    assert (await put_hours(restaurant)).status_code == 200
    assert (await order_at(restaurant, EVENING.date(), "04:00")).status_code == 201


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ([{"day": 7, "opens": "18:00", "closes": "23:00"}], "0.day"),
        ([{"day": 0, "opens": "24:00", "closes": "23:00"}], "0.opens"),
        ([{"day": 0, "opens": "9:00", "closes": "23:00"}], "0.opens"),
        ([{"day": 0, "opens": "18:00", "closes": 23}], "0.closes"),
        ([{"day": 0, "opens": "18:00"}], "0.closes"),
        ([{"day": 0, "opens": "18:00", "closes": "23:00", "open": True}], "0.open"),
        ([{"day": 0, "opens": "18:00", "closes": "23:00"}] * 2, "1.opens"),
        ({"day": 0, "opens": "18:00", "closes": "23:00"}, "body"),
    ],
)
async def test_invalid_hours_are_named_and_change_nothing(restaurant: Restaurant, body: Any, field: str) -> None:
    await put_hours(restaurant, (1, "10:00", "11:00"))

    response = await restaurant.admin("PUT", "opening_hours", json=body)

    assert response.status_code == 400
    assert [error["field"] for error in (await response.get_json())["errors"]] == [field]
    assert len(await (await restaurant.admin("GET", "opening_hours")).get_json()) == 1


async def test_opening_hours_require_an_admin(restaurant: Restaurant) -> None:
    assert (await restaurant.client.get("/api/admin/opening_hours")).status_code == 401
    assert (await restaurant.client.put("/api/admin/opening_hours", json=[])).status_code == 401


async def test_two_replacements_at_once_do_not_mix(restaurant: Restaurant) -> None:
    await restaurant.admin("GET", "opening_hours")
    weeks = [[(day, "10:00", closes) for day in range(7)] for closes in ("11:00", "12:00", "13:00", "14:00")]

    answers = await asyncio.gather(*(put_hours(restaurant, *week) for week in weeks))

    assert [answer.status_code for answer in answers] == [200] * 4
    stored = await (await restaurant.admin("GET", "opening_hours")).get_json()
    assert len(stored) == 7
    assert len({each["closes"] for each in stored}) == 1
