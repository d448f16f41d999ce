"""Timed work of the front desk: send decisions to the provider, delete old records."""

import time

import aiohttp
import asyncpg
import msgspec

from common.db.pool import Connection
from common.jobs.lease import JobResult
from common.outbox import delivery
from common.outbox.delivery import ApplyOutcome, Policy
from common.outbox.queries import Message
from common.upstream import ResponseTooLargeError, Upstream, UpstreamError, read_body
from common.web import responses, signature
from common.web.errors import Problem
from dashboard.front_desk import queries
from dashboard.front_desk.callback_address import is_under
from dashboard.front_desk.models import ProviderStatus
from dashboard.front_desk.service import TOPIC
from dashboard.front_desk.settings import FrontDeskSettings

ACCEPTED_STATUS = 200
MAX_RESPONSE_BYTES = 64 * 1024
REFUSAL_STATUSES = frozenset({400, 404, 409})
"""The provider refuses the decision for good; other statuses, 401 for the signature included, are retried."""


class DecisionReply(msgspec.Struct):
    """The provider's answer to a decision; further fields are ignored."""

    status: ProviderStatus


async def send_decisions(
    db: asyncpg.Pool, client: aiohttp.ClientSession, settings: FrontDeskSettings, policy: Policy | None = None
) -> JobResult:
    """Send the decisions that are due, signed anew at each attempt, and store the provider's answers."""

    async def send(message: Message) -> ApplyOutcome:
        payload = message.payload
        table_id, order_id = payload["table_id"], payload["order_id"]
        address = await queries.select_callback_url(db, table_id, order_id)
        if not is_under(address, settings.provider_url):
            raise UpstreamError(f"{address} is not under DASHBOARD_PROVIDER_URL")
        body = responses.encode_json({name: payload[name] for name in ("order_id", "decision", "decided_by")})
        reason, status = await post_decision(client, address, body, settings)

        async def apply(connection: Connection) -> None:
            await queries.update_outcome(connection, table_id, order_id, reason)
            if status is not None:
                await queries.update_provider_status(connection, table_id, order_id, status)

        return apply

    return await delivery.deliver(db, TOPIC, send, policy)


async def post_decision(
    client: aiohttp.ClientSession, address: str, body: bytes, settings: FrontDeskSettings
) -> tuple[str | None, ProviderStatus | None]:
    """Send a decision; returns the reason for a refusal (None: accepted) and the order's status, if stated.

    Raises UpstreamError for a failed call and for a status other than 200 and `REFUSAL_STATUSES`.
    """
    headers = {
        "Content-Type": "application/json",
        signature.SIGNATURE_HEADER: signature.sign(settings.accounting_secret.current, body, time.time()),
    }
    provider = Upstream(client, "order_callback", "")
    async with provider.call(
        "POST", address, data=body, headers=headers, accept=REFUSAL_STATUSES | {ACCEPTED_STATUS}
    ) as response:
        try:
            answer = await read_body(response, MAX_RESPONSE_BYTES)
        except ResponseTooLargeError:
            answer = b""
        if response.status == ACCEPTED_STATUS:
            return None, status_of(answer)
        return reason_of(answer) or f"The provider answered {response.status}.", None


def status_of(answer: bytes) -> ProviderStatus | None:
    try:
        return msgspec.json.decode(answer, type=DecisionReply).status
    except msgspec.MsgspecError:
        return None


def reason_of(answer: bytes) -> str:
    """The detail of a problem document; empty for any other answer."""
    try:
        return msgspec.json.decode(answer, type=Problem).detail[:300].replace("\0", "")
    except msgspec.MsgspecError:
        return ""
