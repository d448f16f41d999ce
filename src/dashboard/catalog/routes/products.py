"""HTTP of products and their offers."""

from datetime import UTC, datetime
from uuid import UUID

from quart import Blueprint, Response
from quart_schema import document_response, tag_blueprint

from common.db.pool import Connection
from common.web import responses
from common.web.errors import NotFound
from common.web.idempotency import StoredResponse, is_repetition, run_once_per_key
from common.web.openapi.document import LINK_HEADER, operation
from common.web.pagination import CursorInstant, decode_cursor, page_and_link
from common.web.query_string import validate_querystring
from common.web.request_body import json_body
from common.web.resources import pool
from common.web.responses import json_response, page_link
from common.web.table_response import table
from dashboard.catalog import service
from dashboard.catalog.inputs import OffersQuery, ProductChange, ProductInput, ProductsQuery
from dashboard.catalog.list_cursor import decode_position, position_of
from dashboard.catalog.models import Freshness, ListedProduct, OfferState, Product, RegistrationState
from dashboard.catalog.queries import product_list, products
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
    "offers_in_stock": 3,
    "change_7d": -4.2,
    "mark": None,
    "freshness": {
        "last_success": "2026-01-01T08:00:00Z",
        "last_error": None,
        "last_attempt": "2026-01-01T08:00:00Z",
        "next_attempt": None,
    },
}
LISTED_EXAMPLE = {**PRODUCT_EXAMPLE, "lowest_30d": False}
OFFER_EXAMPLE = {
    **PRODUCT_EXAMPLE["best_offer"],  # type: ignore[dict-item]  # an example, typed as any JSON
    "first_seen": "2026-01-01T07:00:00Z",
    "last_seen": "2026-01-01T08:00:00Z",
    "closed_at": None,
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
    product = Product(
        product_id, data.name, data.description, registration, None, 0, None, None, Freshness(None, error)
    )

    async def create(connection: Connection) -> StoredResponse:
        await products.insert_product(connection, product, datetime.now(UTC))
        return StoredResponse(201, responses.encode_json(product), {"Location": f"/products/{product_id}"})

    return await run_once_per_key(pool(), CREATE_PRODUCT, create)


@blueprint.get("/products")
@operation(headers={200: LINK_HEADER}, example=[LISTED_EXAMPLE])
@api_token_required
@table("products", ListedProduct)
@validate_querystring(ProductsQuery)
@document_response(list[ListedProduct])
async def list_products(query_args: ProductsQuery) -> Response:
    """Products, by name, price or change of price; optionally only those whose name contains the search text.

    Names are ordered for people: without regard to case and accents, and numbers by their value. Prices move between
    two pages of a list that is sorted by them.
    """
    config = resources().config
    found = await product_list.select_products(
        pool(),
        query_args.search,
        None if query_args.in_stock is None else query_args.in_stock == "true",
        query_args.sort,
        decode_position(query_args),
        query_args.limit + 1,
        datetime.now(UTC),
        service.shortest_gap(config.offers_seconds),
        allows_free_offers=config.allows_free_offers,
    )
    page, headers = page_and_link(found, query_args.limit, lambda last: position_of(query_args, last[1]))
    links = [*headers.values(), page_link("/board/prices")]
    return json_response([product for product, _ in page], 200, {"Link": ", ".join(links)})


@blueprint.get(PRODUCT_PATH)
@operation(example=PRODUCT_EXAMPLE)
@api_token_required
@document_response(Product)
async def get_product(product_id: UUID) -> Response:
    """One product."""
    return await product_response(product_id)


async def product_response(product_id: UUID) -> Response:
    allows_free_offers = resources().config.allows_free_offers
    product = await product_list.select_product(pool(), product_id, allows_free_offers=allows_free_offers)
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
