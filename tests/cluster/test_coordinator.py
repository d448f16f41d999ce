"""What stays on the coordinator of a Citus cluster works there, over HTTP: stores, prices, marks and the restaurant."""

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

import provider.config
from common.config import read_config
from common.jobs.cleanup import forget_old
from common.jobs.scheduler import run_now
from common.web.resources import Application
from dashboard.catalog.queries.alerts import select_prices_below_mark
from dashboard.resources import resources_of
from dashboard.schedule import jobs, retentions
from dashboard.uptime.queries.alerts import select_silent_collector, select_stores_down
from provider.schedule import retentions as provider_retentions
from tests.dashboard.catalog.test_price_history import product_with
from tests.dashboard.uptime.conftest import HOURS, STATUS, ZONES, Stores
from tests.support.fake_offers import BASE, Catalogue
from tests.support.restaurant import EVENING, Restaurant, evening_at

MINUTE = timedelta(minutes=1)
DAY_OF_STORES = "from=2023-01-23T00:00:00Z&to=2023-01-24T00:00:00Z"
DELETION = "/stores/1/polls?from=2023-01-23T17:15:00Z&to=2023-01-23T17:16:00Z"


@pytest.fixture
async def stores(dashboard_app: Application) -> Stores:
    return Stores(dashboard_app)


async def test_stores_are_imported_corrected_and_reported(stores: Stores) -> None:
    # 1. Three files: hours with a first day, a time zone with a group, polls.
    hours = HOURS.strip() + ",valid_from\n1,0,09:00:00,12:00:00,\n1,0,09:00:00,10:00:00,2023-01-30\n"
    assert (await stores.put("business-hours", hours)).status_code == 200
    assert (await stores.put("timezones", ZONES.strip() + ",group\n1,America/Chicago,north\n")).status_code == 200
    polls = [(1, "active", "16:14"), (1, "inactive", "17:15"), (2, "active", "18:00")]
    lines = "".join(f"{number},{status},2023-01-23 {clock}:00 UTC\n" for number, status, clock in polls)
    assert (await stores.put("status", STATUS + lines)).status_code == 200
    assert (await stores.get("/stores/1"))["group"] == "north"

    # 2. Figures of the store and of the fleet.
    async def seconds() -> tuple[float, float]:
        found = await stores.get(f"/stores/1/timeline?{DAY_OF_STORES}")
        return found["uptime_seconds"], found["downtime_seconds"]

    assert await seconds() == (8100.0, 2700.0)
    (day,) = await stores.get("/stores/1/days?days=1&to=2023-01-23")
    assert (day["down_seconds"], day["incidents"]) == (2700.0, 1)
    assert (await stores.get("/stores/sla?month=2023-01"))["breaches"] == 1
    assert [each["store_id"] for each in await stores.get("/stores/sla/breaches?month=2023-01")] == ["1"]
    assert (await stores.get("/stores/states"))["stale"] >= 0

    # 3. Corrections, each of which is listed.
    closures = [{"from": "2023-01-23T17:30:00Z", "to": "2023-01-23T20:00:00Z", "reason": "Maintenance"}]
    assert (await stores.client.put("/stores/1/closures", json=closures)).status_code == 200
    assert await seconds() == (8100.0, 900.0)
    assert await (await stores.client.delete(DELETION)).get_json() == {"deleted": 1}
    assert await seconds() == (9000.0, 0.0)
    assert await (await stores.client.delete(DELETION)).get_json() == {"deleted": 0}
    assert (await (await stores.put("status", STATUS + lines)).get_json())["new"] == 1
    kinds = [each["kind"] for each in await stores.get("/stores/imports")]
    assert kinds[:3] == ["status", "deleted-polls", "closures"]

    # 4. A report of the group.
    answer = await stores.complete(await stores.trigger("?as_of=2023-01-23T18:00:00Z&group=north"))
    rows = (await answer.get_data(as_text=True)).strip().split("\n")
    assert rows[1:] == ["1,15.00,2.25,2.25,15.00,0.25,0.25"]


async def test_days_are_made_and_what_is_old_is_deleted(stores: Stores, dashboard_db: asyncpg.Pool) -> None:
    await stores.load_monday()
    now = datetime.now(UTC)
    recent = "".join(
        f"{number},{'active' if number == 1 else 'inactive'},{now - age * MINUTE:%Y-%m-%d %H:%M:%S} UTC\n"
        for number in (1, 2)
        for age in (3000, 2000, 20, 10)
    )
    assert (await stores.put("status", STATUS + recent)).status_code == 200
    resources = resources_of(stores.app)
    made = {job.name: job for job in jobs(resources)}
    await run_now(dashboard_db, made["make_store_days"])
    assert await dashboard_db.fetchval("SELECT count(*) FROM store_recent_day") > 0
    assert [found.subject for found in await select_stores_down(dashboard_db, now, [], 2)] == ["2"]
    assert await select_silent_collector(dashboard_db, now, [], timedelta(0)) == []

    config = resources.config
    kept = {**retentions(config), "polls": retentions(read_config(type(config), {}))["polls"]}
    result = await run_now(dashboard_db, forget_old(dashboard_db, kept))
    assert result is not None
    assert result["polls"] == 1
    assert (await stores.get("/stores/1/days?days=1&to=2023-01-23"))[0]["down_seconds"] == 2700.0


@pytest.fixture
def catalogue(dashboard_app: Application, environment: dict[str, str]) -> Catalogue:
    return Catalogue(dashboard_app, environment | {"DASHBOARD_OFFERS_URL": BASE})


async def test_prices_have_a_history_and_marks(catalogue: Catalogue) -> None:
    now = datetime.now(UTC)
    prices = ((40, 900), (30, 1200), (20, None), (10, 800), (0, 700))
    path = await product_with(catalogue, *((now - age * MINUTE, price) for age, price in prices), until=now)

    found = await catalogue.get(f"{path}/price-history")
    assert [step["price"] for step in found["steps"]] == [900, 1200, None, 800, 700]
    assert (found["lowest"]["price"], found["highest"]["price"]) == (700, 1200)
    for interval in ("hour", "day", "week"):
        buckets = (await catalogue.get(f"{path}/price-history?interval={interval}"))["steps"]
        assert max(each["max"] for each in buckets if each["max"] is not None) == 1200
    client = catalogue.app.test_client()
    for mark in ({"below": 750}, {"below": 750, "back_in_stock": True}):
        assert (await client.put(f"{path}/mark", json=mark)).status_code == 200
    assert (await catalogue.get("/products"))[0]["mark"]["below"] == 750
    (firing,) = await select_prices_below_mark(catalogue.db, now + 30 * MINUTE, [])
    assert path == f"/products/{firing.subject}"
    assert [(await client.delete(f"{path}/mark")).status_code for _ in range(2)] == [204, 404]


@pytest.fixture
async def restaurant(provider_app: Application, provider_db: asyncpg.Pool) -> Restaurant:
    return Restaurant(provider_app, provider_db)


async def test_a_restaurant_has_opening_hours_and_ends_tokens(restaurant: Restaurant) -> None:
    table_id = await restaurant.add_table()
    body = [{"day": EVENING.weekday(), "opens": "19:00", "closes": "21:00"}]
    for _ in range(2):
        assert (await restaurant.admin("PUT", "opening_hours", json=body)).status_code == 200
    order = {"email": "ann@example.com", "minutes": 60}
    for clock, status in (("22:00", 400), ("19:00", 201), ("19:30", 201), ("21:30", 400)):
        answer = await restaurant.post_order(table_id, **order, starts_at=evening_at(clock))
        assert answer.status_code == status, clock

    tokens = await restaurant.log_in()
    refresh = {"json": {"refresh": tokens["refresh"]}}
    assert (await restaurant.client.post("/api/token/refresh/", **refresh)).status_code == 200
    for _ in range(2):
        assert (await restaurant.client.post("/api/token/revoke/", **refresh)).status_code == 204
    assert (await restaurant.client.post("/api/token/refresh/", **refresh)).status_code == 401
    config = read_config(provider.config.Config, {})
    result = await run_now(restaurant.db, forget_old(restaurant.db, provider_retentions(config)))
    assert result is not None
    assert result["revoked_tokens"] == 0
