"""A process that is killed between a change and its announcement loses nothing: another one tells the receiver."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from common.config import Secret
from common.upstream import create_client_session
from tests.support.alerts import SECRET, Alarm, FakeReceiver, Rule, listening
from tests.support.applications import ApplicationProcess
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow


async def test_a_process_killed_while_it_announces_loses_and_invents_nothing(
    make_application: Callable[..., ApplicationProcess], dashboard_url: Secret, dashboard_db: asyncpg.Pool
) -> None:
    async with listening(FakeReceiver(hangs=True)) as receiver, create_client_session() as client:
        settings = {
            "DASHBOARD_ALERT_WEBHOOK_URL": receiver.url,
            "DASHBOARD_ALERT_SECRET": SECRET,
            "DASHBOARD_OUTBOX_SECONDS": "0.2",
        }
        # 1. A change is stored, and nobody announces it yet.
        alarm, rule = Alarm(dashboard_db, client, receiver.url, now=datetime.now(UTC)), Rule()
        rule.firing = {"7": "Store 7 is down."}
        await alarm.evaluate(rule)
        # 2. A process is killed after the receiver has the request, before it has answered.
        first = make_application("dashboard", dashboard_url, **settings)
        first.start()
        await eventually(lambda: receiver.requests)
        first.kill()
        # 3. Another process announces the same once more, and what has changed since.
        rule.firing = {}
        await replace(alarm, now=alarm.now + timedelta(minutes=1)).evaluate(rule)
        receiver.hangs = False
        make_application("dashboard", dashboard_url, **settings).start()
        await eventually(lambda: len(receiver.accepted) == 2)
    assert receiver.told == [("7", "firing"), ("7", "resolved")]
    assert receiver.requests[0].body == receiver.accepted[0].body


async def test_a_running_dashboard_announces_what_its_own_rules_find(
    make_application: Callable[..., ApplicationProcess], dashboard_url: Secret, dashboard_db: asyncpg.Pool
) -> None:
    """The whole way: a feed falls behind, two replicas find it, the receiver hears of it once, and of its end."""
    longer_ago = datetime.now(UTC) - timedelta(minutes=20)
    await dashboard_db.execute("UPDATE feed_progress SET data_through = $1, first_read_at = $1", longer_ago)
    async with listening(FakeReceiver()) as receiver:
        settings = {
            "DASHBOARD_ALERT_WEBHOOK_URL": receiver.url,
            "DASHBOARD_ALERT_SECRET": SECRET,
            "DASHBOARD_ALERT_SECONDS": "1",
            "DASHBOARD_OUTBOX_SECONDS": "0.2",
            "DASHBOARD_INGEST_SECONDS": "5",
            "DASHBOARD_PROVIDER_URL": "http://127.0.0.1:9",  # nobody listens
        }
        for _ in range(2):
            make_application("dashboard", dashboard_url, **settings).start()
        await eventually(lambda: ("main", "firing") in receiver.told, 120)
        await dashboard_db.execute("UPDATE feed_progress SET data_through = now() + interval '1 hour'")
        await eventually(lambda: ("main", "resolved") in receiver.told)
    assert [each for each in receiver.told if each[0] == "main"] == [("main", "firing"), ("main", "resolved")]
    assert ("ingest_booking_events", "firing") in receiver.told, "the job that reads the feed fails"
