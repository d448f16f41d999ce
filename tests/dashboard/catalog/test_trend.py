"""Trends: formula, period, buckets, and agreement with the price changes of the offers."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, get_args
from urllib.parse import quote

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.limits import MAX_PRICE
from dashboard.catalog.models import Interval
from dashboard.catalog.offers_client import ReceivedOffer
from dashboard.catalog.queries import refresh
from dashboard.catalog.queries.refresh import ReceivedOffers
from dashboard.catalog.queries.trends import INTERVAL_SECONDS
from dashboard.catalog.service import change_percent
from tests.support.fake_offers import WITHOUT_GAPS, Catalogue

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NOW = datetime.now(UTC)
MONDAY = NOW.replace(hour=8, minute=0, second=0, microsecond=0) - timedelta(days=NOW.weekday() + 28)
"""A Monday four weeks ago: long enough that none of the tests reaches the present, which the last bucket ends at."""
MIDNIGHT = MONDAY - 8 * HOUR


def parse(instant: str) -> datetime:
    return datetime.fromisoformat(instant)


async def product_with_offers(catalogue: Catalogue, *moments: tuple[datetime, dict[str, tuple[int, int]]]) -> str:
    """Create a product whose offers, by id (price, stock), were received at these moments; returns its path."""
    product_id = uuid.UUID((await catalogue.create_many(1))[0])
    for at, offers in moments:
        received = [ReceivedOffer(offer_id, price, stock) for offer_id, (price, stock) in offers.items()]
        async with catalogue.db.acquire() as connection:
            await refresh.upsert_offers(connection, [ReceivedOffers(product_id, received)], at, WITHOUT_GAPS)
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
        ([MAX_PRICE, 1], -100.0),
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


async def test_the_trend_of_an_offer_has_no_prices_of_others(catalogue: Catalogue) -> None:
    """Another offer of the product, and one of another product by the same id, changed before and after it."""
    path = await product_with_offers(
        catalogue,
        (MONDAY, {"a": (100, 1), "b": (10, 1)}),
        (MONDAY + HOUR, {"a": (100, 1), "b": (20, 1)}),
        (MONDAY + 2 * HOUR, {"a": (110, 1), "b": (20, 1)}),
        (MONDAY + 3 * HOUR, {"a": (110, 1), "b": (30, 1)}),
    )
    await product_with_offers(
        catalogue,
        (MONDAY - HOUR, {"a": (1, 1)}),
        (MONDAY + 90 * MINUTE, {"a": (2, 1)}),
        (MONDAY + 4 * HOUR, {"a": (3, 1)}),
    )

    trend = await catalogue.get(f"{path}/offers/a/trend?from={(MONDAY - 2 * HOUR).strftime('%Y-%m-%dT%H:%M:%SZ')}")

    assert [point["price"] for point in trend["prices"]] == [100, 110]
    assert (trend["first"], trend["last"], trend["change_percent"]) == (100, 110, 10)
    assert await prices(catalogue, f"{path}/offers/a", f"?from={at(90)}") == [(90, 100), (120, 110)]


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
    assert [parse(trend[name]) for name in ("from", "to")] == [MONDAY + 15 * MINUTE, MONDAY + 25 * MINUTE]
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
        "limit=0",
        "limit=10001",
        "cursor=x",
        "step=1",
    ],
)
async def test_an_invalid_period_is_rejected(catalogue: Catalogue, query: str) -> None:
    path = await product_with_offers(catalogue, (MONDAY, {"a": (100, 1)}))

    await catalogue.get(f"{path}/trend?{query}", 400)
    await catalogue.get(f"{path}/offers/a/trend?{query}", 400)


async def test_an_offset_may_contain_an_unescaped_plus(catalogue: Catalogue) -> None:
    path = await product_with_offers(catalogue, (MONDAY, {"a": (100, 1)}))

    trend = await catalogue.get(f"{path}/trend?from={MONDAY + 2 * HOUR:%Y-%m-%dT%H:%M:%S}+02:00")

    assert [(parse(point["at"]), point["price"]) for point in trend["prices"]] == [(MONDAY, 100)]


async def test_a_period_that_begins_in_the_future_is_rejected(catalogue: Catalogue) -> None:
    path = await product_with_offers(catalogue, (MONDAY, {"a": (100, 1)}))

    for each in (path, f"{path}/offers/a"):
        for query in ("from=2999-01-01T00:00:00Z", f"from={quote((datetime.now(UTC) + HOUR).isoformat())}"):
            problem = await catalogue.get(f"{each}/trend?{query}", 400)
            assert problem["errors"] == [{"field": "from", "message": "is in the future"}]
        assert await prices(catalogue, each, "?to=2999-01-01T00:00:00Z") == [(0, 100)]


async def test_a_period_has_at_most_400_days_and_400_by_default(catalogue: Catalogue) -> None:
    old = NOW - 500 * DAY
    path = await product_with_offers(
        catalogue, (old, {"a": (100, 1)}), (old + DAY, {"a": (90, 1)}), (MONDAY, {"a": (80, 1)})
    )

    for each in (path, f"{path}/offers/a"):
        points = (await catalogue.get(f"{each}/trend"))["prices"]
        assert [point["price"] for point in points] == [90, 80]
        assert abs(parse(points[0]["at"]) - (datetime.now(UTC) - 400 * DAY)) < HOUR
        past = f"?from={quote(old.isoformat())}&to={quote((old + 400 * DAY).isoformat())}"
        assert [point["price"] for point in (await catalogue.get(f"{each}/trend{past}"))["prices"]] == [100, 90]
        longer = f"?from={quote(old.isoformat())}&to={quote((old + 401 * DAY).isoformat())}"
        for query in (f"?from={quote(old.isoformat())}", longer):
            problem = await catalogue.get(f"{each}/trend{query}", 400)
            assert problem["errors"] == [{"field": "from", "message": "must be at most 400 days before `to`"}]


@pytest.mark.parametrize("query", ["to=0001-01-02T00:00:00Z", "from=0001-01-02T00:00:00Z&to=0001-01-03T00:00:00Z"])
async def test_a_period_long_before_the_first_price_has_no_prices(catalogue: Catalogue, query: str) -> None:
    path = await product_with_offers(catalogue, (MONDAY, {"a": (100, 1)}))

    for interval in ("", "&interval=week"):
        assert (await catalogue.get(f"{path}/trend?{query}{interval}"))["prices"] == []


async def test_pages_list_every_point_and_every_bucket_once(catalogue: Catalogue) -> None:
    moments = [(MONDAY + n * HOUR, {"a": (100 + n % 3, 1)} if n % 5 else {}) for n in range(1, 24)]
    path = await product_with_offers(catalogue, *moments)
    client = catalogue.app.test_client()

    for each in (path, f"{path}/offers/a"):
        for interval in ("", "&interval=hour"):
            period = f"from={at(80)}&to={at(25 * 60)}{interval}"
            whole = await catalogue.get(f"{each}/trend?{period}")
            found: list[Any] = []
            page: str | None = f"{each}/trend?{period}&limit=4"
            pages = 0
            while page:
                response = await client.get(page)
                body = await response.get_json()
                assert [body[name] for name in ("first", "last")] == [whole[name] for name in ("first", "last")]
                found += body["prices"]
                pages += 1
                page = (
                    response.headers.get("Link", "")
                    .partition(">")[0]
                    .removeprefix("<")
                    .removeprefix("http://localhost")
                )
            assert found == whole["prices"]
            assert pages == -(-len(found) // 4) > 3


def bucket(start: datetime, low: int, high: int, mean: float, last: int) -> dict[str, Any]:
    return {"at": start, "min": low, "max": high, "mean": pytest.approx(mean), "last": last}


async def buckets(catalogue: Catalogue, path: str, query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await catalogue.get(f"{path}/trend?{query}"))["prices"]
    return [each | {"at": parse(each["at"])} for each in found]


async def test_the_price_carried_into_a_bucket_belongs_to_it_and_means_are_weighted_by_time(
    catalogue: Catalogue,
) -> None:
    path = await product_with_offers(
        catalogue,
        (MIDNIGHT + 6 * HOUR, {"a": (100, 1)}),
        (MIDNIGHT + 2 * DAY + 18 * HOUR, {"a": (60, 1)}),
        (MIDNIGHT + 7 * DAY, {"a": (80, 1)}),
    )

    for each in (path, f"{path}/offers/a"):
        assert await buckets(catalogue, each, f"to={at(2 * 24 * 60)}&interval=day") == [
            bucket(MIDNIGHT, 100, 100, 100, 100),
            bucket(MIDNIGHT + DAY, 100, 100, 100, 100),
            bucket(MIDNIGHT + 2 * DAY, 60, 100, 90, 60),
        ]
        assert await buckets(catalogue, each, f"to={at(7 * 24 * 60)}&interval=week") == [
            bucket(MIDNIGHT, 60, 100, (60 * 100 + 102 * 60) / 162, 60),
            bucket(MIDNIGHT + 7 * DAY, 80, 80, 80, 80),
        ]
        hours = await buckets(catalogue, each, f"from={at(-1)}&to={at(59)}&interval=hour")
        assert hours == [bucket(MIDNIGHT + n * HOUR, 100, 100, 100, 100) for n in (7, 8)]


async def test_a_bucket_without_a_price_in_stock_is_left_out(catalogue: Catalogue) -> None:
    path = await product_with_offers(
        catalogue,
        (MIDNIGHT + 6 * HOUR, {"a": (100, 1)}),
        (MIDNIGHT + 12 * HOUR, {"a": (100, 0)}),
        (MIDNIGHT + 2 * DAY + 6 * HOUR, {"a": (200, 1)}),
        (MIDNIGHT + 2 * DAY + 9 * HOUR, {}),
        (MIDNIGHT + 2 * DAY + 23 * HOUR, {"a": (400, 1)}),
    )

    for each in (path, f"{path}/offers/a"):
        assert await buckets(catalogue, each, f"to={at(2 * 24 * 60)}&interval=day") == [
            bucket(MIDNIGHT, 100, 100, 100, 100),
            bucket(MIDNIGHT + 2 * DAY, 200, 400, (3 * 200 + 400) / 4, 400),
        ]


async def test_the_bucket_that_is_not_over_ends_now(catalogue: Catalogue) -> None:
    path = await product_with_offers(catalogue, (MONDAY, {"a": (100, 1)}))

    for each in (path, f"{path}/offers/a"):
        found = await buckets(catalogue, each, "interval=day")
        assert [point["at"] for point in found] == [MIDNIGHT + n * DAY for n in range(len(found))]
        assert found[-1]["at"] <= datetime.now(UTC) < found[-1]["at"] + 2 * DAY
        assert await buckets(catalogue, each, "to=2999-01-01T00:00:00Z&interval=day") == found


def expected_buckets(series: list[tuple[datetime, int | None]], interval: Interval) -> Iterator[dict[str, Any]]:
    """The buckets of a series of prices, reckoned minute by minute; the last price is valid in its whole bucket."""
    step = timedelta(seconds=INTERVAL_SECONDS[interval])
    start = MIDNIGHT
    while start <= series[-1][0]:
        held = []
        for minute in range(step // MINUTE):
            moment = start + minute * MINUTE
            valid = [price for since, price in series if since <= moment]
            if valid and valid[-1] is not None:
                held.append(valid[-1])
        if held:
            yield bucket(start, min(held), max(held), sum(held) / len(held), held[-1])
        start += step


@settings(max_examples=15)
@given(
    changes=st.dictionaries(
        st.integers(0, 4 * 24 * 60), st.one_of(st.none(), st.integers(0, 5), st.just(MAX_PRICE)), min_size=1, max_size=8
    ),
    interval=st.sampled_from(get_args(Interval)),
    ends=st.tuples(st.integers(-600, 4 * 24 * 60), st.integers(0, 3 * 24 * 60)),
)
async def test_the_buckets_of_any_period_are_those_of_the_whole_series_that_it_touches(
    catalogue: Catalogue, changes: dict[int, int | None], interval: Interval, ends: tuple[int, int]
) -> None:
    series = [(MIDNIGHT + minute * MINUTE, price) for minute, price in sorted(changes.items())]
    path = await product_with_offers(
        catalogue, *((moment, {} if price is None else {"a": (price, 1)}) for moment, price in series)
    )
    step = timedelta(seconds=INTERVAL_SECONDS[interval])
    start = MIDNIGHT + ends[0] * MINUTE
    end = min(start + ends[1] * MINUTE, series[-1][0])
    if end < start:
        return
    whole = [each for each in expected_buckets(series, interval) if each["at"] <= end and each["at"] + step > start]

    period = f"from={quote(start.isoformat())}&to={quote(end.isoformat())}&interval={interval}"
    for each in (path, f"{path}/offers/a") if any(price is not None for _, price in series) else (path,):
        assert await buckets(catalogue, each, period) == whole


@given(st.integers(1, MAX_PRICE), st.integers(0, MAX_PRICE))
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
