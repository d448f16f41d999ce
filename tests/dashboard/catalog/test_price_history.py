"""The price history of a product: its steps, buckets and figures, times without stock, and gaps."""

import uuid
from datetime import UTC, datetime, timedelta
from io import BytesIO
from itertools import pairwise
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook

from common.web.pagination import encode_cursor
from dashboard.catalog.offers_client import ReceivedOffer
from dashboard.catalog.queries import refresh
from dashboard.catalog.queries.refresh import PriceRules, ReceivedOffers
from tests.support.fake_offers import RULES, WITHOUT_GAPS, Catalogue, FakeOffers, offer
from tests.support.pages import next_address

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NOW = datetime.now(UTC)
MONDAY = NOW.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=NOW.weekday() + 28)

Moment = tuple[datetime, int | None]


def at(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


async def product_with(
    catalogue: Catalogue, *moments: Moment, rules: PriceRules = WITHOUT_GAPS, until: datetime | None = NOW
) -> str:
    """The path of a product whose best price was received at these moments; the last refresh was at `until`."""
    product_id = uuid.UUID((await catalogue.create_many(1))[0])
    for moment, price in moments:
        offers = [] if price is None else [ReceivedOffer("a", price, 5)]
        async with catalogue.db.acquire() as connection:
            await refresh.upsert_offers(connection, [ReceivedOffers(product_id, offers)], moment, rules)
    if until is not None:
        await catalogue.db.execute("UPDATE product_refresh SET last_success = $1", until)
    return f"/products/{product_id}"


async def history(catalogue: Catalogue, path: str, start: datetime, end: datetime, query: str = "") -> Any:
    return await catalogue.get(f"{path}/price-history?from={quote(at(start))}&to={quote(at(end))}{query}")


async def test_steps_tell_prices_and_times_without_stock(catalogue: Catalogue) -> None:
    path = await product_with(
        catalogue, (MONDAY, 800), (MONDAY + 6 * HOUR, None), (MONDAY + 12 * HOUR, 1000), (MONDAY + 18 * HOUR, 900)
    )

    found = await history(catalogue, path, MONDAY + HOUR, MONDAY + DAY)

    assert found == {
        "product_id": path.removeprefix("/products/"),
        "from": at(MONDAY + HOUR),
        "to": at(MONDAY + DAY),
        "known_since": at(MONDAY),
        "steps": [
            {"at": at(MONDAY + HOUR), "price": 800},
            {"at": at(MONDAY + 6 * HOUR), "price": None},
            {"at": at(MONDAY + 12 * HOUR), "price": 1000},
            {"at": at(MONDAY + 18 * HOUR), "price": 900},
        ],
        "lowest": {"price": 800, "at": at(MONDAY + HOUR)},
        "highest": {"price": 1000, "at": at(MONDAY + 12 * HOUR)},
        "mean": pytest.approx((5 * 800 + 6 * 1000 + 6 * 900) / 17),
        "in_stock_share": pytest.approx(17 / 23),
        "gaps": [],
    }


async def test_the_lowest_price_has_the_first_time_at_which_it_was_valid(catalogue: Catalogue) -> None:
    path = await product_with(
        catalogue, *[(MONDAY + hour * HOUR, price) for hour, price in enumerate([300, 100, 300, 100, 200])]
    )

    found = await history(catalogue, path, MONDAY, MONDAY + DAY)

    assert found["lowest"] == {"price": 100, "at": at(MONDAY + HOUR)}
    assert found["highest"] == {"price": 300, "at": at(MONDAY)}


async def test_a_product_without_a_refresh_has_no_history(catalogue: Catalogue) -> None:
    product = await catalogue.create()

    for interval in ("", "?interval=day"):
        found = await catalogue.get(f"/products/{product['id']}/price-history{interval}")
        assert (found["steps"], found["gaps"]) == ([], [])
        for figure in ("known_since", "lowest", "highest", "mean", "in_stock_share"):
            assert found[figure] is None


async def test_a_product_that_never_was_in_stock_is_known_since_its_first_refresh(
    catalogue: Catalogue, fake: FakeOffers
) -> None:
    product = await catalogue.create()
    await catalogue.refresh()
    await catalogue.refresh()

    found = await catalogue.get(f"/products/{product['id']}/price-history")

    assert [step["price"] for step in found["steps"]] == [None]
    assert found["known_since"] == found["steps"][0]["at"]
    assert (found["lowest"], found["mean"]) == (None, None)
    fake.default_offers = [offer("a", 100)]
    await catalogue.refresh()
    found = await catalogue.get(f"/products/{product['id']}/price-history")
    assert [step["price"] for step in found["steps"]] == [None, 100]
    assert 0 <= found["in_stock_share"] < 1


async def test_the_history_at_one_moment_is_the_price_valid_then(catalogue: Catalogue) -> None:
    path = await product_with(catalogue, (MONDAY, 800), (MONDAY + DAY, 900))

    found = await history(catalogue, path, MONDAY + HOUR, MONDAY + HOUR)

    assert found["steps"] == [{"at": at(MONDAY + HOUR), "price": 800}]
    assert (found["lowest"]["price"], found["mean"], found["in_stock_share"]) == (800, 800, 1)


async def test_a_day_has_one_lowest_price_whatever_the_period(catalogue: Catalogue) -> None:
    path = await product_with(
        catalogue, (MONDAY - HOUR, 500), (MONDAY + 12 * HOUR, 900), (MONDAY + DAY, None), (MONDAY + 2 * DAY, 700)
    )

    for start in (MONDAY, MONDAY + 13 * HOUR, MONDAY + DAY - MINUTE):
        found = await history(catalogue, path, start, MONDAY + 2 * DAY, "&interval=day")
        assert found["steps"] == [
            {
                "at": at(MONDAY),
                "min": 500,
                "max": 900,
                "mean": pytest.approx(700),
                "last": 900,
                "in_stock_share": 1,
            },
            {"at": at(MONDAY + DAY), "min": None, "max": None, "mean": None, "last": None, "in_stock_share": 0},
            {
                "at": at(MONDAY + 2 * DAY),
                "min": 700,
                "max": 700,
                "mean": pytest.approx(700),
                "last": 700,
                "in_stock_share": 1,
            },
        ]


async def test_in_a_gap_no_price_is_known_and_no_figure_counts_it(catalogue: Catalogue) -> None:
    path = await product_with(
        catalogue,
        (MONDAY, 100),
        (MONDAY + 4 * MINUTE, 100),  # a pause too short for a gap
        (MONDAY + 4 * MINUTE + 12 * HOUR, 300),
        (MONDAY + 8 * MINUTE + 12 * HOUR, None),
        rules=RULES,
        until=MONDAY + 12 * MINUTE + 12 * HOUR,
    )

    found = await history(catalogue, path, MONDAY, MONDAY + 2 * DAY)

    assert found["gaps"] == [
        {"from": at(MONDAY + 4 * MINUTE), "to": at(MONDAY + 4 * MINUTE + 12 * HOUR)},
        {"from": at(MONDAY + 12 * MINUTE + 12 * HOUR), "to": None},
    ]
    assert [step["price"] for step in found["steps"]] == [100, 300, None]
    assert found["mean"] == pytest.approx(200)
    assert found["in_stock_share"] == pytest.approx(2 / 3)
    assert found["highest"] == {"price": 300, "at": at(MONDAY + 4 * MINUTE + 12 * HOUR)}
    hours = (await history(catalogue, path, MONDAY, MONDAY + 13 * HOUR, "&interval=hour"))["steps"]
    assert len(hours) == 14
    assert [hour["at"] for hour in hours if hour["in_stock_share"] is not None] == [
        at(MONDAY),
        at(MONDAY + 12 * HOUR),
    ]
    within = await history(catalogue, path, MONDAY + HOUR, MONDAY + 2 * HOUR)
    assert (within["lowest"], within["mean"], within["in_stock_share"]) == (None, None, None)
    assert len(within["gaps"]) == 1


@pytest.mark.parametrize("is_over", [True, False])
async def test_the_price_of_the_last_answer_before_a_gap_counts_though_it_was_known_for_no_time(
    catalogue: Catalogue, is_over: bool
) -> None:
    moments = [(MONDAY, 500), (MONDAY + 2 * MINUTE, 100), (MONDAY + 14 * HOUR, 300)]
    path = await product_with(
        catalogue, *moments[: 3 if is_over else 2], rules=RULES, until=MONDAY + (14 * HOUR if is_over else 2 * MINUTE)
    )

    found = await history(catalogue, path, MONDAY, MONDAY + DAY)
    days = (await history(catalogue, path, MONDAY, MONDAY + DAY - MINUTE, "&interval=day"))["steps"]
    within = await history(catalogue, path, MONDAY + HOUR, MONDAY + 2 * HOUR)

    assert found["lowest"] == {"price": 100, "at": at(MONDAY + 2 * MINUTE)}
    assert found["mean"] == pytest.approx(500)
    assert (days[0]["min"], days[0]["max"], days[0]["mean"]) == (100, 500, pytest.approx(500))
    assert (within["lowest"], within["mean"]) == (None, None)


async def test_an_outage_of_the_service_becomes_a_gap(catalogue: Catalogue, fake: FakeOffers) -> None:
    product = await catalogue.create()
    fake.default_offers = [offer("a", 100)]
    await catalogue.refresh()
    await catalogue.db.execute("UPDATE product_refresh SET last_success = last_success - interval '10 minutes'")
    await catalogue.db.execute("UPDATE product_price_change SET at = at - interval '10 minutes'")
    path = f"/products/{product['id']}/price-history"

    [gap] = (await catalogue.get(path))["gaps"]
    assert gap["to"] is None
    await catalogue.refresh()

    [closed] = (await catalogue.get(path))["gaps"]
    refreshed = (await catalogue.get(f"/products/{product['id']}"))["freshness"]["last_success"]
    assert closed == {"from": gap["from"], "to": refreshed}


async def test_the_bucket_that_is_not_over_ends_now(catalogue: Catalogue) -> None:
    path = await product_with(catalogue, (NOW - DAY, 100), (NOW - 2 * MINUTE, 200))

    buckets = (await catalogue.get(f"{path}/price-history?interval=day"))["steps"]

    assert buckets[-1]["last"] == 200
    assert buckets[-1]["in_stock_share"] == 1
    assert len(buckets) == 2


@pytest.mark.parametrize("interval", ["", "&interval=hour", "&interval=day", "&interval=week"])
@pytest.mark.parametrize("limit", [1, 3, 10])
async def test_pages_have_every_step_and_every_bucket_once(catalogue: Catalogue, interval: str, limit: int) -> None:
    moments = [(MONDAY + 5 * number * HOUR, None if number % 4 == 3 else 100 + number) for number in range(9)]
    path = await product_with(catalogue, *moments)
    query = f"from={quote(at(MONDAY - DAY))}&to={quote(at(MONDAY + 3 * DAY))}{interval}"
    whole = (await catalogue.get(f"{path}/price-history?{query}"))["steps"]

    found: list[Any] = []
    link = f"{path}/price-history?{query}&limit={limit}"
    while link:
        answer = await catalogue.app.test_client().get(link)
        found += (await answer.get_json())["steps"]
        link = next_address(answer)

    assert found == whole
    assert len(whole) == {"": 9, "&interval=hour": 73, "&interval=day": 4, "&interval=week": 1}[interval]


async def test_the_history_is_a_table(catalogue: Catalogue) -> None:
    path = await product_with(catalogue, (MONDAY, 800), (MONDAY + HOUR, None))
    query = f"?from={quote(at(MONDAY))}&to={quote(at(MONDAY + DAY))}"
    client = catalogue.app.test_client()

    text = await (await client.get(f"{path}/price-history{query}&format=csv")).get_data(as_text=True)
    book = await (await client.get(f"{path}/price-history{query}&format=xlsx")).get_data(as_text=False)
    days = await (await client.get(f"{path}/price-history{query}&format=csv&interval=day")).get_data(as_text=True)

    assert text.splitlines() == ["at,price", f"{at(MONDAY)},800", f"{at(MONDAY + HOUR)},"]
    assert [row[1] for row in load_workbook(BytesIO(book)).active.values] == ["price", 800, None]
    assert days.splitlines()[0] == "at,min,max,mean,last,in_stock_share"


@pytest.mark.parametrize("path", ["price-history", "trend"])
@pytest.mark.parametrize("interval", ["hour", "week"])
async def test_the_ends_of_the_calendar_are_no_error(catalogue: Catalogue, path: str, interval: str) -> None:
    product = await product_with(catalogue, (MONDAY, 800))
    last = datetime.max.replace(tzinfo=UTC) - HOUR
    cursor = encode_cursor(last, path=f"{product}/{path}")

    for query, some in ((f"to={quote(at(last))}", True), ("to=0001-01-02T00:00:00Z", False)):
        found = await catalogue.get(f"{product}/{path}?interval={interval}&{query}")
        assert bool(found.get("steps", found.get("prices"))) == some
    problem = await catalogue.get(f"{product}/{path}?interval={interval}&cursor={cursor}", 400)
    assert [error["field"] for error in problem["errors"]] == ["cursor"]


@pytest.mark.parametrize("path", ["price-history", "trend"])
@pytest.mark.parametrize("ahead", [timedelta(0), HOUR, 400 * DAY])
async def test_a_cursor_after_the_period_is_refused(catalogue: Catalogue, path: str, ahead: timedelta) -> None:
    product = await product_with(catalogue, (MONDAY, 800))
    cursor = encode_cursor(datetime.now(UTC) + ahead, path=f"{product}/{path}")
    await catalogue.get(f"{product}/{path}?interval=day&cursor={cursor}", 400)
    cursor = encode_cursor(MONDAY + DAY + ahead, path=f"{product}/{path}")
    await catalogue.get(f"{product}/{path}?interval=day&cursor={cursor}&to={quote(at(MONDAY + DAY))}", 400)


@pytest.mark.parametrize("path", ["price-history", "trend", "offers/a/trend"])
@pytest.mark.parametrize("interval", ["", "&interval=hour", "&interval=day"])
async def test_no_cursor_shows_prices_from_before_the_period(catalogue: Catalogue, path: str, interval: str) -> None:
    product = await product_with(catalogue, (MONDAY - 3 * DAY, 600), (MONDAY - DAY, 700), (MONDAY + HOUR, 800))
    query = f"from={quote(at(MONDAY))}&to={quote(at(MONDAY + 2 * HOUR))}{interval}"
    whole = await catalogue.get(f"{product}/{path}?{query}")

    for before in (timedelta(microseconds=1), 2 * DAY, 4 * DAY):
        cursor = encode_cursor(MONDAY - before, path=f"{product}/{path}")
        found = await catalogue.get(f"{product}/{path}?{query}&cursor={cursor}")
        for name in ("steps", "prices"):
            shown = [each["at"] for each in found.get(name, [])]
            assert shown == [each["at"] for each in whole.get(name, [])][-len(shown) :]


@pytest.mark.parametrize(
    "query",
    ["from=2999-01-01T00:00:00Z", "from=2026-01-01", "interval=minute", "limit=0", "cursor=x", "step=1", "to=never"],
)
async def test_an_invalid_question_is_refused(catalogue: Catalogue, query: str) -> None:
    path = await product_with(catalogue, (MONDAY, 800))

    await catalogue.get(f"{path}/price-history?{query}", 400)


async def test_an_unknown_product_has_no_history(catalogue: Catalogue) -> None:
    await catalogue.get(f"/products/{uuid.uuid4()}/price-history", 404)


@given(
    series=st.lists(st.tuples(st.integers(0, 4000), st.none() | st.integers(1, 9)), min_size=1, max_size=8),
    ends=st.tuples(st.integers(-500, 4500), st.integers(1, 4500)),
)
async def test_the_figures_are_those_of_every_minute_of_the_period(
    catalogue: Catalogue, series: list[tuple[int, int | None]], ends: tuple[int, int]
) -> None:
    await catalogue.db.execute("DELETE FROM product")
    prices = dict(sorted(dict(series).items()))
    moments = [(MONDAY + minute * MINUTE, price) for minute, price in prices.items()]
    path = await product_with(catalogue, *moments)
    start, end = ends[0], ends[0] + ends[1]
    minutes = [
        next(prices[known] for known in reversed(prices) if known <= minute)
        for minute in range(max(start, min(prices)), end)
    ]
    in_stock = [price for price in minutes if price is not None]

    found = await history(catalogue, path, MONDAY + start * MINUTE, MONDAY + end * MINUTE)

    assert (found["lowest"] or {}).get("price") == min(in_stock, default=None)
    assert (found["highest"] or {}).get("price") == max(in_stock, default=None)
    assert found["mean"] == (pytest.approx(sum(in_stock) / len(in_stock)) if in_stock else None)
    assert found["in_stock_share"] == (pytest.approx(len(in_stock) / len(minutes)) if minutes else None)
    days = (await history(catalogue, path, MONDAY, MONDAY + 3 * DAY - MINUTE, "&interval=day"))["steps"]
    first = min(prices) // 1440
    assert [day["at"] for day in days] == [at(MONDAY + number * DAY) for number in range(first, 3)]
    for number, day in enumerate(days, first):
        known = [
            next(prices[known] for known in reversed(prices) if known <= minute)
            for minute in range(max(number * 1440, min(prices)), (number + 1) * 1440)
        ]
        lowest = [price for price in known if price is not None]
        assert (day["min"], day["max"], day["last"]) == (
            min(lowest, default=None),
            max(lowest, default=None),
            known[-1],
        )


@given(
    answers=st.lists(st.tuples(st.integers(0, 300), st.none() | st.integers(1, 9)), min_size=1, max_size=8),
    ends=st.tuples(st.integers(-50, 320), st.integers(1, 320)),
)
async def test_no_figure_counts_a_minute_of_an_outage(
    catalogue: Catalogue, answers: list[tuple[int, int | None]], ends: tuple[int, int]
) -> None:
    """After a pause of more than half an hour, a price is known at the moment of its answer alone."""
    await catalogue.db.execute("DELETE FROM product")
    prices = sorted(dict(answers).items())
    rules = PriceRules(allows_free_offers=False, gap=30 * MINUTE)
    path = await product_with(
        catalogue, *[(MONDAY + minute * MINUTE, price) for minute, price in prices], rules=rules, until=None
    )
    start, end = ends[0], ends[0] + ends[1]
    minutes = [
        price
        for (since, price), (until, _) in pairwise(prices)
        if until - since <= 30
        for minute in range(since, until)
        if start <= minute < end
    ]
    seen = [price for price in minutes + [price for at, price in prices if start <= at < end] if price is not None]
    in_stock = [price for price in minutes if price is not None]

    found = await history(catalogue, path, MONDAY + start * MINUTE, MONDAY + end * MINUTE)

    assert (found["lowest"] or {}).get("price") == min(seen, default=None)
    assert (found["highest"] or {}).get("price") == max(seen, default=None)
    assert found["mean"] == (pytest.approx(sum(in_stock) / len(in_stock)) if in_stock else None)
    assert found["in_stock_share"] == (pytest.approx(len(in_stock) / len(minutes)) if minutes else None)
