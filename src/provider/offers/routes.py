"""HTTP of the offers stand-in, with errors in the formats of the service: of the old one, and of the present one."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Unpack

from quart import Blueprint, Response, request
from quart_schema import document_response, security_scheme, tag_blueprint

from common.web.errors import Conflict, HttpProblem, Invalid, NotFound, Unauthorized
from common.web.openapi.document import Operation, View, operation
from common.web.openapi.schemas import REFERENCE
from common.web.openapi.security import header_scheme
from common.web.request_body import json_body
from common.web.resources import pool
from common.web.responses import json_response
from provider.offers import queries
from provider.offers.inputs import ProductRegistration
from provider.offers.models import (
    AccessToken,
    InvalidValue,
    Offer,
    OffersError,
    PresentOffersError,
    RegisteredProduct,
)
from provider.offers.price_simulation import offers_at
from provider.offers.service import TOKEN_HEADER, issue_token
from provider.resources import resources

PREFIX = "/api/v1"
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
REFRESH_TOKEN_HEADER = {TOKEN_HEADER: "The refresh token (present service)"}
ERROR_DESCRIPTIONS = {
    400: "The request is not valid",
    401: "The token is missing, wrong or expired",
    404: "No such product is registered with this token",
    409: "The product is already registered",
    413: "The body is too large",
    415: "Unsupported media type",
    422: "The request is not valid (present service)",
    500: "The service failed",
    503: "Not available at the moment",
}

ERRORS = [OffersError, PresentOffersError]
EITHER_ERROR = {"oneOf": [{"$ref": REFERENCE + model.__name__} for model in ERRORS]}


def offers_operation(*problems: int, **described: Unpack[Operation]) -> Callable[[View], View]:
    """Like `operation`, but with errors in this service's formats; adds 400, 422, 500 and 503 to `problems`."""
    documented = (400, *problems, 422, 500, 503)
    described["native_errors"] = True
    described["media"] = {
        status: {"application/json": PresentOffersError if status == 422 else EITHER_ERROR} for status in documented
    }
    described["components"] = ERRORS
    described["descriptions"] = {status: ERROR_DESCRIPTIONS[status] for status in documented}
    return operation(**described)


def render_problem(problem: HttpProblem, status: int) -> Response:
    """Return an error in the format of the service that the stand-in plays."""
    headers = {name: value for name, value in problem.headers.items() if name != "WWW-Authenticate"}
    if resources().offers.present:
        return present_error(problem, status, headers)
    field_errors = "; ".join(f"{error.field}: {error.message}" for error in problem.errors)
    message = f"{problem.detail} {field_errors}".strip()
    return json_response(OffersError(ERROR_CODES.get(status, HTTPStatus(status).name), message), status, headers)


def present_error(problem: HttpProblem, status: int, headers: dict[str, str]) -> Response:
    """Return an error in the format of the present service, which answers 422 to a request that is not valid."""
    if not problem.errors:
        return json_response(PresentOffersError(problem.detail), status, headers)
    detail = [InvalidValue(place_of(error.field), error.message, "value_error") for error in problem.errors]
    return json_response(PresentOffersError(detail), 422, headers)


def place_of(field: str) -> list[str]:
    """Where the present service says that a field is."""
    if field == TOKEN_HEADER:
        return ["header", "bearer"]
    return ["body"] if field == "body" else ["body", *field.split(".")]


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
@offers_operation(401, 413, example={"access_token": EXAMPLE_TOKEN}, request_headers=REFRESH_TOKEN_HEADER)
@document_response(AccessToken, 201)
async def create_access_token() -> Response:
    """Issue an access token.

    The old service issues one to everybody, and products belong to the token. The present one, which the stand-in plays
    with `PROVIDER_OFFERS_REFRESH_TOKEN`, requires the refresh token, to which products belong.
    """
    token = await issue_token(pool(), resources().offers, request.headers.get(TOKEN_HEADER), datetime.now(UTC))
    return json_response(AccessToken(token), 201)


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
