"""What leaves the front desk's outbox: decisions, back to where the order came from."""

import time

import aiohttp
import asyncpg
import msgspec

from common.db.pool import Connection
from common.jobs.lease import JobResult
from common.outbox import delivery
from common.outbox.delivery import ApplyOutcome, Policy
from common.outbox.queries import Message
from common.upstream import Upstream, UpstreamError
from common.web import responses, signature
from common.web.errors import Problem
from dashboard.front_desk import queries
from dashboard.front_desk.callback_address import is_under
from dashboard.front_desk.models import ProviderStatus
from dashboard.front_desk.service import TOPIC
from dashboard.front_desk.settings import Settings

ACCEPTED = 200
REFUSALS = frozenset({400, 404, 409})
"""Answers that say no to this decision; anything else, a refused signature included, may pass and is tried again."""


class Decided(msgspec.Struct):
    """The provider's answer to a decision; whatever else it says is its own."""

    status: ProviderStatus


async def send_decisions(
    db: asyncpg.Pool, client: aiohttp.ClientSession, settings: Settings, policy: Policy | None = None
) -> JobResult:
    """Send the decisions that are due, signed anew at each attempt, and note what the provider makes of them."""

    async def send(message: Message) -> ApplyOutcome:
        payload = message.payload
        table_id, order_id = payload["table_id"], payload["order_id"]
        address = await queries.select_callback_url(db, table_id, order_id)
        if not is_under(address, settings.provider_url):
            raise UpstreamError(f"{address} is not under DASHBOARD_PROVIDER_URL")
        body = responses.encode_json({name: payload[name] for name in ("order_id", "decision", "decided_by")})
        reason, status = await call_back(client, address, body, settings)

        async def apply(connection: Connection) -> None:
            await queries.update_outcome(connection, table_id, order_id, reason)
            if status is not None:
                order = await queries.select_order_for_update(connection, order_id)
                assert order is not None
                await queries.update_provider_status(connection, order, status)

        return apply

    return await delivery.deliver(db, TOPIC, send, policy)


async def call_back(
    client: aiohttp.ClientSession, address: str, body: bytes, settings: Settings
) -> tuple[str | None, ProviderStatus | None]:
    """Why the provider refused the decision, None where it accepted it; and how the order stands now, if it said so.

    Raises UpstreamError where there was no answer to rely on.
    """
    headers = {
        "Content-Type": "application/json",
        signature.SIGNATURE_HEADER: signature.sign(settings.accounting_secret, body, time.time()),
    }
    provider = Upstream(client, "order_callback", "")
    async with provider.call("POST", address, data=body, headers=headers, accept=REFUSALS | {ACCEPTED}) as response:
        answer = await response.content.read(64 * 1024)
        if response.status == ACCEPTED:
            return None, status_of(answer)
        return reason_of(answer) or f"The provider answered {response.status}.", None


def status_of(answer: bytes) -> ProviderStatus | None:
    try:
        return msgspec.json.decode(answer, type=Decided).status
    except msgspec.MsgspecError:
        return None


def reason_of(answer: bytes) -> str:
    """The detail of a problem document; empty where there is none to show."""
    try:
        return msgspec.json.decode(answer, type=Problem).detail[:300].replace("\0", "")
    except msgspec.MsgspecError:
        return ""
