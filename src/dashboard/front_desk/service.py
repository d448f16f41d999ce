"""Decisions about orders, each in the caller's transaction, its message back to the provider written along."""

from common.db.pool import Connection
from common.outbox.queries import enqueue
from common.web.errors import Conflict, Invalid, NotFound
from dashboard.front_desk import queries
from dashboard.front_desk.callback_address import is_under
from dashboard.front_desk.models import Decision, Order, OrderInput

TOPIC = "decision"
"""Topic of the outbox: decisions on their way to the provider."""


async def receive_order(connection: Connection, order: OrderInput, provider_url: str) -> tuple[Order, bool]:
    """Take an order in, or note how a known one stands by now; whether it is new.

    Raises Invalid for a callback address that is not under the provider's, and Conflict where the id is known with
    another table.
    """
    if not is_under(order.callback_url, provider_url):
        raise Invalid.field("callback_url", "is not under the provider's address")
    await queries.lock_order_id(connection, order.id)
    known = await queries.select_order_for_update(connection, order.id)
    if known is None:
        await queries.insert_order(connection, order)
    elif known.table_id != order.table_id:
        raise Conflict(f"Order {order.id} is known with another table.", code="order_exists")
    else:
        await queries.update_provider_status(connection, known, order.status)
    return await known_order(connection, order.id), known is None


async def known_order(connection: Connection, order_id: int) -> Order:
    """An order that nobody else changes until the transaction ends. Raises NotFound."""
    order = await queries.select_order_for_update(connection, order_id)
    if order is None:
        raise NotFound(f"There is no order {order_id}.")
    return order


async def decide(connection: Connection, order_id: int, decision: Decision, actor: str) -> Order:
    """Confirm or decline an order that waits; the same once more is harmless. Raises NotFound, or Conflict.

    Decisions on one table reach the provider in the order in which they were made: of two confirmations of the same
    time the first one holds, also where the provider was down in between.
    """
    order = await known_order(connection, order_id)
    if order.decision == decision and order.status != "cancelled":
        return order
    if not await queries.update_decision(connection, order, decision, actor):
        raise Conflict(f"The order is {order.status}.", code=f"order_{order.status}")
    payload = {"table_id": order.table_id, "order_id": order.id, "decision": decision, "decided_by": actor}
    await enqueue(connection, TOPIC, f"table:{order.table_id}", f"order {order.id} decided", payload)
    return await known_order(connection, order_id)
