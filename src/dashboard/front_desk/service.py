"""Receive and decide orders in the caller's transaction, which also queues each decision for the provider."""

from datetime import datetime

from common.db.pool import Connection
from common.outbox.queries import enqueue
from common.web.errors import Conflict, Invalid, NotFound
from dashboard.front_desk.callback_address import is_under
from dashboard.front_desk.inputs import OrderInput
from dashboard.front_desk.models import STATUS_AFTER, Decision, Order
from dashboard.front_desk.queries import orders

TOPIC = "decision"
"""Outbox topic of the decisions for the provider."""

GUEST_FIELDS = ("name", "email", "phone", "notes", "decline_reason", "mail_failure")
"""What an order says of its guest, or may quote of it."""


def subject_of(table_id: int) -> str:
    """The subject of the decisions on the orders for a table."""
    return f"table:{table_id}"


def unknown_order(order_id: int) -> NotFound:
    return NotFound(f"There is no order {order_id}.")


async def receive_order(connection: Connection, order: OrderInput, provider_url: str) -> tuple[Order, bool]:
    """Store an order, or the new status of a known one; returns the order and whether it is new.

    Raises Invalid for a callback address that is not under `provider_url`, Conflict if the id is known with another
    table.
    """
    if not is_under(order.callback_url, provider_url):
        raise Invalid.field("callback_url", "is not under the provider's address")
    await orders.lock_order_id(connection, order.id)
    stored = await orders.select_order_for_update(connection, order.id)
    if stored is None:
        return await orders.insert_order(connection, without_erased_guest(order)), True
    if stored.table_id != order.table_id:
        raise Conflict(f"Order {order.id} is known with another table.", code="order_exists")
    key = order.table_id, order.id
    updated = await orders.update_provider_status(connection, *key, order.status, order.decline_reason)
    if order.mail_failure is not None or order.mail_delivered:
        updated = await orders.update_mail_failure(connection, *key, order.mail_failure) or updated
    erased = None
    if order.erased:
        erased = await orders.update_erased(connection, *key)
        await orders.update_reasons_erased(connection, TOPIC, subject_of(order.table_id), order.id)
    return erased or updated or stored, False


def without_erased_guest(order: OrderInput) -> OrderInput:
    """The order without its guest if the guest is erased: the sender may still name the guest to erase."""
    return order.model_copy(update=dict.fromkeys(GUEST_FIELDS)) if order.erased else order


async def decide(
    connection: Connection,
    order_id: int,
    decision: Decision,
    actor: str,
    now: datetime,
    decline_reason: str | None = None,
) -> Order:
    """Confirm or decline a waiting order; repeating the same decision changes nothing.

    decline_reason: the guest is told, unless the guest is erased.

    Raises NotFound for an unknown order, Conflict for one that is not waiting, or to confirm one whose time has passed.
    Decisions on one table reach the provider in the order in which they were made, even after an outage: the first of
    two confirmations for the same time holds.
    """
    order = await orders.select_order_for_update(connection, order_id)
    if order is None:
        raise unknown_order(order_id)
    if order.decision == decision and order.status == STATUS_AFTER[decision]:
        return order
    if order.status == "waiting" and decision == "confirm" and order.has_ended(now):
        raise Conflict("The time of the order has passed.", code="time_passed")
    decided = await orders.update_decision(connection, order, decision, actor, decline_reason)
    if decided is None:
        raise Conflict(f"The order is {order.status}.", code=f"order_{order.status}")
    changed, number = decided
    payload = {
        "table_id": order.table_id,
        "order_id": order.id,
        "number": number,
        "decision": decision,
        "decided_by": actor,
        "reason": changed.decline_reason,
    }
    await enqueue(connection, TOPIC, subject_of(order.table_id), f"order {order.id} decision {number}", payload)
    return changed
