"""How long the dashboard keeps rows."""

from datetime import timedelta

import asyncpg

import dashboard.config
from common.config import read_config
from common.jobs.cleanup import forget_old
from common.jobs.scheduler import run_now
from common.web.page_session import delete_old_sessions
from dashboard.schedule import retentions

CONFIG = read_config(dashboard.config.Config, {})

FORGOTTEN = {
    "idempotency_keys": {"idempotency_key"},
    "messages": {"outbox"},
    "signatures": {"used_signature"},
    "failed_logins": {"failed_login"},
    "rate_limits": {"rate_limit"},
    "quarantined_events": {"quarantined_event"},
    "sessions": {"page_session"},
    "prices": {"offer_price_change", "product_price_change", "product_price_gap"},
    "closed_offers": {"offer"},
    "reports": {"uptime_report", "uptime_report_row", "uptime_report_progress", "uptime_report_detail"},
    "polls": {"store_poll", "store_recent_day", "store_poll_deletion"},
    "imports": {"store_import"},
    "alerts": {"alert", "alert_announcement"},
}
"""The tables from which each retention deletes."""

FOR_EVER = {
    "ledger_event", "night_counter", "day_counter", "feed_difference", "front_desk_order", "store_day", "poll_span",
}  # fmt: skip
"""Business records and their totals, which are never deleted; guests of orders are erased from them."""

BOUNDED = {
    "migration", "job", "hotel_summary", "hotel_profile", "feed_progress", "feed_cut_off", "product", "product_refresh",
    "product_mark", "offers_token", "store", "store_hours", "store_closure", "store_file_pull",
}  # fmt: skip
"""Tables that grow only with files, hotels, products and stores; `feed_cut_off` is emptied by the night audit."""


async def test_every_table_is_bounded_or_forgotten_or_a_record_kept_for_ever(dashboard_db: asyncpg.Pool) -> None:
    rows = await dashboard_db.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert set(FORGOTTEN) == set(retentions(CONFIG))
    assert set().union(*FORGOTTEN.values()) | FOR_EVER | BOUNDED == {row["tablename"] for row in rows}


def test_every_kind_has_its_documented_age() -> None:
    ages = {name: retention.keep for name, retention in retentions(CONFIG).items()}
    assert ages["idempotency_keys"] == timedelta(hours=48)
    traces = ("messages", "signatures", "sessions", "quarantined_events", "closed_offers", "alerts")
    assert {ages[name] for name in traces} == {timedelta(days=90)}
    assert ages["prices"] == ages["polls"] == timedelta(days=400)
    assert (ages["imports"], ages["reports"]) == (timedelta(days=90), timedelta(days=30))
    assert (CONFIG.keep_reports_days, CONFIG.keep_polls_days, CONFIG.keep_prices_days) == (30, 400, 400)


async def test_the_job_runs_on_an_empty_database(dashboard_db: asyncpg.Pool) -> None:
    result = await run_now(dashboard_db, forget_old(dashboard_db, retentions(CONFIG)))
    assert set(result.values()) == {0}
    assert set(result) == set(retentions(CONFIG))


async def test_sessions_are_deleted_long_after_their_end_a_batch_at_a_time(dashboard_db: asyncpg.Pool) -> None:
    await dashboard_db.execute(
        """
        INSERT INTO page_session (token_hash, realm, expires_at)
        SELECT sha256(days::text::bytea), 'staff', now() - make_interval(days => days)
          FROM unnest(ARRAY[-1, 0, 89, 91, 92, 93]) AS days
        """
    )

    assert [await delete_old_sessions(dashboard_db, timedelta(days=90), 2) for _ in range(3)] == [2, 1, 0]
    assert await dashboard_db.fetchval("SELECT count(*) FROM page_session") == 3
