"""The page of all prices."""

import asyncio
from datetime import UTC, datetime, timedelta

from quart import Blueprint, Response
from quart_schema import hide

from common.tables import CSV, XLSX
from common.web.html import html_page
from common.web.page_frame import Alternate, framed_page, page_tag, unchanged
from common.web.page_session import current_session, session_required
from common.web.pagination import encode_cursor
from common.web.query_string import validate_querystring
from common.web.replica import reads_replica
from common.web.resources import pool
from dashboard.catalog import service
from dashboard.catalog.inputs import PricesPageQuery, ProductsQuery
from dashboard.catalog.list_cursor import decode_position, position_of
from dashboard.catalog.models import ProductPosition
from dashboard.catalog.page_templates import templates
from dashboard.catalog.page_views.price_list import (
    DEFAULT_SORT,
    PATH,
    headline,
    list_address,
    lowest_now,
    price_rows,
    problems,
    sort_links,
)
from dashboard.catalog.queries import product_list, sparklines
from dashboard.resources import resources
from dashboard.rights import PRICES

blueprint = Blueprint("catalog_prices_page", __name__)

PRODUCTS = "/products"
"""Where the figures of the page are."""
PRODUCTS_SHOWN = 50
PERIOD = timedelta(days=30)
POINTS = 61
"""Prices of a sparkline: two a day."""
LIVE_SECONDS = 30


@blueprint.get(PATH)
@html_page
@hide
@session_required(PRICES)
@validate_querystring(PricesPageQuery)
@reads_replica
async def get_prices(query_args: PricesPageQuery) -> Response:
    """Show the products found, each with its price now, its last 30 days and when it was last asked for."""
    now, config = datetime.now(UTC), resources().config
    asked = ProductsQuery(
        search=query_args.search or None, sort=query_args.sort, limit=PRODUCTS_SHOWN, cursor=query_args.cursor
    )
    after = decode_position(asked)
    gap = service.shortest_gap(config.offers_seconds)
    counts, found = await asyncio.gather(
        sparklines.select_price_counts(pool(), now, gap),
        product_list.select_products(
            pool(),
            asked.search,
            None,
            asked.sort,
            after,
            PRODUCTS_SHOWN + 1,
            now,
            gap,
            allows_free_offers=config.allows_free_offers,
        ),
    )
    old = [product.is_old(now, gap) for product, _ in found]
    tag = await page_tag(counts, found, old, now.date(), now.hour)
    if (answer := unchanged(tag)) is not None:
        return answer
    products = [product for product, _ in found[:PRODUCTS_SHOWN]]
    drawn = await sparklines.select_sparklines(
        pool(),
        [product.id for product in products],
        now - PERIOD,
        now,
        POINTS,
        gap,
    )
    shown = {"search": query_args.search, "sort": None if query_args.sort == DEFAULT_SORT else query_args.sort}
    next_page = None
    if len(found) > PRODUCTS_SHOWN:
        cursor = encode_cursor(*position_of(asked, found[PRODUCTS_SHOWN - 1][1]))
        next_page = list_address(PATH, **shown, cursor=cursor)
    rows = price_rows(products, drawn, PERIOD, now, gap)
    shows_all = after is None and next_page is None and not query_args.search
    return framed_page(
        templates,
        "prices.html",
        tag,
        alternates=alternates_of(asked, after) if config.api_token is None else (),
        live_seconds=LIVE_SECONDS,
        csrf=current_session().csrf,
        counts=counts,
        headline=headline(counts),
        problems=problems(counts, has_service=config.offers_url is not None),
        search=query_args.search,
        sort=query_args.sort,
        sorts=sort_links(query_args.sort, query_args.search),
        rows=rows,
        lowest=lowest_now(rows) if shows_all else None,
        list_path=PATH,
        first_page=list_address(PATH, **shown) if after is not None else None,
        next_page=next_page,
    )


def alternates_of(asked: ProductsQuery, after: ProductPosition | None) -> list[Alternate]:
    """The same products as JSON, CSV and XLSX. after: the position before the page."""
    cursor = None if after is None else encode_cursor(*position_of(asked, after), path=PRODUCTS)
    page = {"search": asked.search, "sort": asked.sort, "limit": PRODUCTS_SHOWN, "cursor": cursor}
    return [
        Alternate("JSON", "application/json", list_address(PRODUCTS, **page)),
        Alternate("CSV", CSV, list_address(PRODUCTS, **page, format="csv")),
        Alternate("XLSX", XLSX, list_address(PRODUCTS, **page, format="xlsx")),
    ]
