"""HTTP of the marks of products: which changes of a product raise an alert."""

from datetime import UTC, datetime
from uuid import UUID

from quart import Blueprint, Response
from quart_schema import document_response, tag_blueprint

from common.web.errors import NotFound
from common.web.openapi.document import operation
from common.web.request_body import json_body
from common.web.resources import pool
from common.web.responses import json_response
from dashboard.catalog.inputs import MarkInput
from dashboard.catalog.models import Mark
from dashboard.catalog.queries import marks
from dashboard.catalog.routes.products import PRODUCT_PATH, unknown_product
from dashboard.rights import api_token_required

blueprint = Blueprint("catalog_marks", __name__)
tag_blueprint(blueprint, ["catalog"])

MARK_PATH = f"{PRODUCT_PATH}/mark"
MARK_EXAMPLE = {"below": 900, "back_in_stock": True, "watched_since": "2026-01-01T08:00:00Z"}


def no_mark(product_id: UUID) -> NotFound:
    return NotFound(f"Product {product_id} is unknown or has no mark.")


@blueprint.put(MARK_PATH)
@operation(request_example={"below": 900, "back_in_stock": True}, example=MARK_EXAMPLE)
@api_token_required
@document_response(Mark)
@json_body(MarkInput)
async def set_product_mark(product_id: UUID, data: MarkInput) -> Response:
    """Set which changes of a product raise an alert; replaces its mark.

    The price alert fires when the best price falls below `below`, and is resolved when no price has been below it for
    15 minutes. The stock alert fires each time the product has a best offer again after it had none, from the first
    such mark on.
    """
    data.require_any()
    mark = await marks.upsert_mark(pool(), product_id, data.below, data.back_in_stock, datetime.now(UTC))
    if mark is None:
        raise unknown_product(product_id)
    return json_response(mark)


@blueprint.get(MARK_PATH)
@operation(example=MARK_EXAMPLE)
@api_token_required
@document_response(Mark)
async def get_product_mark(product_id: UUID) -> Response:
    """Which changes of a product raise an alert."""
    mark = await marks.select_mark(pool(), product_id)
    if mark is None:
        raise no_mark(product_id)
    return json_response(mark)


@blueprint.delete(MARK_PATH)
@operation(descriptions={204: "Deleted"})
@api_token_required
async def delete_product_mark(product_id: UUID) -> Response:
    """Delete the mark of a product; its alerts are resolved."""
    if not await marks.delete_mark(pool(), product_id):
        raise no_mark(product_id)
    return Response(b"", status=204)
