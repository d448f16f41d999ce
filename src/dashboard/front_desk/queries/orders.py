"""SQL that changes orders; each change is noted in `updated_at`.

The key of an order is its table and its id; an index finds it by the id alone.
"""

from common.db.locks import FRONT_DESK_ORDER_LOCK
from common.db.pool import Executor
from dashboard.front_desk.inputs import OrderInput
from dashboard.front_desk.models import Decision, Order, ProviderStatus

ORDER_COLUMNS = """
    id, status, table_id, table_type, seats, price, currency, name, email, phone, guests, starts_at, timezone, day,
    minutes, notes, ordered_at, received_at, decision, decided_at,
    CASE WHEN decision IS NOT NULL THEN delivered END AS delivered, refusal_reason, decline_reason, mail_failure,
    changed_at, was_confirmed
"""
"""The columns of an `Order`."""


async def lock_order_id(db: Executor, order_id: int) -> None:
    """Let no other transaction receive an order with this id until this one ends: the key permits one per table."""
    await db.execute("SELECT pg_advisory_xact_lock($1, hashint8($2))", FRONT_DESK_ORDER_LOCK, order_id)


async def insert_order(db: Executor, order: OrderInput) -> Order:
    row = await db.fetchrow(
        f"""
        INSERT INTO front_desk_order
            (table_id, id, callback_url, table_type, seats, price, name, email, phone, guests, starts_at, minutes,
             ordered_at, provider_status, erased_at, timezone, currency, notes, provider_reason, mail_failure)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,
                CASE WHEN $15 THEN clock_timestamp() END, $16, $17, $18, $19, $20)
        RETURNING {ORDER_COLUMNS}
        """,  # noqa: S608 - constant columns
        order.table_id, order.id, order.callback_url, order.table_type, order.seats, order.price, order.name,
        order.email, order.phone, order.guests, order.starts_at, order.minutes, order.ordered_at, order.status,
        order.erased, order.timezone, order.currency, order.notes, order.decline_reason, order.mail_failure,
    )  # fmt: skip
    assert row is not None
    return Order(**row)


async def update_provider_status(
    db: Executor, table_id: int, order_id: int, status: ProviderStatus, reason: str | None
) -> Order | None:
    """Store the provider's status of an order; None if it is older than the stored one.

    The newest status holds, but a final one is never followed by `waiting` or `confirmed`. reason: why the order was
    declined or cancelled, as the guest is told. With the stored status, None leaves the stored reason: not every
    message about a status says why.
    """
    row = await db.fetchrow(
        f"""
        UPDATE front_desk_order
           SET provider_status = $3,
               provider_reason = CASE
                   WHEN erased_at IS NOT NULL THEN NULL
                   WHEN provider_status = $3 THEN coalesce($4, provider_reason)
                   ELSE $4
               END,
               changed_at = CASE WHEN status <> $3 THEN clock_timestamp() ELSE changed_at END,
               was_confirmed = CASE
                   WHEN provider_status = $3 THEN was_confirmed
                   ELSE $3 = 'cancelled' AND (provider_status = 'confirmed' OR (decision = 'confirm' AND delivered))
               END,
               updated_at = clock_timestamp()
         WHERE table_id = $1 AND id = $2
           AND (provider_status IN ('waiting', $3) OR $3 IN ('declined', 'cancelled', 'expired'))
        RETURNING {ORDER_COLUMNS}
        """,  # noqa: S608 - constant columns
        table_id, order_id, status, reason,
    )  # fmt: skip
    return Order(**row) if row else None


async def update_mail_failure(db: Executor, table_id: int, order_id: int, failure: str | None) -> Order | None:
    """Store which email did not reach the guest of an order (None: each did); None if the guest is erased."""
    row = await db.fetchrow(
        f"""
        UPDATE front_desk_order
           SET mail_failure = $3, updated_at = clock_timestamp()
         WHERE table_id = $1 AND id = $2 AND erased_at IS NULL
        RETURNING {ORDER_COLUMNS}
        """,  # noqa: S608 - constant columns
        table_id, order_id, failure,
    )  # fmt: skip
    return Order(**row) if row else None


async def update_erased(db: Executor, table_id: int, order_id: int) -> Order | None:
    """Erase the guest of an order; None if that was done before."""
    row = await db.fetchrow(
        f"""
        UPDATE front_desk_order
           SET name = NULL, email = NULL, phone = NULL, notes = NULL, staff_reason = NULL, provider_reason = NULL,
               mail_failure = NULL, erased_at = clock_timestamp(), updated_at = clock_timestamp()
         WHERE table_id = $1 AND id = $2 AND erased_at IS NULL
        RETURNING {ORDER_COLUMNS}
        """,  # noqa: S608 - constant columns
        table_id, order_id,
    )  # fmt: skip
    return Order(**row) if row else None


async def update_reasons_erased(db: Executor, topic: str, subject: str, order_id: int) -> None:
    """Erase the reasons, which may quote the guest, from the decisions on an order and from the provider's answers."""
    await db.execute(
        """
        UPDATE outbox
           SET payload = payload - 'reason',
               outcome = CASE jsonb_typeof(outcome) WHEN 'object' THEN outcome - 'decline_reason' ELSE outcome END
         WHERE subject = $2 AND topic = $1 AND (payload ->> 'order_id')::bigint = $3
        """,
        topic, subject, order_id,
    )  # fmt: skip


async def select_is_erased(db: Executor, table_id: int, order_id: int) -> bool:
    """Whether the guest of an order is erased."""
    return await db.fetchval(
        "SELECT erased_at IS NOT NULL FROM front_desk_order WHERE table_id = $1 AND id = $2", table_id, order_id
    )


async def update_decision(
    db: Executor, order: Order, decision: Decision, actor: str, decline_reason: str | None
) -> tuple[Order, int] | None:
    """Store a decision of staff; returns the order and the number of the decision, None if it is no longer waiting.

    decline_reason: not stored for an erased guest.
    """
    row = await db.fetchrow(
        f"""
        UPDATE front_desk_order
           SET decision = $3,
               decided_at = clock_timestamp(),
               decided_by = $4,
               decision_number = decision_number + 1,
               refusal_reason = NULL,
               staff_reason = CASE WHEN erased_at IS NULL THEN $5 END,
               changed_at = clock_timestamp(),
               updated_at = clock_timestamp()
         WHERE table_id = $1 AND id = $2 AND status = 'waiting'
        RETURNING {ORDER_COLUMNS}, decision_number
        """,  # noqa: S608 - constant columns
        order.table_id, order.id, decision, actor, decline_reason,
    )  # fmt: skip
    if row is None:
        return None
    fields = dict(row)
    number = fields.pop("decision_number")
    return Order(**fields), number


async def update_delivered(db: Executor, table_id: int, order_id: int, number: int) -> None:
    """Record that the provider has accepted the decision with this number, if it is the last one."""
    await db.execute(
        """
        UPDATE front_desk_order
           SET delivered = true, updated_at = clock_timestamp()
         WHERE table_id = $1 AND id = $2 AND decision_number = $3 AND decision IS NOT NULL
        """,
        table_id, order_id, number,
    )  # fmt: skip


async def update_refused(db: Executor, table_id: int, order_id: int, number: int, refusal_reason: str) -> None:
    """Take back the decision with this number and its reason, if it is the last one and was not accepted.

    The order then waits, or has the status that the provider reported.
    """
    await db.execute(
        """
        UPDATE front_desk_order
           SET decision = NULL,
               decided_at = NULL,
               decided_by = NULL,
               refusal_reason = $4,
               staff_reason = NULL,
               changed_at = CASE WHEN provider_status = 'waiting' THEN clock_timestamp() ELSE changed_at END,
               updated_at = clock_timestamp()
         WHERE table_id = $1 AND id = $2 AND decision_number = $3 AND decision IS NOT NULL AND NOT delivered
        """,
        table_id, order_id, number, refusal_reason,
    )  # fmt: skip


async def select_order_for_update(db: Executor, order_id: int) -> Order | None:
    row = await db.fetchrow(
        f"""
        SELECT {ORDER_COLUMNS}
          FROM front_desk_order
         WHERE id = $1
           FOR UPDATE
        """,  # noqa: S608 - constant columns
        order_id,
    )
    return Order(**row) if row else None


async def select_callback_url(db: Executor, table_id: int, order_id: int) -> str:
    return await db.fetchval(
        "SELECT callback_url FROM front_desk_order WHERE table_id = $1 AND id = $2", table_id, order_id
    )
