"""HTTP of the catalogue."""

import hmac
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from quart import Blueprint, Response
from quart_schema import HttpSecurityScheme, document_response, security_scheme, tag_blueprint, validate_querystring

from common.db.pool import Connection
from common.web import responses
from common.web.bearer import bearer_token, invalid_token
from common.web.errors import NotFound
from common.web.idempotency import StoredResponse, requested_key, run_once_per_key, select_response
from common.web.openapi.document import LINK_HEADER, operation
from common.web.pagination import CursorInstant, decode_cursor, page_and_link
from common.web.request_body import json_body
from common.web.resources import pool
from common.web.responses import json_response
from dashboard.catalog import service
from dashboard.catalog.models import (
    Freshness,
    Offer,
    OffersQuery,
    OfferTrend,
    PricePoint,
    Product,
    ProductChange,
    ProductInput,
    ProductsQuery,
    Registration,
    Trend,
    TrendQuery,
    change_percent,
    new_product_id,
)
from dashboard.catalog.queries import catalog
from dashboard.resources import resources

blueprint = Blueprint("catalog", __name__)
tag_blueprint(blueprint, ["catalog"])

SECURITY_SCHEMES = {"catalogToken": HttpSecurityScheme(scheme="bearer")}
SCHEMES: list[dict[str, list[str]]] = [{}, {"catalogToken": []}]
"""Whether the token is needed is the operator's choice, so the document says that it may be."""

REALM = "catalogue"

CREATION = "POST /products"
"""The scope of its idempotency keys."""

PRODUCT = "/products/<uuid:product_id>"

INPUT = {"name": "Pressure washer", "description": "Washes. Under pressure."}
EXAMPLE = {
    "id": "0197a3b0-0000-7000-8000-000000000001",
    **INPUT,
    "registration": "registered",
    "best_offer": {"id": "0c1a1f0e-9c5e-5b35-8f43-6f3f6a0a3f44", "price": 1000, "items_in_stock": 5},
    "freshness": {"last_success": "2026-01-01T08:00:00Z", "last_error": None},
}
OFFER = {
    **EXAMPLE["best_offer"],  # type: ignore[dict-item]  # an example, typed as any JSON
    "first_seen": "2026-01-01T07:00:00Z",
    "last_seen": "2026-01-01T08:00:00Z",
    "closed_at": None,
}
TREND = {
    "product_id": EXAMPLE["id"],
    "from": "2026-01-01T00:00:00Z",
    "to": None,
    "prices": [{"at": "2026-01-01T07:00:00Z", "price": 800}, {"at": "2026-01-01T08:00:00Z", "price": 1000}],
    "first": 800,
    "last": 1000,
    "change_percent": 25.0,
}


@blueprint.before_request
async def authorize() -> None:
    """Raises Unauthorized for a request without the catalogue's token, where there is one."""
    token = resources().config.api_token
    if token is not None and not hmac.compare_digest(bearer_token(REALM).encode(), token.reveal().encode()):
        raise invalid_token(REALM, "This is not the catalogue's token.")


def no_product(product_id: UUID) -> NotFound:
    return NotFound(f"There is no product {product_id}.")


@blueprint.post("/products")
@operation(
    401, headers={201: {"Location": "Where the product is"}}, request_example=INPUT, example=EXAMPLE, idempotent=True
)
@security_scheme(SCHEMES)
@document_response(Product, 201)
@json_body(ProductInput)
async def create_product(data: ProductInput) -> Response:
    """Create a product and register it with the offers service.

    When the service is down the product is stored all the same, pending, and is registered later.
    """
    offers = resources().offers
    product_id = new_product_id()
    key = requested_key()
    if key is not None and await select_response(pool(), CREATION, key) is not None:
        error: str | None = "not tried yet"  # once() gives the stored answer again
    else:
        error = await service.registration_error(offers, product_id, data.name, data.description)
    registration: Registration = "registered" if error is None else "pending"

    async def create(connection: Connection) -> StoredResponse:
        await catalog.insert_product(
            connection,
            product_id,
            data.name,
            data.description,
            registered=error is None,
            error=error,
            now=datetime.now(UTC),
        )
        product = Product(product_id, data.name, data.description, registration, None, Freshness(None, error))
        return StoredResponse(201, responses.encode_json(product), {"Location": f"/products/{product_id}"})

    return await run_once_per_key(pool(), CREATION, create)


@blueprint.get("/products")
@operation(401, headers={200: LINK_HEADER}, example=[EXAMPLE])
@security_scheme(SCHEMES)
@validate_querystring(ProductsQuery)
@document_response(list[Product])
async def list_products(query_args: ProductsQuery) -> Response:
    """Products by name, those whose name holds the search text if there is one."""
    after = decode_cursor(query_args.cursor, tuple[str, UUID]) if query_args.cursor else None
    found = await catalog.select_products(pool(), query_args.search, after, query_args.limit + 1)
    page, headers = page_and_link(found, query_args.limit, lambda last: (last.name, last.id))
    return json_response(page, 200, headers)


@blueprint.get(PRODUCT)
@operation(401, 404, example=EXAMPLE)
@security_scheme(SCHEMES)
@document_response(Product)
async def get_product(product_id: UUID) -> Response:
    """One product."""
    return await answer_product(product_id)


async def answer_product(product_id: UUID) -> Response:
    product = await catalog.select_product(pool(), product_id)
    if product is None:
        raise no_product(product_id)
    return json_response(product)


@blueprint.put(PRODUCT)
@operation(401, 404, request_example=INPUT, example=EXAMPLE)
@security_scheme(SCHEMES)
@document_response(Product)
@json_body(ProductInput)
async def replace_product(product_id: UUID, data: ProductInput) -> Response:
    """Replace name and description. The offers service has no way to be told: it keeps the first ones."""
    if not await catalog.update_product(pool(), product_id, data.name, data.description):
        raise no_product(product_id)
    return await answer_product(product_id)


@blueprint.patch(PRODUCT)
@operation(401, 404, request_example={"name": "Pressure washer II"}, example=EXAMPLE)
@security_scheme(SCHEMES)
@document_response(Product)
@json_body(ProductChange)
async def change_product(product_id: UUID, data: ProductChange) -> Response:
    """Change name, description or both."""
    if not await catalog.update_product(pool(), product_id, data.given("name"), data.given("description")):
        raise no_product(product_id)
    return await answer_product(product_id)


@blueprint.delete(PRODUCT)
@operation(401, 404, descriptions={204: "Deleted"})
@security_scheme(SCHEMES)
async def delete_product(product_id: UUID) -> Response:
    """Delete a product with its offers and their histories. The offers service has no way to be told."""
    if not await catalog.delete_product(pool(), product_id):
        raise no_product(product_id)
    return Response(b"", status=204)


@blueprint.get(f"{PRODUCT}/offers")
@operation(401, 404, headers={200: LINK_HEADER}, example=[OFFER])
@security_scheme(SCHEMES)
@validate_querystring(OffersQuery)
@document_response(list[Offer])
async def list_offers(product_id: UUID, query_args: OffersQuery) -> Response:
    """The product's current offers, or with include=closed all it ever had; those whose state is newest first."""
    after = decode_cursor(query_args.cursor, tuple[CursorInstant, str]) if query_args.cursor else None
    closed = query_args.include == "closed"
    found = await catalog.select_offers(pool(), product_id, after, query_args.limit + 1, closed=closed)
    if found is None:
        raise no_product(product_id)
    page, headers = page_and_link(found, query_args.limit, lambda last: last[1])
    return json_response([offer for offer, _ in page], 200, headers)


@blueprint.get(f"{PRODUCT}/trend")
@operation(401, 404, example=TREND)
@security_scheme(SCHEMES)
@validate_querystring(TrendQuery)
@document_response(Trend)
async def product_trend(product_id: UUID, query_args: TrendQuery) -> Response:
    """What the lowest price in stock did over a period.

    Each price holds until the next. The first point is the price that held at `from`, where there was one. While
    nothing is in stock there is no price and no point.
    """
    query_args.require_ordered()
    points = await catalog.select_product_points(pool(), product_id, query_args.from_, query_args.to)
    if not points and not await catalog.select_product_exists(pool(), product_id):
        raise no_product(product_id)
    return json_response(Trend(product_id=product_id, **measures(points, query_args)))


@blueprint.get(f"{PRODUCT}/offers/<path:offer_id>/trend")
@operation(401, 404, example={**TREND, "offer_id": OFFER["id"]})
@security_scheme(SCHEMES)
@validate_querystring(TrendQuery)
@document_response(OfferTrend)
async def offer_trend(product_id: UUID, offer_id: str, query_args: TrendQuery) -> Response:
    """What the price of one offer did over a period while it was in stock; closed offers keep their history."""
    query_args.require_ordered()
    known = None if "\0" in offer_id else await catalog.select_offer_id(pool(), product_id, offer_id)
    if known is None:
        raise NotFound(f"Product {product_id} has no offer {offer_id}.")
    points = await catalog.select_offer_points(pool(), product_id, offer_id, query_args.from_, query_args.to)
    return json_response(OfferTrend(product_id=product_id, offer_id=known, **measures(points, query_args)))


def measures(points: list[PricePoint], query: TrendQuery) -> dict[str, Any]:
    """What both kinds of trend say of their points."""
    first, last = (points[0].price, points[-1].price) if points else (None, None)
    prices = points if query.interval is None else service.buckets(points, query.interval)
    return {
        "from_": query.from_,
        "to": query.to,
        "prices": msgspec.Raw(responses.encode_json(prices)),
        "first": first,
        "last": last,
        "change_percent": change_percent(first, last),
    }
