"""SQL of the front desk. An order's key is its table and its id; an index finds it by its id alone."""

from datetime import date, datetime, timedelta

from common.db.locks import FRONT_DESK_ORDER_LOCK
from common.db.pool import Executor
from dashboard.front_desk.inputs import OrderInput
from dashboard.front_desk.models import LONG_WAIT, SOON, Decision, DeskCounts, Order, ProviderStatus, Status

_ORDER_COLUMNS = """
    id, status, table_id, table_type, seats, price, currency, name, email, phone, guests, starts_at, timezone, day,
    minutes, notes, ordered_at, received_at, decision, decided_at,
    CASE WHEN decision IS NOT NULL THEN delivered END AS delivered, reason, decline_reason, mail_failure, changed_at,
    was_confirmed
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
             ordered_at, provider_status, erased_at, timezone, currency, notes, decline_reason, mail_failure)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,
                CASE WHEN $15 THEN clock_timestamp() END, $16, $17, $18, $19, $20)
        RETURNING {_ORDER_COLUMNS}
        """,  # noqa: S608 - constant columns
        order.table_id, order.id, order.callback_url, order.table_type, order.seats, order.price, order.name,
        order.email, order.phone, order.guests, order.starts_at, order.minutes, order.ordered_at, order.status,
        order.erased, order.timezone, order.currency, order.notes, order.decline_reason, order.mail_failure,
    )  # fmt: skip
    assert row is not None
    return Order(**row)


async def update_provider_status(
    db: Executor, table_id: int, order_id: int, status: ProviderStatus, decline_reason: str | None = None
) -> Order | None:
    """Store the provider's status of an order; None if it is unchanged or older than the stored one.

    decline_reason: why it was declined or cancelled; None leaves the one that the staff gave.
    """
    row = await db.fetchrow(
        f"""
        UPDATE front_desk_order
           SET provider_status = $3,
               decline_reason = CASE WHEN erased_at IS NULL THEN coalesce($4, decline_reason) END,
               changed_at = CASE WHEN status <> $3 THEN clock_timestamp() ELSE changed_at END,
               was_confirmed = $3 = 'cancelled'
                   AND (provider_status = 'confirmed' OR (decision = 'confirm' AND delivered))
         WHERE table_id = $1 AND id = $2
           AND (provider_status = 'waiting' OR (provider_status = 'confirmed' AND $3 = 'cancelled'))
        RETURNING {_ORDER_COLUMNS}
        """,  # noqa: S608 - constant columns
        table_id, order_id, status, decline_reason,
    )  # fmt: skip
    return Order(**row) if row else None


async def update_mail_failure(db: Executor, table_id: int, order_id: int, failure: str | None) -> Order | None:
    """Store which email did not reach the guest of an order (None: each did); None if the guest is erased."""
    row = await db.fetchrow(
        f"""
        UPDATE front_desk_order
           SET mail_failure = $3
         WHERE table_id = $1 AND id = $2 AND erased_at IS NULL
        RETURNING {_ORDER_COLUMNS}
        """,  # noqa: S608 - constant columns
        table_id, order_id, failure,
    )  # fmt: skip
    return Order(**row) if row else None


async def update_erased(db: Executor, table_id: int, order_id: int) -> Order | None:
    """Erase the guest of an order; None if that was done before."""
    row = await db.fetchrow(
        f"""
        UPDATE front_desk_order
           SET name = NULL, email = NULL, phone = NULL, notes = NULL, decline_reason = NULL, mail_failure = NULL,
               erased_at = clock_timestamp()
         WHERE table_id = $1 AND id = $2 AND erased_at IS NULL
        RETURNING {_ORDER_COLUMNS}
        """,  # noqa: S608 - constant columns
        table_id, order_id,
    )  # fmt: skip
    return Order(**row) if row else None


async def update_reasons_erased(db: Executor, topic: str, subject: str, order_id: int) -> None:
    """Erase the reasons from the decisions on an order, which may quote its guest."""
    await db.execute(
        """
        UPDATE outbox
           SET payload = payload - 'reason'
         WHERE subject = $2 AND topic = $1 AND (payload ->> 'order_id')::bigint = $3
        """,
        topic, subject, order_id,
    )  # fmt: skip


async def update_decision(
    db: Executor, order: Order, decision: Decision, actor: str, decline_reason: str | None
) -> tuple[Order, int] | None:
    """Store a decision of staff; returns the order and the number of the decision, None if it is no longer waiting."""
    row = await db.fetchrow(
        f"""
        UPDATE front_desk_order
           SET decision = $3,
               decided_at = clock_timestamp(),
               decided_by = $4,
               decision_number = decision_number + 1,
               reason = NULL,
               decline_reason = $5,
               changed_at = clock_timestamp()
         WHERE table_id = $1 AND id = $2 AND status = 'waiting'
        RETURNING {_ORDER_COLUMNS}, decision_number
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
           SET delivered = true
         WHERE table_id = $1 AND id = $2 AND decision_number = $3 AND decision IS NOT NULL
        """,
        table_id, order_id, number,
    )  # fmt: skip


async def update_refused(db: Executor, table_id: int, order_id: int, number: int, reason: str) -> None:
    """Take back the decision with this number, if it is the last one and not accepted: the order waits again."""
    await db.execute(
        """
        UPDATE front_desk_order
           SET decision = NULL,
               decided_at = NULL,
               decided_by = NULL,
               reason = $4,
               decline_reason = CASE WHEN provider_status = 'waiting' THEN NULL ELSE decline_reason END,
               changed_at = CASE WHEN provider_status = 'waiting' THEN clock_timestamp() ELSE changed_at END
         WHERE table_id = $1 AND id = $2 AND decision_number = $3 AND decision IS NOT NULL AND NOT delivered
        """,
        table_id, order_id, number, reason,
    )  # fmt: skip


async def select_order_for_update(db: Executor, order_id: int) -> Order | None:
    row = await db.fetchrow(
        f"""
        SELECT {_ORDER_COLUMNS}
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


async def select_order(db: Executor, order_id: int) -> Order | None:
    row = await db.fetchrow(
        f"SELECT {_ORDER_COLUMNS} FROM front_desk_order WHERE id = $1",  # noqa: S608 - constant columns
        order_id,
    )
    return Order(**row) if row else None


async def select_orders(
    db: Executor, day: date | None, status: Status | None, before: int | None, limit: int
) -> list[Order]:
    """Orders, newest first; those with an id below `before`, if given. day: by the clocks of the restaurant."""
    rows = await db.fetch(
        f"""
        SELECT {_ORDER_COLUMNS}
          FROM front_desk_order
         WHERE ($1::text IS NULL OR status = $1)
           AND ($2::bigint IS NULL OR id < $2)
           AND ($4::date IS NULL OR day = $4)
         ORDER BY id DESC
         LIMIT $3
        """,  # noqa: S608 - constant columns
        status, before, limit, day,
    )  # fmt: skip
    return [Order(**row) for row in rows]


async def select_waiting(db: Executor, now: datetime, limit: int) -> list[Order]:
    """The waiting orders whose time has not passed, oldest first."""
    rows = await db.fetch(
        f"""
        SELECT {_ORDER_COLUMNS}
          FROM front_desk_order
         WHERE status = 'waiting' AND (ends_at IS NULL OR ends_at > $1)
         ORDER BY id
         LIMIT $2
        """,  # noqa: S608 - constant columns
        now, limit,
    )  # fmt: skip
    return [Order(**row) for row in rows]


async def select_waiting_count(db: Executor, now: datetime) -> int:
    """How many orders wait whose time has not passed."""
    return await db.fetchval(
        "SELECT count(*) FROM front_desk_order WHERE status = 'waiting' AND (ends_at IS NULL OR ends_at > $1)", now
    )


async def select_desk_counts(db: Executor, now: datetime) -> DeskCounts:
    """How many orders wait whose time has not passed, since when, and how many confirmed tables begin soon."""
    row = await db.fetchrow(
        """
        SELECT waiting, late, oldest, coming
          FROM (SELECT count(*) AS waiting, min(received_at) AS oldest,
                       count(*) FILTER (WHERE received_at < $1::timestamptz - $2::interval) AS late
                  FROM front_desk_order
                 WHERE status = 'waiting' AND (ends_at IS NULL OR ends_at > $1)) AS order_waiting
         CROSS JOIN (SELECT count(*) AS coming
                       FROM front_desk_order
                      WHERE status = 'confirmed' AND starts_at BETWEEN $1 AND $1 + $3::interval) AS order_coming
        """,
        now,
        LONG_WAIT,
        SOON,
    )
    assert row is not None
    return DeskCounts(*row)


async def select_freed(db: Executor, now: datetime, limit: int) -> list[Order]:
    """The confirmed orders that were cancelled and whose time has not passed, or since yesterday; latest first."""
    rows = await db.fetch(
        f"""
        SELECT {_ORDER_COLUMNS}
          FROM front_desk_order
         WHERE was_confirmed AND provider_status = 'cancelled'
           AND coalesce(ends_at, changed_at + interval '1 day') > $1
         ORDER BY changed_at DESC, id DESC
         LIMIT $2
        """,  # noqa: S608 - constant columns
        now, limit,
    )  # fmt: skip
    return [Order(**row) for row in rows]


async def select_settled(db: Executor, limit: int) -> list[Order]:
    """The settled orders, that is those no longer waiting; that whose status changed last first."""
    rows = await db.fetch(
        f"""
        SELECT {_ORDER_COLUMNS}
          FROM front_desk_order
         WHERE status <> 'waiting'
         ORDER BY changed_at DESC, id DESC
         LIMIT $1
        """,  # noqa: S608 - constant columns
        limit,
    )
    return [Order(**row) for row in rows]


async def insert_session(db: Executor, token_hash: bytes, lifetime: timedelta) -> None:
    await db.execute(
        "INSERT INTO front_desk_session (token_hash, expires_at) VALUES ($1, now() + $2::interval)",
        token_hash,
        lifetime,
    )


async def select_session(db: Executor, token_hash: bytes) -> datetime | None:
    """When the session expires; None if it is unknown or has expired."""
    return await db.fetchval(
        "SELECT expires_at FROM front_desk_session WHERE token_hash = $1 AND expires_at > now()", token_hash
    )


async def delete_session(db: Executor, token_hash: bytes) -> None:
    await db.execute("DELETE FROM front_desk_session WHERE token_hash = $1", token_hash)


async def delete_old_sessions(db: Executor, keep: timedelta, limit: int) -> int:
    """Delete up to `limit` sessions that expired longer ago than `keep`; returns how many."""
    return await db.fetchval(
        """
        WITH deleted AS (
            DELETE FROM front_desk_session
             WHERE token_hash IN (
                SELECT token_hash
                  FROM front_desk_session
                 WHERE expires_at < now() - $1::interval
                 LIMIT $2
             )
            RETURNING 1
        )
        SELECT count(*) FROM deleted
        """,
        keep, limit,
    )  # fmt: skip
