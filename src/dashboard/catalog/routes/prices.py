"""HTTP of prices: trends of products and of offers, and the price history of a product."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import msgspec
from quart import Blueprint, Response
from quart_schema import document_response, tag_blueprint

from common.web import responses
from common.web.errors import Invalid, NotFound
from common.web.openapi.document import LINK_HEADER, operation
from common.web.pagination import CursorInstant, decode_cursor, page_and_link
from common.web.query_string import validate_querystring
from common.web.replica import reads_replica
from common.web.resources import pool
from common.web.responses import json_response, page_link
from common.web.table_response import table
from dashboard.catalog import service
from dashboard.catalog.inputs import TrendQuery
from dashboard.catalog.models import (
    Interval,
    OfferKey,
    OfferTrend,
    Period,
    PriceBucket,
    PriceHistory,
    PriceStep,
    Trend,
    TrendBucket,
    TrendPoint,
)
from dashboard.catalog.queries import price_history, products, trends
from dashboard.catalog.routes.products import OFFER_EXAMPLE, PRODUCT_EXAMPLE, PRODUCT_PATH, unknown_product
from dashboard.resources import resources
from dashboard.rights import api_token_required

blueprint = Blueprint("catalog_prices", __name__)
tag_blueprint(blueprint, ["catalog"])

TREND_EXAMPLE = {
    "product_id": PRODUCT_EXAMPLE["id"],
    "from": "2026-01-01T00:00:00Z",
    "to": None,
    "prices": [{"at": "2026-01-01T07:00:00Z", "price": 800}, {"at": "2026-01-01T08:00:00Z", "price": 1000}],
    "first": 800,
    "last": 1000,
    "change_percent": 25.0,
}
HISTORY_EXAMPLE = {
    "product_id": PRODUCT_EXAMPLE["id"],
    "from": "2026-01-01T00:00:00Z",
    "to": "2026-01-02T00:00:00Z",
    "known_since": "2025-11-03T09:15:00Z",
    "steps": [
        {"at": "2026-01-01T00:00:00Z", "price": 800},
        {"at": "2026-01-01T07:00:00Z", "price": None},
        {"at": "2026-01-01T08:00:00Z", "price": 1000},
    ],
    "lowest": {"price": 800, "at": "2026-01-01T00:00:00Z"},
    "highest": {"price": 1000, "at": "2026-01-01T08:00:00Z"},
    "mean": 937.1,
    "in_stock_share": 0.95,
    "gaps": [{"from": "2026-01-01T12:00:00Z", "to": "2026-01-01T12:40:00Z"}],
}


@blueprint.get(f"{PRODUCT_PATH}/trend")
@operation(headers={200: LINK_HEADER}, example=TREND_EXAMPLE, components=[TrendPoint, TrendBucket])
@api_token_required
@table("trend", TrendPoint, "prices")
@validate_querystring(TrendQuery)
@document_response(Trend)
@reads_replica
async def get_product_trend(product_id: UUID, query_args: TrendQuery) -> Response:
    """The lowest price in stock over a period of at most 400 days.

    Each price is valid until the next. The first point is the price valid at `from`, if there was one. While nothing
    is in stock there is no price and no point. Of days more than 400 days ago the first, lowest, highest and last price
    are kept.
    """
    period = query_args.period(datetime.now(UTC))
    ends = await trends.select_product_ends(pool(), product_id, period)
    if ends.first is None and not await products.select_product_exists(pool(), product_id):
        raise unknown_product(product_id)
    prices, headers = await page_of_prices(
        query_args,
        period,
        partial(trends.select_product_points, pool(), product_id),
        partial(trends.select_product_buckets, pool(), product_id),
    )
    trend = Trend(product_id, query_args.from_, query_args.to, prices, *ends, service.change_percent(*ends))
    return json_response(trend, 200, headers)


@blueprint.get(f"{PRODUCT_PATH}/offers/<path:offer_id>/trend")
@operation(
    headers={200: LINK_HEADER},
    example={**TREND_EXAMPLE, "offer_id": OFFER_EXAMPLE["id"]},
    path_examples={"offer_id": OFFER_EXAMPLE["id"]},
    components=[TrendPoint, TrendBucket],
)
@api_token_required
@table("offer-trend", TrendPoint, "prices")
@validate_querystring(TrendQuery)
@document_response(OfferTrend)
@reads_replica
async def get_offer_trend(product_id: UUID, offer_id: str, query_args: TrendQuery) -> Response:
    """The price of one offer over a period of at most 400 days while it was in stock, also after it was closed."""
    period = query_args.period(datetime.now(UTC))
    existing_id = None if "\0" in offer_id else await products.select_offer_id(pool(), product_id, offer_id)
    if existing_id is None:
        raise NotFound(f"Product {product_id} has no offer {offer_id}.")
    offer = OfferKey(product_id, offer_id)
    ends = await trends.select_offer_ends(pool(), offer, period)
    prices, headers = await page_of_prices(
        query_args,
        period,
        partial(trends.select_offer_points, pool(), offer),
        partial(trends.select_offer_buckets, pool(), offer),
    )
    trend = OfferTrend(
        product_id, existing_id, query_args.from_, query_args.to, prices, *ends, service.change_percent(*ends)
    )
    return json_response(trend, 200, headers)


SelectPoints = Callable[[Period, datetime | None, int], Awaitable[list[TrendPoint]]]
SelectBuckets = Callable[[Period, Interval, int], Awaitable[list[TrendBucket]]]


async def page_of_prices(
    query: TrendQuery, period: Period, select_points: SelectPoints, select_buckets: SelectBuckets
) -> tuple[msgspec.Raw, dict[str, str]]:
    """The points or buckets of a page, as JSON, and the Link header to the next page."""
    after = decode_after(query, period)
    page: list[TrendPoint] | list[TrendBucket]
    if query.interval is None:
        points = await select_points(period, after, query.limit + 1)
        page, headers = page_and_link(points, query.limit, lambda last: (last.at,))
    else:
        start = period.start
        if after is not None:
            start = max(start, service.next_bucket(after, query.interval))
        rest = Period(start, period.end, period.now)
        buckets = await select_buckets(rest, query.interval, query.limit + 1)
        page, headers = page_and_link(buckets, query.limit, lambda last: (last.at,))
    return msgspec.Raw(responses.encode_json(page)), headers


def decode_after(query: TrendQuery, period: Period) -> datetime | None:
    """The last point or bucket of the page before; None without a cursor.

    A cursor before the period is followed by the first point or bucket of the period. After one beyond the period there
    are no points; for buckets it raises Invalid, since the last bucket of a period has no further page.
    """
    if query.cursor is None:
        return None
    [after] = decode_cursor(query.cursor, tuple[CursorInstant])
    end = period.now if period.end is None else min(period.end, period.now)
    if query.interval is not None and (after > end or service.next_bucket(after, query.interval) > end):
        raise Invalid.field("cursor", "is after the end of the period")
    return after


@blueprint.get(f"{PRODUCT_PATH}/price-history")
@operation(headers={200: LINK_HEADER}, example=HISTORY_EXAMPLE, components=[PriceStep, PriceBucket])
@api_token_required
@table("price-history", PriceStep, "steps")
@validate_querystring(TrendQuery)
@document_response(PriceHistory)
@reads_replica
async def get_product_price_history(product_id: UUID, query_args: TrendQuery) -> Response:
    """The lowest price in stock over a period of at most 400 days, with the times in which nothing was in stock.

    Each step is valid until the next. Means and shares are weighted by time. In a gap no price is known, since the
    offers service could not be asked for several minutes: gaps count for no figure. The price of the last answer before
    a gap can be the lowest or the highest. With an interval there are buckets, each whole: one day has one lowest
    price.
    """
    now = datetime.now(UTC)
    period = query_args.period(now)
    end = now if period.end is None else min(period.end, now)
    whole = max(end, period.start + timedelta(microseconds=1))  # the price at a moment is valid for one
    gap = service.shortest_gap(resources().config.offers_seconds)
    figures = await price_history.select_price_figures(pool(), product_id, period.start, whole, now, gap)
    if figures is None:
        raise unknown_product(product_id)
    gaps = await price_history.select_gaps(pool(), product_id, period.start, whole, now, gap)
    steps, headers = await page_of_history(product_id, query_args, period, figures.known_since, gap)
    history = PriceHistory(
        product_id,
        period.start,
        end,
        figures.known_since,
        steps,
        figures.lowest,
        figures.highest,
        figures.mean,
        figures.in_stock_share,
        gaps,
    )
    links = [*headers.values(), page_link(f"/board/prices/{product_id}")]
    return json_response(history, 200, {"Link": ", ".join(links)})


async def page_of_history(
    product_id: UUID, query: TrendQuery, period: Period, known_since: datetime | None, gap: timedelta
) -> tuple[msgspec.Raw, dict[str, str]]:
    """The steps or buckets of a page, as JSON, and the Link header to the next page. gap: the shortest one."""
    after = decode_after(query, period)
    page: list[PriceStep] | list[PriceBucket]
    if query.interval is None:
        steps = await price_history.select_steps(pool(), product_id, period, after, query.limit + 1)
        page, headers = page_and_link(steps, query.limit, lambda last: (last.at,))
    else:
        start, end = service.bucket_period(period, query.interval, known_since, after, query.limit + 1)
        buckets = await price_history.select_buckets(pool(), product_id, start, end, period.now, gap, query.interval)
        page, headers = page_and_link(buckets, query.limit, lambda last: (last.at,))
    return msgspec.Raw(responses.encode_json(page)), headers
