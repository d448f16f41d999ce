"""HTTP of alerts, and of the announcements that have not reached their receiver."""

from quart import Blueprint, Response
from quart_schema import document_response, tag_blueprint

from common.outbox import admin
from common.outbox.admin import MessageState
from common.web.bearer import operations_token_required
from common.web.errors import Conflict, NotFound
from common.web.input_types import MAX_ID, PageQuery
from common.web.openapi.document import LINK_HEADER, operation
from common.web.pagination import CursorId, decode_cursor, page_and_link
from common.web.query_string import validate_querystring
from common.web.resources import pool
from common.web.responses import json_response
from common.web.table_response import table
from dashboard.alerts.inputs import AlertsQuery
from dashboard.alerts.models import TOPIC, Alert
from dashboard.alerts.queries.alerts import select_alerts
from dashboard.alerts.service import hidden_rules
from dashboard.resources import resources

blueprint = Blueprint("alerts", __name__, url_prefix="/alerts")
TAG = "alerts"
tag_blueprint(blueprint, [TAG])

EXAMPLE_ALERT = {
    "id": 17,
    "rule": "feed_behind",
    "subject": "main",
    "state": "firing",
    "at": "2020-01-01T12:10:00Z",
    "detail": "The feed is counted through 2020-01-01 12:04 UTC only.",
    "since": "2020-01-01T12:10:00Z",
}
EXAMPLE_MESSAGE = {
    "id": 1,
    "topic": "alert",
    "subject": "feed_behind main",
    "event": "17",
    "state": "waiting",
    "attempts": 3,
    "created_at": "2020-01-01T12:10:00Z",
    "due_at": "2020-01-01T12:10:12Z",
    "sent_at": None,
    "settled_at": None,
    "last_error": "UpstreamError: the receiver answered 503",
}


@blueprint.get("")
@operation(headers={200: LINK_HEADER}, example=[EXAMPLE_ALERT])
@operations_token_required
@table("alerts", Alert)
@validate_querystring(AlertsQuery)
@document_response(list[Alert])
async def list_alerts(query_args: AlertsQuery) -> Response:
    """The alerts that fire, and those that are resolved; the latest change of state first.

    While the catalogue needs its token, and operators need none, alerts about prices and stock are left out.
    """
    before = decode_cursor(query_args.cursor, tuple[CursorId])[0] if query_args.cursor else None
    hidden = hidden_rules(resources().config, for_operators=True)
    found = await select_alerts(pool(), query_args.state, query_args.rule, hidden, before, query_args.limit + 1)
    page, headers = page_and_link(found, query_args.limit, lambda last: (last.id,))
    return json_response(page, headers=headers)


@blueprint.get("/outbox")
@operation(headers={200: LINK_HEADER}, example=[EXAMPLE_MESSAGE])
@operations_token_required
@table("messages", MessageState)
@validate_querystring(PageQuery)
@document_response(list[MessageState])
async def list_alert_messages(query_args: PageQuery) -> Response:
    """Announcements that have not reached the receiver, newest first, with the last error: to be retried, or dead."""
    before = decode_cursor(query_args.cursor, tuple[CursorId])[0] if query_args.cursor else None
    found = await admin.select_messages(pool(), ["waiting", "dead"], before, query_args.limit + 1, TOPIC)
    page, headers = page_and_link(found, query_args.limit, lambda last: (last.id,))
    return json_response(page, headers=headers)


@blueprint.post(f"/outbox/<int(min=1, max={MAX_ID}):message_id>/retry")
@operation(409, descriptions={204: "The announcement is due now", 409: "A later change of its subject replaces it"})
@operations_token_required
async def retry_alert_message(message_id: int) -> Response:
    """Send a dead announcement once more, unless a later one about the same rule and subject exists.

    The older state would then be the last that the receiver gets.
    """
    result = await admin.retry_last_dead_message(pool(), message_id, TOPIC)
    if result is None:
        raise NotFound(f"There is no dead message {message_id}.")
    if result == "replaced":
        raise Conflict(
            f"Message {message_id} cannot be retried: a later message about its rule and subject was sent, waits, or "
            "was given up itself. GET /alerts/outbox lists the messages; retry the last one of the subject.",
            code="replaced_by_later_message",
        )
    return Response(status=204)
