"""How long the dashboard keeps rows."""

from datetime import timedelta

import asyncpg

import dashboard.config
from common.config import read_config
from common.jobs.cleanup import forget_old
from common.jobs.scheduler import run_now
from dashboard.front_desk.queries import delete_old_sessions
from dashboard.schedule import retentions

CONFIG = read_config(dashboard.config.Config, {})


def test_every_kind_has_its_documented_age() -> None:
    ages = {name: retention.keep for name, retention in retentions(CONFIG).items()}
    assert ages["idempotency_keys"] == timedelta(hours=48)
    traces = ("messages", "signatures", "sessions", "quarantined_events", "closed_offers")
    assert {ages[name] for name in traces} == {timedelta(days=90)}
    assert ages["prices"] == timedelta(days=400)
    assert (CONFIG.keep_reports_days, CONFIG.keep_polls_days, CONFIG.keep_prices_days) == (30, 400, 400)


async def test_the_job_runs_on_an_empty_database(dashboard_db: asyncpg.Pool) -> None:
    result = await run_now(dashboard_db, forget_old(dashboard_db, retentions(CONFIG)))
    assert set(result.values()) == {0}
    assert set(result) == set(retentions(CONFIG))


async def test_sessions_are_deleted_long_after_their_end_a_batch_at_a_time(dashboard_db: asyncpg.Pool) -> None:
    await dashboard_db.execute(
        """
        INSERT INTO front_desk_session (token_hash, expires_at)
        SELECT sha256(days::text::bytea), now() - make_interval(days => days)
          FROM unnest(ARRAY[-1, 0, 89, 91, 92, 93]) AS days
        """
    )

    assert [await delete_old_sessions(dashboard_db, timedelta(days=90), 2) for _ in range(3)] == [2, 1, 0]
    assert await dashboard_db.fetchval("SELECT count(*) FROM front_desk_session") == 3
