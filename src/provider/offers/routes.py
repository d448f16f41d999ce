"""HTTP of the offers stand-in, in the service's own format of errors."""

import uuid
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from quart import Blueprint, Response, request
from quart_schema import APIKeySecurityScheme, document_response, security_scheme, tag_blueprint

from common.web.errors import Conflict, HttpProblem, Invalid, NotFound, Unauthorized
from common.web.openapi.document import operation
from common.web.request_body import json_body
from common.web.resources import pool
from common.web.responses import json_response
from provider.offers import queries
from provider.offers.models import AccessToken, Offer, OffersError, ProductRegistration, RegisteredProduct
from provider.offers.price_simulation import offers_at
from provider.offers.service import issue_token
from provider.resources import resources

PREFIX = "/api/v1"
TOKEN_HEADER = "Bearer"  # noqa: S105 - the name of a header
"""The header that carries the token is named so; it is not Authorization."""

SECURITY_SCHEMES = {"offersToken": APIKeySecurityScheme(name=TOKEN_HEADER, in_="header")}

blueprint = Blueprint("offers", __name__, url_prefix=PREFIX)
tag_blueprint(blueprint, ["offers"])

ERROR_CODES = {404: "NOT FOUND"}
"""The service writes this one with a space; the others are the names of the statuses."""

EXAMPLE_OFFER = {"id": "0c1a1f0e-9c5e-5b35-8f43-6f3f6a0a3f44", "price": 1000, "items_in_stock": 5}
EXAMPLE_TOKEN = "3fa85f64-5717-4562-b3fc-2c963f66afa6"  # noqa: S105 - an example
EXAMPLE_REGISTRATION = {
    "id": "0197a3b0-0000-7000-8000-000000000001",
    "name": "Pressure washer",
    "description": "Washes. Under pressure.",
}
ERROR_DESCRIPTIONS = {
    400: "The request is refused",
    401: "The token is missing, unknown or expired",
    404: "No such product is registered with this token",
    409: "The product is registered already",
    413: "The body is too large",
    415: "The media type is not taken here",
    500: "The service failed",
    503: "Not available at the moment",
}


def error_responses(*statuses: int) -> dict[str, Any]:
    """The document of the errors that an operation answers, besides those that all can."""
    every = (400, *statuses, 500, 503)
    return {
        "native_errors": True,
        "media": {status: {"application/json": OffersError} for status in every},
        "words": {status: ERROR_DESCRIPTIONS[status] for status in every},
    }


def render_problem(failure: HttpProblem, status: int) -> Response:
    """An error as this service writes it; every wrong field is in its message."""
    faults = "; ".join(f"{fault.field}: {fault.message}" for fault in failure.errors)
    message = f"{failure.detail} {faults}".strip()
    body = OffersError(ERROR_CODES.get(status, HTTPStatus(status).name), message)
    headers = {name: value for name, value in failure.headers.items() if name != "WWW-Authenticate"}
    return json_response(body, status, headers)


def requested_token() -> uuid.UUID:
    """The token of the request. Raises Unauthorized without one that could be a token."""
    try:
        return uuid.UUID(request.headers.get(TOKEN_HEADER, ""))
    except ValueError:
        raise invalid_token() from None


def invalid_token() -> Unauthorized:
    return Unauthorized("Access token is missing, unknown or expired.")


@blueprint.before_request
async def simulate_faults() -> None:
    await resources().offers.interfere()


@blueprint.post("/auth")
@operation(example={"access_token": EXAMPLE_TOKEN}, **error_responses(413))
@document_response(AccessToken, 201)
async def authenticate() -> Response:
    """Give an access token. All registered products are tied to it."""
    return json_response(AccessToken(await issue_token(pool(), resources().offers, datetime.now(UTC))), 201)


@blueprint.post("/products/register")
@operation(
    request_example=EXAMPLE_REGISTRATION,
    example={"id": EXAMPLE_REGISTRATION["id"]},
    **error_responses(401, 409, 413, 415),
)
@security_scheme([{"offersToken": []}])
@document_response(RegisteredProduct, 201)
@json_body(ProductRegistration)
async def register(data: ProductRegistration) -> Response:
    """Register a product of the caller's, so that its offers can be asked for."""
    new = await queries.insert_product(pool(), requested_token(), data, datetime.now(UTC))
    if new is None:
        raise invalid_token()
    if not new:
        raise Conflict(f"Product {data.id} is registered already.")
    return json_response(RegisteredProduct(data.id), 201)


@blueprint.get("/products/<product_id>/offers")
@operation(example=[EXAMPLE_OFFER], **error_responses(401, 404))
@security_scheme([{"offersToken": []}])
@document_response(list[Offer])
async def list_offers(product_id: str) -> Response:
    """The offers of a registered product at this minute."""
    if "\0" in product_id:
        raise Invalid("This can be no product's id.")
    now = datetime.now(UTC)
    standing = await queries.select_registration_status(pool(), requested_token(), product_id, now)
    if not standing.token_valid:
        raise invalid_token()
    if not standing.registered:
        raise NotFound(f"Product {product_id} is not registered with this token.")
    return json_response(offers_at(product_id, now, resources().offers.tick_seconds))
