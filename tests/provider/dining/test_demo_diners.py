"""The diners of the demo: a day of orders at the first start, and one every so often, by the rules for guests."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

import provider.config
from common.config import Secret, read_config
from provider import schedule
from provider.dining.demo import add_demo_tables
from provider.dining.demo_diners import CONFIRMED, MAX_WAITING, WAITING, add_demo_orders, order_as_diner
from provider.resources import resources_of
from tests.support.restaurant import Restaurant

MORNING = datetime.now(UTC).replace(hour=8, minute=0, second=0, microsecond=0) + timedelta(days=1)
LATE = MORNING.replace(hour=22)


@pytest.fixture
async def tables(restaurant: Restaurant, provider_url: Secret) -> list[int]:
    """The ids of the demo's tables."""
    await add_demo_tables(provider_url)
    return [row["table_id"] for row in await restaurant.db.fetch("SELECT table_id FROM dining_table ORDER BY 1")]


async def statuses(db: asyncpg.Pool) -> dict[str, int]:
    rows = await db.fetch("SELECT status, count(*) FROM dining_booking GROUP BY status")
    return {row["status"]: row["count"] for row in rows}


def test_the_day_has_14_confirmed_and_3_waiting_orders() -> None:
    assert (len(CONFIRMED), len(WAITING)) == (14, 3)


async def test_the_first_start_stores_a_day_of_orders_once(
    restaurant: Restaurant, provider_url: Secret, tables: list[int]
) -> None:
    assert await add_demo_orders(provider_url, restaurant.settings, MORNING) == 17
    assert await add_demo_orders(provider_url, restaurant.settings, MORNING) == 0

    assert await statuses(restaurant.db) == {"confirmed": 14, "waiting": 3}
    days = await restaurant.db.fetch("SELECT DISTINCT (starts_at AT TIME ZONE 'UTC')::date AS day FROM dining_booking")
    assert [row["day"] for row in days] == [MORNING.date()]
    fits = "SELECT bool_and(guests <= seats) FROM dining_booking JOIN dining_table USING (table_id)"
    assert await restaurant.db.fetchval(fits)


async def test_the_orders_reach_the_front_desk_through_the_outbox(
    restaurant: Restaurant, provider_url: Secret, tables: list[int]
) -> None:
    await add_demo_orders(provider_url, restaurant.settings, MORNING)

    messages = await restaurant.db.fetch("SELECT event, count(*) FROM outbox WHERE topic = 'accounting' GROUP BY event")
    assert {row["event"]: row["count"] for row in messages} == {"confirmed": 14, "received": 3}


async def test_at_a_late_first_start_the_waiting_orders_are_for_the_next_day(
    restaurant: Restaurant, provider_url: Secret, tables: list[int]
) -> None:
    await add_demo_orders(provider_url, restaurant.settings, LATE)

    waiting = await restaurant.db.fetchval("SELECT min(starts_at) FROM dining_booking WHERE status = 'waiting'")
    assert waiting > LATE
    assert (await statuses(restaurant.db))["waiting"] == 3


async def test_a_restaurant_with_other_tables_gets_no_orders(restaurant: Restaurant, provider_url: Secret) -> None:
    await restaurant.add_table()
    await add_demo_tables(provider_url)

    assert await add_demo_orders(provider_url, restaurant.settings, MORNING) == 0


@pytest.mark.parametrize("change", [{"seats": 1}, {"can_be_booked": False}, {"table_type": "room"}])
async def test_a_restaurant_that_changed_the_demos_tables_starts_without_orders(
    restaurant: Restaurant, provider_url: Secret, tables: list[int], change: dict[str, Any]
) -> None:
    await restaurant.admin("PATCH", "update_table/", json={"id": tables[3], **change})

    assert await add_demo_orders(provider_url, restaurant.settings, MORNING) == 0


async def test_orders_that_the_restaurant_does_not_take_are_left_out(
    restaurant: Restaurant, provider_url: Secret, tables: list[int]
) -> None:
    await restaurant.admin("PUT", "opening_hours", json=[{"day": (MORNING.weekday() + 3) % 7, "opens": "12:00",
                                                          "closes": "15:00"}])  # fmt: skip

    assert await add_demo_orders(provider_url, restaurant.settings, MORNING) == 14
    assert await statuses(restaurant.db) == {"confirmed": 14}


async def test_a_diner_orders_a_free_table_that_fits(restaurant: Restaurant, tables: list[int]) -> None:
    assert await order_as_diner(restaurant.db, restaurant.settings, MORNING) == {"orders": 1}

    [order] = await restaurant.db.fetch("SELECT * FROM dining_booking JOIN dining_table USING (table_id)")
    assert order["guests"] <= order["seats"]
    assert MORNING < order["starts_at"] < MORNING + timedelta(days=5)
    assert (order["email"] or "x@diners.example").endswith("@diners.example")
    assert await restaurant.db.fetchval("SELECT count(*) FROM rate_limit") == 0


async def test_diners_stop_while_many_orders_wait(restaurant: Restaurant, tables: list[int]) -> None:
    for number in range(MAX_WAITING + 4):
        await order_as_diner(restaurant.db, restaurant.settings, MORNING + timedelta(seconds=number))
    assert await statuses(restaurant.db) == {"waiting": MAX_WAITING}

    await restaurant.db.execute(
        "UPDATE dining_booking SET status = 'declined' WHERE id = (SELECT min(id) FROM dining_booking)"
    )
    assert await order_as_diner(restaurant.db, restaurant.settings, MORNING) == {"orders": 1}


async def test_while_the_restaurant_is_closed_at_all_usual_times_nothing_is_ordered(
    restaurant: Restaurant, tables: list[int]
) -> None:
    hours = [{"day": day, "opens": "06:00", "closes": "10:00"} for day in range(7)]
    await restaurant.admin("PUT", "opening_hours", json=hours)

    assert await order_as_diner(restaurant.db, restaurant.settings, MORNING) == {"orders": 0}


async def test_without_a_table_nothing_is_ordered(restaurant: Restaurant) -> None:
    assert await order_as_diner(restaurant.db, restaurant.settings, MORNING) == {"orders": 0}


def interval_of(restaurant: Restaurant, environment: dict[str, str]) -> float:
    """The interval of the job with these variables."""
    resources: Any = resources_of(restaurant.app)
    config = read_config(provider.config.Config, environment)
    [job] = [job for job in schedule.jobs(replace(resources, config=config)) if job.name == "order_as_diner"]
    return job.interval


async def test_diners_order_only_in_the_demo_and_only_if_asked(
    restaurant: Restaurant, environment: dict[str, str]
) -> None:
    outside = {name: value for name, value in environment.items() if name != "NIGHTAUDIT_DEMO"}

    assert interval_of(restaurant, environment) == 0
    assert interval_of(restaurant, environment | {"PROVIDER_DINERS_RATE": "90"}) == 90
    assert interval_of(restaurant, outside | {"PROVIDER_DINERS_RATE": "90"}) == 0


class TestInTokyo:
    @pytest.fixture
    def environment(self, environment: dict[str, str]) -> dict[str, str]:
        return environment | {"PROVIDER_TIMEZONE": "Asia/Tokyo"}

    async def test_the_day_of_orders_is_that_of_the_restaurant(
        self, restaurant: Restaurant, provider_url: Secret, tables: list[int]
    ) -> None:
        early_on_the_next_day = MORNING.replace(hour=16)  # 01:00 in Tokyo
        await add_demo_orders(provider_url, restaurant.settings, early_on_the_next_day)

        first = await restaurant.db.fetchval("SELECT min(starts_at) FROM dining_booking")
        assert first == MORNING.replace(hour=3) + timedelta(days=1)
