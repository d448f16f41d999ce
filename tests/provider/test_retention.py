"""How long the provider keeps rows."""

from datetime import timedelta

import asyncpg

import provider.config
from common.config import read_config
from common.jobs.cleanup import forget_old
from common.jobs.scheduler import run_now
from provider.offers.queries import delete_expired_tokens
from provider.schedule import retentions
from provider.store_polls.queries import delete_old_polls

CONFIG = read_config(provider.config.Config, {})

FORGOTTEN = {
    "idempotency_keys": {"idempotency_key"},
    "messages": {"outbox"},
    "signatures": {"used_signature"},
    "sessions": {"page_session"},
    "failed_logins": {"failed_login"},
    "rate_limits": {"rate_limit"},
    "cancel_tokens": {"dining_cancel_token"},
    "revoked_tokens": {"dining_revoked_token"},
    "offers_tokens": {"issued_token", "offers_product"},
    "simulated_polls": {"store_poll"},
}
"""The tables from which each retention deletes."""

FOR_EVER = {
    "booking_event", "reservation", "property_block", "free_stretch", "dining_booking", "dining_booking_status_change",
    "watched_event",
}  # fmt: skip
"""Business records, which are never deleted; guests of bookings are erased from them."""

BOUNDED = {
    "migration", "job", "property", "property_segment", "property_time_zone", "linked_room", "watched_room",
    "polled_store", "polled_store_hours", "store_poll_progress", "dining_table", "dining_table_price", "demo_mail",
    "dining_opening_hours", "calendar_link", "calendar_source", "held_nights",
}  # fmt: skip
"""Tables that grow only with files, rooms, tables, calendars and stores, or that keep their newest rows alone."""


async def test_every_table_is_bounded_or_forgotten_or_a_record_kept_for_ever(provider_db: asyncpg.Pool) -> None:
    rows = await provider_db.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert set(FORGOTTEN) == set(retentions(CONFIG))
    assert set().union(*FORGOTTEN.values()) | FOR_EVER | BOUNDED == {row["tablename"] for row in rows}


def test_every_kind_has_its_documented_age() -> None:
    ages = {name: retention.keep for name, retention in retentions(CONFIG).items()}
    assert ages["idempotency_keys"] == timedelta(hours=48)
    assert (
        ages["messages"] == ages["signatures"] == ages["offers_tokens"] == ages["simulated_polls"] == timedelta(days=90)
    )
    assert (CONFIG.keep_traces_days, CONFIG.keep_guests_days, CONFIG.orders_per_hour) == (90, 730, 10)


async def test_the_job_runs_on_an_empty_database(provider_db: asyncpg.Pool) -> None:
    result = await run_now(provider_db, forget_old(provider_db, retentions(CONFIG)))
    assert set(result.values()) == {0}
    assert set(result) == set(retentions(CONFIG))


async def test_expired_offers_tokens_are_deleted_with_their_products_a_batch_at_a_time(
    provider_db: asyncpg.Pool,
) -> None:
    await provider_db.execute(
        """
        INSERT INTO issued_token (token, owner, expires_at)
        SELECT md5(expires_at::text)::uuid, md5(expires_at::text)::uuid, expires_at
          FROM unnest(ARRAY[now() - interval '91 days', now() - interval '92 days', now() - interval '93 days',
                            now() - interval '89 days', 'infinity']) AS expires_at;
        INSERT INTO offers_product (product_id, owner, name, description)
        SELECT number::text, owner, 'Mower', '' FROM issued_token, generate_series(1, 2) AS number
        """
    )

    keep = timedelta(days=90)
    assert [await delete_expired_tokens(provider_db, keep, 2) for _ in range(3)] == [2, 1, 0]
    assert await provider_db.fetchval("SELECT count(*) FROM issued_token") == 2
    assert await provider_db.fetchval("SELECT count(*) FROM offers_product") == 4


async def test_simulated_polls_are_deleted_a_batch_at_a_time(provider_db: asyncpg.Pool) -> None:
    await provider_db.execute(
        """
        INSERT INTO store_poll (store_id, polled_at, active)
        SELECT 'a', now() - make_interval(days => days), true FROM unnest(ARRAY[0, 89, 91, 92, 93]) AS days
        """
    )

    assert [await delete_old_polls(provider_db, timedelta(days=90), 2) for _ in range(3)] == [2, 1, 0]
    assert await provider_db.fetchval("SELECT count(*) FROM store_poll") == 2
