"""Trends: formula, period, buckets, and agreement with the price changes of the offers."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any, get_args
from urllib.parse import quote

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboard.catalog.inputs import Interval
from dashboard.catalog.models import TrendPoint
from dashboard.catalog.offers_client import ReceivedOffer
from dashboard.catalog.queries import refresh
from dashboard.catalog.queries.refresh import ReceivedOffers
from dashboard.catalog.service import change_percent, group_by_interval
from tests.support.fake_offers import Catalogue

MONDAY = datetime(2026, 1, 5, 8, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


async def product_with_offers(catalogue: Catalogue, *moments: tuple[datetime, dict[str, tuple[int, int]]]) -> str:
    """Create a product whose offers, by id (price, stock), were received at these moments; returns its path."""
    product_id = uuid.UUID((await catalogue.create_many(1))[0])
    for at, offers in moments:
        received = [ReceivedOffer(offer_id, price, stock) for offer_id, (price, stock) in offers.items()]
        async with catalogue.db.acquire() as connection:
            await refresh.upsert_offers(connection, [ReceivedOffers(product_id, received)], at)
    return f"/products/{product_id}"


async def prices(catalogue: Catalogue, path: str, query: str = "") -> list[tuple[int, int]]:
    """The trend's points as (minutes after `MONDAY`, price)."""
    trend = await catalogue.get(f"{path}/trend{query}")
    return [
        (round((datetime.fromisoformat(point["at"]) - MONDAY) / MINUTE), point["price"]) for point in trend["prices"]
    ]


def at(minutes: float) -> str:
    return quote((MONDAY + minutes * MINUTE).isoformat())


@pytest.mark.parametrize(
    ("series", "percent"),
    [
        ([100, 130], 30.0),
        ([100, 70], -30.0),
        ([100, 200, 50, 100], 0.0),
        ([100], 0.0),
        ([], None),
        ([0, 100], None),
        ([100, 0], -100.0),
        ([3, 4], 100 / 3),
        ([2**63 - 1, 1], -100.0),
    ],
)
async def test_change_percent_is_last_minus_first_in_percent_of_first(
    catalogue: Catalogue, series: list[int], percent: float | None
) -> None:
    path = await product_with_offers(
        catalogue, *((MONDAY + n * MINUTE, {"a": (price, 1)}) for n, price in enumerate(series))
    )

    for each in (path, f"{path}/offers/a") if series else (path,):
        trend = await catalogue.get(f"{each}/trend")
        assert [point["price"] for point in trend["prices"]] == series
        assert trend["first"] == (series[0] if series else None)
        assert trend["last"] == (series[-1] if series else None)
        assert trend["change_percent"] == (percent if percent is None else pytest.approx(percent))
        assert list(trend)[-6:] == ["from", "to", "prices", "first", "last", "change_percent"]


async def test_the_price_of_a_product_is_that_of_its_cheapest_offer_in_stock(catalogue: Catalogue) -> None:
    path = await product_with_offers(
        catalogue,
        (MONDAY, {"a": (100, 5), "b": (120, 5)}),
        (MONDAY + MINUTE, {"a": (100, 0), "b": (120, 5)}),  # sold out
        (MONDAY + 2 * MINUTE, {"a": (100, 2), "b": (120, 5)}),
        (MONDAY + 3 * MINUTE, {"b": (120, 5)}),  # closed
        (MONDAY + 4 * MINUTE, {"b": (120, 0)}),  # nothing in stock
        (MONDAY + 5 * MINUTE, {"b": (120, 0), "c": (90, 1)}),
        (MONDAY + 6 * MINUTE, {"b": (150, 7), "c": (90, 1)}),  # the cheapest is the same
    )

    assert await prices(catalogue, path) == [(0, 100), (1, 120), (2, 100), (3, 120), (5, 90)]
    assert await prices(catalogue, f"{path}/offers/a") == [(0, 100), (2, 100)]
    assert await prices(catalogue, f"{path}/offers/b") == [(0, 120), (6, 150)]
    trend = await catalogue.get(f"{path}/trend?to={at(4.5)}")
    assert (trend["first"], trend["last"]) == (100, 120)


async def test_a_period_begins_with_the_price_valid_at_its_start(catalogue: Catalogue) -> None:
    moments = [(MONDAY + 10 * n * MINUTE, {"a": (price, 1)}) for n, price in enumerate([100, 110, 120, 130])]
    moments.append((MONDAY + 40 * MINUTE, {}))
    path = await product_with_offers(catalogue, *moments)

    for each in (path, f"{path}/offers/a"):
        assert await prices(catalogue, each, f"?from={at(15)}&to={at(25)}") == [(15, 110), (20, 120)]
        assert await prices(catalogue, each, f"?from={at(10)}&to={at(20)}") == [(10, 110), (20, 120)]
        assert await prices(catalogue, each, f"?from={at(11)}&to={at(12)}") == [(11, 110)]
        assert await prices(catalogue, each, f"?from={at(11)}&to={at(11)}") == [(11, 110)]
        assert await prices(catalogue, each, f"?from={at(-5)}&to={at(5)}") == [(0, 100)]
        assert await prices(catalogue, each, f"?to={at(-1)}") == []
        assert await prices(catalogue, each, f"?from={at(45)}") == []  # it was closed before that
        assert await prices(catalogue, each, f"?from={at(35)}") == [(35, 130)]
    trend = await catalogue.get(f"{path}/trend?from={at(15)}&to={at(25)}")
    assert (trend["from"], trend["to"]) == ("2026-01-05T08:15:00Z", "2026-01-05T08:25:00Z")
    assert trend["change_percent"] == pytest.approx(10 / 110 * 100)
    empty = await catalogue.get(f"{path}/trend?to={at(-1)}")
    assert (empty["first"], empty["last"], empty["change_percent"]) == (None, None, None)


@pytest.mark.parametrize(
    "query",
    [
        f"from={at(1)}&to={at(0)}",
        "from=2026-01-01",
        "from=2026-01-01T00:00:00",
        "to=yesterday",
        "interval=minute",
        "interval=",
        "step=1",
    ],
)
async def test_an_invalid_period_is_rejected(catalogue: Catalogue, query: str) -> None:
    path = await product_with_offers(catalogue, (MONDAY, {"a": (100, 1)}))

    await catalogue.get(f"{path}/trend?{query}", 400)
    await catalogue.get(f"{path}/offers/a/trend?{query}", 400)


async def test_an_offset_may_contain_an_unescaped_plus(catalogue: Catalogue) -> None:
    path = await product_with_offers(catalogue, (MONDAY, {"a": (100, 1)}))

    trend = await catalogue.get(f"{path}/trend?from=2026-01-05T10:00:00+02:00")

    assert trend["prices"] == [{"at": "2026-01-05T08:00:00Z", "price": 100}]


async def test_an_interval_groups_points_into_buckets(catalogue: Catalogue) -> None:
    path = await product_with_offers(
        catalogue,
        (MONDAY, {"a": (100, 1)}),
        (MONDAY + 20 * MINUTE, {"a": (130, 1)}),
        (MONDAY + 40 * MINUTE, {"a": (110, 1)}),
        (MONDAY + timedelta(hours=30), {"a": (90, 1)}),
        (MONDAY + timedelta(days=7, hours=-9), {"a": (95, 1)}),
        (MONDAY + timedelta(days=7), {"a": (80, 1)}),
    )

    async def buckets(interval: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await catalogue.get(f"{path}/trend?interval={interval}"))["prices"]
        return found

    first = {"min": 100, "max": 130, "mean": pytest.approx(340 / 3), "last": 110}
    assert (await buckets("hour"))[0] == {"at": "2026-01-05T08:00:00Z", **first}
    assert len(await buckets("hour")) == 4
    assert (await buckets("day"))[:2] == [
        {"at": "2026-01-05T00:00:00Z", **first},
        {"at": "2026-01-06T00:00:00Z", "min": 90, "max": 90, "mean": 90, "last": 90},
    ]
    assert await buckets("week") == [
        {"at": "2026-01-05T00:00:00Z", "min": 90, "max": 130, "mean": 105, "last": 95},
        {"at": "2026-01-12T00:00:00Z", "min": 80, "max": 80, "mean": 80, "last": 80},
    ]
    trend = await catalogue.get(f"{path}/trend?interval=week")
    assert (trend["first"], trend["last"], trend["change_percent"]) == (100, 80, -20)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**9)), min_size=1, max_size=50))
def test_every_point_is_in_a_bucket(points: list[tuple[int, int]]) -> None:
    series = [TrendPoint(MONDAY + minutes * MINUTE, price) for minutes, price in sorted(points)]
    for interval in get_args(Interval):
        found = group_by_interval(series, interval)
        assert min(each.min for each in found) == min(point.price for point in series)
        assert max(each.max for each in found) == max(point.price for point in series)
        assert found[-1].last == series[-1].price
        assert [each.at for each in found] == sorted({each.at for each in found})
        assert all(each.min <= each.mean <= each.max for each in found)


@given(st.integers(1, 2**63 - 1), st.integers(0, 2**63 - 1))
def test_the_sign_of_the_change_is_its_direction(first: int, last: int) -> None:
    change = change_percent(first, last)

    assert change is not None
    assert (change > 0) == (last > first)
    assert (change == 0) == (last == first)


states = st.dictionaries(st.sampled_from("abcd"), st.tuples(st.integers(1, 5), st.integers(0, 2)))


def lowest_price(changes: list[asyncpg.Record], moment: datetime) -> int | None:
    """The lowest price in stock at a moment, computed from the price changes of all offers."""
    now: dict[str, asyncpg.Record] = {}
    for row in changes:
        if row["at"] <= moment:
            now[row["offer_id"]] = row
    return min((row["price"] for row in now.values() if row["items_in_stock"] > 0), default=None)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(series=st.lists(states, min_size=1, max_size=12))
async def test_the_trend_of_a_product_agrees_with_the_price_changes_of_its_offers(
    catalogue: Catalogue, series: list[dict[str, tuple[int, int]]]
) -> None:
    moments = [(MONDAY + n * MINUTE, offers) for n, offers in enumerate(series)]
    path = await product_with_offers(catalogue, *moments)
    product_id = uuid.UUID(path.rpartition("/")[2])
    changes = await catalogue.db.fetch(
        "SELECT offer_id, at, price, items_in_stock FROM offer_price_change WHERE product_id = $1 ORDER BY at",
        product_id,
    )

    expected: list[tuple[int, int]] = []
    before: int | None = None
    for minutes, (moment, offers) in enumerate(moments):
        price = lowest_price(changes, moment)
        assert price == min((price for price, stock in offers.values() if stock), default=None)
        if price is not None and price != before:
            expected.append((minutes, price))
        before = price

    assert await prices(catalogue, path) == expected
