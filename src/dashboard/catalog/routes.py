"""HTTP of the catalogue."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

import msgspec
from quart import Blueprint, Response
from quart_schema import document_response, tag_blueprint

from common.db.pool import Connection
from common.web import responses
from common.web.errors import NotFound
from common.web.idempotency import StoredResponse, is_repetition, run_once_per_key
from common.web.openapi.document import LINK_HEADER, operation
from common.web.pagination import CursorInstant, decode_cursor, page_and_link
from common.web.query_string import validate_querystring
from common.web.replica import reads_replica
from common.web.request_body import json_body
from common.web.resources import pool
from common.web.responses import json_response
from common.web.table_response import table
from dashboard.catalog import service
from dashboard.catalog.inputs import OffersQuery, ProductChange, ProductInput, ProductsQuery, TrendQuery
from dashboard.catalog.models import (
    Freshness,
    Interval,
    OfferKey,
    OfferState,
    OfferTrend,
    Period,
    Product,
    RegistrationState,
    Trend,
    TrendBucket,
    TrendPoint,
)
from dashboard.catalog.queries import products, trends
from dashboard.resources import resources
from dashboard.rights import api_token_required

blueprint = Blueprint("catalog", __name__)
tag_blueprint(blueprint, ["catalog"])

CREATE_PRODUCT = "POST /products"
"""The operation of the idempotency keys."""

PRODUCT_PATH = "/products/<uuid:product_id>"

PRODUCT_INPUT_EXAMPLE = {"name": "Pressure washer", "description": "Washes. Under pressure."}
PRODUCT_EXAMPLE = {
    "id": "0197a3b0-0000-7000-8000-000000000001",
    **PRODUCT_INPUT_EXAMPLE,
    "registration": "registered",
    "best_offer": {"id": "0c1a1f0e-9c5e-5b35-8f43-6f3f6a0a3f44", "price": 1000, "items_in_stock": 5},
    "freshness": {"last_success": "2026-01-01T08:00:00Z", "last_error": None},
}
OFFER_EXAMPLE = {
    **PRODUCT_EXAMPLE["best_offer"],  # type: ignore[dict-item]  # an example, typed as any JSON
    "first_seen": "2026-01-01T07:00:00Z",
    "last_seen": "2026-01-01T08:00:00Z",
    "closed_at": None,
}
TREND_EXAMPLE = {
    "product_id": PRODUCT_EXAMPLE["id"],
    "from": "2026-01-01T00:00:00Z",
    "to": None,
    "prices": [{"at": "2026-01-01T07:00:00Z", "price": 800}, {"at": "2026-01-01T08:00:00Z", "price": 1000}],
    "first": 800,
    "last": 1000,
    "change_percent": 25.0,
}


def unknown_product(product_id: UUID) -> NotFound:
    return NotFound(f"Unknown product {product_id}.")


@blueprint.post("/products")
@operation(
    headers={201: {"Location": "The path of the product"}},
    request_example=PRODUCT_INPUT_EXAMPLE,
    example=PRODUCT_EXAMPLE,
    idempotent=True,
)
@api_token_required
@document_response(Product, 201)
@json_body(ProductInput)
async def create_product(data: ProductInput) -> Response:
    """Create a product and register it with the offers service.

    If the registration fails, the product is stored as pending and registered later.
    """
    product_id = service.new_product_id()
    if await is_repetition(pool(), CREATE_PRODUCT):
        error: str | None = "not tried yet"  # not stored: the response to the first request is returned again
    else:
        error = await service.try_to_register(resources().offers, product_id, data)
    registration: RegistrationState = "registered" if error is None else "pending"
    product = Product(product_id, data.name, data.description, registration, None, Freshness(None, error))

    async def create(connection: Connection) -> StoredResponse:
        await products.insert_product(connection, product, datetime.now(UTC))
        return StoredResponse(201, responses.encode_json(product), {"Location": f"/products/{product_id}"})

    return await run_once_per_key(pool(), CREATE_PRODUCT, create)


@blueprint.get("/products")
@operation(headers={200: LINK_HEADER}, example=[PRODUCT_EXAMPLE])
@api_token_required
@table("products", Product)
@validate_querystring(ProductsQuery)
@document_response(list[Product])
async def list_products(query_args: ProductsQuery) -> Response:
    """Products, ordered by name; optionally only those whose name contains the search text."""
    after = decode_cursor(query_args.cursor, tuple[str, UUID]) if query_args.cursor else None
    found = await products.select_products(pool(), query_args.search, after, query_args.limit + 1)
    page, headers = page_and_link(found, query_args.limit, lambda last: (last.name, last.id))
    return json_response(page, 200, headers)


@blueprint.get(PRODUCT_PATH)
@operation(example=PRODUCT_EXAMPLE)
@api_token_required
@document_response(Product)
async def get_product(product_id: UUID) -> Response:
    """One product."""
    return await product_response(product_id)


async def product_response(product_id: UUID) -> Response:
    product = await products.select_product(pool(), product_id)
    if product is None:
        raise unknown_product(product_id)
    return json_response(product)


@blueprint.put(PRODUCT_PATH)
@operation(request_example=PRODUCT_INPUT_EXAMPLE, example=PRODUCT_EXAMPLE)
@api_token_required
@document_response(Product)
@json_body(ProductInput)
async def replace_product(product_id: UUID, data: ProductInput) -> Response:
    """Replace name and description. The offers service keeps those of the registration: it has no update."""
    if not await products.update_product(pool(), product_id, data.name, data.description):
        raise unknown_product(product_id)
    return await product_response(product_id)


@blueprint.patch(PRODUCT_PATH)
@operation(request_example={"name": "Pressure washer II"}, example=PRODUCT_EXAMPLE)
@api_token_required
@document_response(Product)
@json_body(ProductChange)
async def change_product(product_id: UUID, data: ProductChange) -> Response:
    """Change name, description or both."""
    if not await products.update_product(pool(), product_id, data.given("name"), data.given("description")):
        raise unknown_product(product_id)
    return await product_response(product_id)


@blueprint.delete(PRODUCT_PATH)
@operation(descriptions={204: "Deleted"})
@api_token_required
async def delete_product(product_id: UUID) -> Response:
    """Delete a product with its offers and price changes. It stays registered with the offers service."""
    if not await products.delete_product(pool(), product_id):
        raise unknown_product(product_id)
    return Response(b"", status=204)


@blueprint.get(f"{PRODUCT_PATH}/offers")
@operation(headers={200: LINK_HEADER}, example=[OFFER_EXAMPLE])
@api_token_required
@table("offers", OfferState)
@validate_querystring(OffersQuery)
@document_response(list[OfferState])
async def list_product_offers(product_id: UUID, query_args: OffersQuery) -> Response:
    """The product's open offers, most recently changed first; include=closed adds the closed ones."""
    after = decode_cursor(query_args.cursor, tuple[CursorInstant, str]) if query_args.cursor else None
    closed = query_args.include == "closed"
    found = await products.select_offers(pool(), product_id, after, query_args.limit + 1, closed=closed)
    if found is None:
        raise unknown_product(product_id)
    page, headers = page_and_link(found, query_args.limit, lambda last: last[1])
    return json_response([offer for offer, _ in page], 200, headers)


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
    after = decode_cursor(query.cursor, tuple[CursorInstant])[0] if query.cursor else None
    page: list[TrendPoint] | list[TrendBucket]
    if query.interval is None:
        points = await select_points(period, after, query.limit + 1)
        page, headers = page_and_link(points, query.limit, lambda last: (last.at,))
    else:
        start = period.start if after is None else service.next_bucket(after, query.interval)
        rest = Period(start, period.end, period.now)
        buckets = await select_buckets(rest, query.interval, query.limit + 1)
        page, headers = page_and_link(buckets, query.limit, lambda last: (last.at,))
    return msgspec.Raw(responses.encode_json(page)), headers
