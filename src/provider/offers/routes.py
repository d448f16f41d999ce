"""HTTP of the offers stand-in, with errors in the service's own format."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Unpack

from quart import Blueprint, Response, request
from quart_schema import document_response, security_scheme, tag_blueprint

from common.web.errors import Conflict, HttpProblem, Invalid, NotFound, Unauthorized
from common.web.openapi.document import Operation, View, operation
from common.web.openapi.security import header_scheme
from common.web.request_body import json_body
from common.web.resources import pool
from common.web.responses import json_response
from provider.offers import queries
from provider.offers.inputs import ProductRegistration
from provider.offers.models import AccessToken, Offer, OffersError, RegisteredProduct
from provider.offers.price_simulation import offers_at
from provider.offers.service import issue_token
from provider.resources import resources

PREFIX = "/api/v1"
TOKEN_HEADER = "Bearer"  # noqa: S105 - the name of a header
"""The service expects the token in a header of this name, not in Authorization."""

SECURITY_SCHEMES = {"offersToken": header_scheme(TOKEN_HEADER, "A token from `POST /api/v1/auth`.")}

blueprint = Blueprint("offers", __name__, url_prefix=PREFIX)
tag_blueprint(blueprint, ["offers"])

ERROR_CODES = {404: "NOT FOUND"}
"""The service spells this code with a space; the other codes are the names of the statuses."""

EXAMPLE_OFFER = {"id": "0c1a1f0e-9c5e-5b35-8f43-6f3f6a0a3f44", "price": 1000, "items_in_stock": 5}
EXAMPLE_TOKEN = "3fa85f64-5717-4562-b3fc-2c963f66afa6"  # noqa: S105 - an example
EXAMPLE_REGISTRATION = {
    "id": "0197a3b0-0000-7000-8000-000000000001",
    "name": "Pressure washer",
    "description": "Washes. Under pressure.",
}
ERROR_DESCRIPTIONS = {
    400: "The request is not valid",
    401: "The token is missing, unknown or expired",
    404: "No such product is registered with this token",
    409: "The product is already registered",
    413: "The body is too large",
    415: "Unsupported media type",
    500: "The service failed",
    503: "Not available at the moment",
}


def offers_operation(*problems: int, **described: Unpack[Operation]) -> Callable[[View], View]:
    """Like `operation`, but with errors in this service's format; adds 400, 500 and 503 to `problems`."""
    documented = (400, *problems, 500, 503)
    described["native_errors"] = True
    described["media"] = {status: {"application/json": OffersError} for status in documented}
    described["descriptions"] = {status: ERROR_DESCRIPTIONS[status] for status in documented}
    return operation(**described)


def render_problem(problem: HttpProblem, status: int) -> Response:
    """Return an error in the service's format. Its message names every invalid field."""
    field_errors = "; ".join(f"{error.field}: {error.message}" for error in problem.errors)
    message = f"{problem.detail} {field_errors}".strip()
    body = OffersError(ERROR_CODES.get(status, HTTPStatus(status).name), message)
    headers = {name: value for name, value in problem.headers.items() if name != "WWW-Authenticate"}
    return json_response(body, status, headers)


def token_from_request() -> uuid.UUID:
    """Return the token of the current request. Raises Unauthorized when it is missing or not a UUID."""
    try:
        return uuid.UUID(request.headers.get(TOKEN_HEADER, ""))
    except ValueError:
        raise invalid_token() from None


def invalid_token() -> Unauthorized:
    return Unauthorized("Access token is missing, unknown or expired.")


@blueprint.before_request
async def simulate_faults() -> None:
    await resources().offers.simulate_faults()


@blueprint.post("/auth")
@offers_operation(413, example={"access_token": EXAMPLE_TOKEN})
@document_response(AccessToken, 201)
async def create_access_token() -> Response:
    """Issue an access token. Products are registered with a token."""
    return json_response(AccessToken(await issue_token(pool(), resources().offers, datetime.now(UTC))), 201)


@blueprint.post("/products/register")
@offers_operation(401, 409, 413, 415, request_example=EXAMPLE_REGISTRATION, example={"id": EXAMPLE_REGISTRATION["id"]})
@security_scheme([{"offersToken": []}])
@document_response(RegisteredProduct, 201)
@json_body(ProductRegistration)
async def register_product(data: ProductRegistration) -> Response:
    """Register a product under the caller's own id."""
    inserted = await queries.insert_product(pool(), token_from_request(), data, datetime.now(UTC))
    if inserted is None:
        raise invalid_token()
    if not inserted:
        raise Conflict(f"Product {data.id} is already registered.")
    return json_response(RegisteredProduct(data.id), 201)


@blueprint.get("/products/<product_id>/offers")
@offers_operation(401, 404, example=[EXAMPLE_OFFER], path_examples={"product_id": EXAMPLE_REGISTRATION["id"]})
@security_scheme([{"offersToken": []}])
@document_response(list[Offer])
async def list_offers(product_id: str) -> Response:
    """List the current offers of a registered product."""
    if "\0" in product_id:
        raise Invalid("The product id must not contain NUL.")
    now = datetime.now(UTC)
    registration = await queries.select_registration_status(pool(), token_from_request(), product_id, now)
    if not registration.token_valid:
        raise invalid_token()
    if not registration.registered:
        raise NotFound(f"Product {product_id} is not registered with this token.")
    return json_response(offers_at(product_id, now, resources().offers.tick_seconds))
