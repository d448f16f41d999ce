"""Receive and decide orders in the caller's transaction, which also queues each decision for the provider."""

from datetime import datetime

from common.db.pool import Connection
from common.outbox.queries import enqueue
from common.web.errors import Conflict, Invalid, NotFound
from dashboard.front_desk import queries
from dashboard.front_desk.callback_address import is_under
from dashboard.front_desk.inputs import OrderInput
from dashboard.front_desk.models import Decision, Order, Status

TOPIC = "decision"
"""Outbox topic of the decisions for the provider."""

STATUS_AFTER: dict[Decision, Status] = {"confirm": "confirmed", "decline": "declined"}


async def receive_order(connection: Connection, order: OrderInput, provider_url: str) -> tuple[Order, bool]:
    """Store an order, or the new status of a known one; returns the order and whether it is new.

    Raises Invalid for a callback address that is not under `provider_url`, Conflict if the id is known with another
    table.
    """
    if not is_under(order.callback_url, provider_url):
        raise Invalid.field("callback_url", "is not under the provider's address")
    await queries.lock_order_id(connection, order.id)
    stored = await queries.select_order_for_update(connection, order.id)
    if stored is None:
        return await queries.insert_order(connection, without_erased_guest(order)), True
    if stored.table_id != order.table_id:
        raise Conflict(f"Order {order.id} is known with another table.", code="order_exists")
    updated = await queries.update_provider_status(connection, order.table_id, order.id, order.status)
    erased = await queries.update_erased(connection, order.table_id, order.id) if order.erased else None
    return erased or updated or stored, False


def without_erased_guest(order: OrderInput) -> OrderInput:
    """The order without its guest if the guest is erased: the sender may still name the guest to erase."""
    return order.model_copy(update={"name": None, "email": None, "phone": None}) if order.erased else order


async def decide(connection: Connection, order_id: int, decision: Decision, actor: str, now: datetime) -> Order:
    """Confirm or decline a waiting order; repeating the same decision changes nothing.

    Raises NotFound for an unknown order, Conflict for one that is not waiting, or to confirm one whose time has passed.
    Decisions on one table reach the provider in the order in which they were made, even after an outage: the first of
    two confirmations for the same time holds.
    """
    order = await queries.select_order_for_update(connection, order_id)
    if order is None:
        raise NotFound(f"There is no order {order_id}.")
    if order.decision == decision and order.status == STATUS_AFTER[decision]:
        return order
    if order.status == "waiting" and decision == "confirm" and order.has_ended(now):
        raise Conflict("The time of the order has passed.", code="order_expired")
    decided = await queries.update_decision(connection, order, decision, actor)
    if decided is None:
        raise Conflict(f"The order is {order.status}.", code=f"order_{order.status}")
    changed, number = decided
    payload = {
        "table_id": order.table_id,
        "order_id": order.id,
        "number": number,
        "decision": decision,
        "decided_by": actor,
    }
    await enqueue(connection, TOPIC, f"table:{order.table_id}", f"order {order.id} decision {number}", payload)
    return changed
