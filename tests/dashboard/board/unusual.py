"""What makes a line below "Look here", each as one change of the dashboard's database."""

from datetime import timedelta
from uuid import UUID

import asyncpg

from dashboard.bookings.decoding import RejectedEvent
from dashboard.bookings.queries.quarantine import upsert_quarantine
from tests.support.waiting import eventually


async def receive_order(db: asyncpg.Pool, ago: timedelta) -> None:
    await db.execute(
        """
        INSERT INTO front_desk_order (table_id, id, callback_url, table_type, seats, price, minutes, ordered_at,
                                      received_at, provider_status)
        SELECT 1, 1, 'http://provider.example/', 'window', 4, 10, 60, now() - $1::interval,
               now() - $1::interval, 'waiting'
        """,
        ago,
    )


async def poll_store_down(db: asyncpg.Pool) -> None:
    """A store that is always open, up yesterday and down since an hour ago."""
    await db.execute(
        """
        INSERT INTO store_poll (store_id, polled_at, active)
        VALUES ('corner', now() - interval '1 day', true), ('corner', now() - interval '1 hour', false)
        """
    )
    await db.execute(
        """
        INSERT INTO store (store_id, timezone, first_polled_at, last_polled_at)
        SELECT store_id, 'UTC', min(polled_at), max(polled_at) FROM store_poll GROUP BY store_id
        """
    )
    await db.execute(
        """
        INSERT INTO poll_span (span_start, first_polled_at, last_polled_at)
        SELECT date_bin('5 minutes', polled_at, '2000-01-01 00:00:00+00'), polled_at, polled_at FROM store_poll
        """
    )
    await db.execute(
        """
        INSERT INTO store_import (
            kind, source, rows, new, changed, rejected_total, rejected, notices, started_at, made_by
        )
        VALUES ('status', 'test', 2, 2, true, 0, '[]', '{}', now(), 'test')
        """
    )


async def lower_price(db: asyncpg.Pool, days_known: int = 40) -> None:
    product = UUID(int=5)
    await db.execute("INSERT INTO product (product_id, name, description) VALUES ($1, 'Towels', '')", product)
    await db.execute(
        """
        INSERT INTO product_refresh (product_id, registered_at, last_success, best_price)
        VALUES ($1, now(), now(), 150)
        """,
        product,
    )
    await db.execute(
        """
        INSERT INTO product_price_change (product_id, at, price)
        VALUES ($1, now() - $2 * interval '1 day', 200), ($1, now() - interval '2 hours', 150)
        """,
        product,
        days_known,
    )


async def quarantine_value(db: asyncpg.Pool) -> None:
    await upsert_quarantine(db, "main", [RejectedEvent("{}", "status must be 1 or 2")])


async def fail_job(db: asyncpg.Pool) -> None:
    """Let a job have failed that runs once an hour, and once when the application starts."""

    await eventually(
        lambda: db.fetchval(
            """
            UPDATE job
               SET last_outcome = 'failed', last_error = 'secret'
             WHERE name = 'recount_hotels' AND last_outcome IS NOT NULL
            RETURNING true
            """
        )
    )


async def fall_behind(db: asyncpg.Pool) -> None:
    await db.execute("UPDATE feed_progress SET data_through = now() - interval '5 minutes'")
