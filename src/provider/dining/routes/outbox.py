"""HTTP of the restaurant's staff: the messages that were not sent."""

import msgspec
from quart import Blueprint, Response
from quart_schema import document_response, tag

from common.outbox import admin
from common.outbox.admin import MessageState
from common.web.errors import NotFound
from common.web.openapi.document import LINK_HEADER, operation
from common.web.pagination import decode_cursor, page_and_link
from common.web.query_string import validate_querystring
from common.web.resources import pool
from common.web.responses import json_response
from common.web.table_response import table
from provider.dining.inputs import (
    MessageIdQuery,
    OutboxQuery,
)
from provider.dining.models import (
    EXAMPLE_MESSAGE,
)
from provider.dining.notifications import MAIL_TOPIC
from provider.dining.routes.access import ADMIN_TAG, admin_only
from provider.resources import resources

blueprint = Blueprint("dining_outbox", __name__, url_prefix="/api/admin")


@blueprint.get("/outbox/")
@operation(401, 403, headers={200: LINK_HEADER}, example=[EXAMPLE_MESSAGE])
@tag([ADMIN_TAG])
@admin_only
@table("messages", MessageState)
@validate_querystring(OutboxQuery)
@document_response(list[MessageState])
async def list_messages(query_args: OutboxQuery) -> Response:
    """List unsent messages to guests and to the accounting program, newest first, with their last error.

    Waiting messages are retried automatically, dead ones only by `retry_message`.
    """
    before = decode_cursor(query_args.cursor, tuple[int])[0] if query_args.cursor else None
    found = await admin.select_messages(pool(), query_args.states, before, query_args.limit + 1)
    if resources().dining.smtp_url is None and not resources().dining.inbox:
        found = [explain_missing_smtp_url(message) for message in found]
    page, headers = page_and_link(found, query_args.limit, lambda last: (last.id,))
    return json_response(page, headers=headers)


def explain_missing_smtp_url(message: MessageState) -> MessageState:
    """Set the last error of an email that waits because no SMTP server is configured."""
    if message.topic != MAIL_TOPIC or message.state != "waiting":
        return message
    return msgspec.structs.replace(message, last_error="PROVIDER_SMTP_URL is not set; the email waits until it is.")


@blueprint.post("/retry_message/")
@operation(401, 404, descriptions={204: "The message is due now"})
@tag([ADMIN_TAG])
@admin_only
@validate_querystring(MessageIdQuery)
async def retry_message(query_args: MessageIdQuery) -> Response:
    """Retry a dead message once."""
    if not await admin.retry_dead_message(pool(), query_args.id):
        raise NotFound(f"There is no dead message {query_args.id}.")
    return Response(status=204)
