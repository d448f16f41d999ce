"""Timed work of the front desk: send decisions to the provider."""

import time
from typing import Any

import aiohttp
import asyncpg
import msgspec

from common.db.pool import Connection
from common.jobs.lease import JobResult
from common.outbox.delivery import DEFAULT_POLICY, Delivery, OutcomeNotStoredError, Policy, deliver
from common.outbox.queries import Message
from common.upstream import ResponseTooLargeError, Upstream, UpstreamError, read_body
from common.web import responses, signature
from common.web.errors import Problem
from common.web.input_types import parse_notes
from dashboard.front_desk.callback_address import is_under
from dashboard.front_desk.models import DecisionOutcome, ProviderStatus
from dashboard.front_desk.queries import orders
from dashboard.front_desk.service import TOPIC
from dashboard.front_desk.settings import FrontDeskSettings

ACCEPTED_STATUS = 200
DECISION_FIELDS = ("order_id", "decision", "decided_by", "reason")
MAX_RESPONSE_BYTES = 64 * 1024
MAX_REASON_LENGTH = 300
TRANSIENT_STATUSES = frozenset({401, 408, 425, 429})
"""Of the 4xx, those after which a decision is sent again: time, a corrected secret or a corrected clock may help."""
REFUSAL_STATUSES = frozenset(range(400, 500)) - TRANSIENT_STATUSES
"""The provider refuses the decision for good."""


class DecisionReply(msgspec.Struct):
    """The provider's answer to a decision; further fields are ignored."""

    status: ProviderStatus
    reason: Any = None
    """Why the order was declined or cancelled, as the guest is told."""


async def send_decisions(
    db: asyncpg.Pool,
    client: aiohttp.ClientSession,
    settings: FrontDeskSettings,
    policy: Policy = DEFAULT_POLICY,
) -> JobResult:
    """Send the decisions that are due, signed anew at each attempt, and store the provider's answers.

    The order of a decision that is refused, or that cannot be delivered, waits again, with the reason.
    """

    async def send(message: Message) -> DecisionOutcome:
        payload = message.payload
        address = await orders.select_callback_url(db, payload["table_id"], payload["order_id"])
        if not is_under(address, settings.provider_url):
            raise UpstreamError(f"{address} is not under DASHBOARD_PROVIDER_URL")
        body = responses.encode_json({name: payload[name] for name in DECISION_FIELDS if payload.get(name) is not None})
        return await post_decision(client, address, body, settings)

    async def store(connection: Connection, message: Message, outcome: Any) -> None:
        answer = msgspec.convert(msgspec.to_builtins(outcome), DecisionOutcome)
        key = message.payload["table_id"], message.payload["order_id"]
        if answer.status is not None:
            await orders.update_provider_status(connection, *key, answer.status, answer.decline_reason)
        if answer.refusal_reason is None:
            await orders.update_delivered(connection, *key, message.payload["number"])
        else:
            await orders.update_refused(connection, *key, message.payload["number"], answer.refusal_reason)

    async def bury(connection: Connection, message: Message, error: str) -> None:
        key = message.payload["table_id"], message.payload["order_id"]
        told = error.startswith(OutcomeNotStoredError.__name__)
        what = "The answer of the restaurant could not be stored." if told else "The restaurant could not be told."
        reason = f"{what} {error}"[:MAX_REASON_LENGTH]
        await orders.update_refused(connection, *key, message.payload["number"], reason)
        if await orders.select_is_erased(connection, *key):
            # The guest was erased before the answer of the provider was kept, which may quote the guest.
            await orders.update_reasons_erased(connection, TOPIC, message.subject, message.payload["order_id"])

    return await deliver(db, Delivery(TOPIC, send, store, bury, policy))


async def post_decision(
    client: aiohttp.ClientSession, address: str, body: bytes, settings: FrontDeskSettings
) -> DecisionOutcome:
    """Send a decision; returns the provider's answer.

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
            return acceptance_of(answer)
        return refusal_of(answer) or DecisionOutcome(f"The provider answered {response.status}.", None)


def acceptance_of(answer: bytes) -> DecisionOutcome:
    """What an answer with the status 200 says; one that cannot be read says only that the decision is accepted.

    A reason that is not valid does not make the status unreadable.
    """
    try:
        reply = msgspec.json.decode(answer, type=DecisionReply)
    except msgspec.MsgspecError:
        return DecisionOutcome(None, None)
    try:
        return DecisionOutcome(None, reply.status, parse_notes(reply.reason))
    except ValueError:
        return DecisionOutcome(None, reply.status)


def refusal_of(answer: bytes) -> DecisionOutcome | None:
    """The reason and the order's status in a problem document; None for any other answer.

    The code of a refusal because of the order's status is "booking_" and that status.
    """
    try:
        problem = msgspec.json.decode(answer, type=Problem)
    except msgspec.MsgspecError:
        return None
    reason = problem.detail[:MAX_REASON_LENGTH].replace("\0", "")
    prefix, _, name = problem.code.partition("_")
    try:
        status = msgspec.convert(name, ProviderStatus) if prefix == "booking" else None
    except msgspec.ValidationError:
        status = None
    return DecisionOutcome(reason, status) if reason else None
