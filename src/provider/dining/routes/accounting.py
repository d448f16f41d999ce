"""HTTP of the accounting program's decisions."""

from datetime import UTC, datetime

from quart import Blueprint, Response
from quart_schema import document_response, security_scheme, tag

from common.db.pool import transaction
from common.web.openapi.document import operation
from common.web.request_body import json_body
from common.web.resources import pool
from common.web.responses import json_response
from common.web.signature import signed
from provider.dining import service
from provider.dining.inputs import DecisionInput
from provider.dining.models import DecisionResult
from provider.dining.settings import DECISIONS_PATH
from provider.resources import resources

blueprint = Blueprint("dining_accounting", __name__)

TAG = "dining: accounting program"


@blueprint.post(DECISIONS_PATH)
@operation(401, 404, 409, request_example={"order_id": 1, "decision": "confirm", "decided_by": "front desk"},
           example={"order_id": 1, "status": "confirmed", "reason": None})  # fmt: skip
@tag([TAG])
@security_scheme([{"signature": []}])
@signed(lambda: resources().dining.accounting_secret)
@document_response(DecisionResult)
@json_body(DecisionInput)
async def apply_decision(data: DecisionInput) -> Response:
    """Apply the accounting program's decision about an order. Repeating it changes nothing and gives the same answer.

    409 when it is too late (the guest cancelled, or the time of the order has passed) or would overlap a confirmed
    booking of the table.
    """
    async with transaction(pool()) as connection:
        return json_response(await service.apply_decision(connection, resources().dining, data, datetime.now(UTC)))
