"""What the rules about feeds, jobs and messages find."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

import dashboard.config
from common.alerts import Firing
from common.config import ConfigError, read_config
from common.jobs.lease import Job, JobResult, Lease
from common.jobs.scheduler import run_now
from common.outbox.delivery import Delivery, Policy, UndeliverableError, deliver
from common.outbox.queries import Message, enqueue
from dashboard.alert_rules import LABELS, RULES
from dashboard.alerts.models import TOPIC
from dashboard.alerts.queries.platform import select_dead_messages, select_failing_jobs
from dashboard.bookings.queries.alerts import select_feeds_behind, select_feeds_cut_off, select_feeds_differing
from dashboard.config import Config
from dashboard.watches import watches
from tests.dashboard.uptime.fleet import Store, load

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FIVE_SECONDS, HOUR = timedelta(seconds=5), timedelta(hours=1)


def config_of(**variables: str) -> Config:
    return read_config(dashboard.config.Config, {"NIGHTAUDIT_DEMO": "1", **variables})


class TestFeedBehind:
    async def found(
        self, db: asyncpg.Pool, minutes: float, interval: timedelta = FIVE_SECONDS, *, is_read: bool = True
    ) -> list[Firing]:
        await db.execute(
            "UPDATE feed_progress SET data_through = $1, first_read_at = CASE WHEN $2 THEN $1::timestamptz END",
            NOW - timedelta(minutes=minutes),
            is_read,
        )
        return await select_feeds_behind(db, NOW, ["main"], interval)

    async def test_a_feed_is_behind_after_more_than_five_minutes(self, dashboard_db: asyncpg.Pool) -> None:
        assert await self.found(dashboard_db, 5) == []
        assert await self.found(dashboard_db, 5.1) == [
            Firing("main", "The feed is counted through 2026-03-01 11:54 UTC only.")
        ]

    async def test_its_detail_does_not_change_while_it_stands_still(self, dashboard_db: asyncpg.Pool) -> None:
        [first] = await self.found(dashboard_db, 10)
        [later] = await select_feeds_behind(dashboard_db, NOW + HOUR, ["main"], FIVE_SECONDS)
        assert first == later

    async def test_a_feed_that_is_read_every_hour_is_behind_after_two(self, dashboard_db: asyncpg.Pool) -> None:
        assert await self.found(dashboard_db, 119, HOUR) == []
        assert len(await self.found(dashboard_db, 121, HOUR)) == 1

    async def test_a_feed_whose_past_is_being_read_is_not_behind(self, dashboard_db: asyncpg.Pool) -> None:
        assert await self.found(dashboard_db, 500_000, is_read=False) == []

    async def test_a_feed_that_is_no_longer_configured_is_not_behind(self, dashboard_db: asyncpg.Pool) -> None:
        await self.found(dashboard_db, 60)
        await dashboard_db.execute(
            "INSERT INTO feed_progress (feed, data_through, first_read_at) VALUES ('harbour', $1, $1)", NOW - 2 * HOUR
        )
        assert [each.subject for each in await select_feeds_behind(dashboard_db, NOW, ["harbour"], HOUR / 60)] == [
            "harbour"
        ]


async def test_each_feed_that_may_be_cut_off_is_named_with_its_instants(dashboard_db: asyncpg.Pool) -> None:
    await dashboard_db.executemany(
        "INSERT INTO feed_cut_off VALUES ($1, $2, 'more', $3, $3)",
        [("main", NOW - HOUR, NOW), ("main", NOW, NOW), ("harbour", NOW, NOW), ("old", NOW, NOW)],
    )
    found = {each.subject: each.detail for each in await select_feeds_cut_off(dashboard_db, ["main", "harbour"])}
    assert found == {
        "main": "The feed may not have sent all events of 2 instants, the first at 2026-03-01 11:00:00 UTC.",
        "harbour": "The feed may not have sent all events of the instant 2026-03-01 12:00:00 UTC.",
    }


async def test_a_drift_is_what_a_feed_contradicts_until_it_is_applied(dashboard_db: asyncpg.Pool) -> None:
    await dashboard_db.executemany(
        "INSERT INTO feed_difference (feed, event_id, kind, counted, found, first_found, last_found) "
        "VALUES ('main', $1, $2, '{}', $3, now(), now())",
        [(1, "missing", None), (2, "missing", None), (3, "changed", "{}")],
    )
    [found] = await select_feeds_differing(dashboard_db, ["main"])
    assert found.subject == "main"
    assert found.detail == (
        "The night audit found that the feed no longer has 2 counted events, and has changed 1; GET /audits lists them."
    )
    assert await select_feeds_differing(dashboard_db, ["harbour"]) == []
    await dashboard_db.execute("UPDATE feed_difference SET applied_at = now(), reason = 'right'")
    assert await select_feeds_differing(dashboard_db, ["main"]) == []


@pytest.mark.parametrize(
    ("kind", "words"), [("missing", "no longer has 1 counted event"), ("changed", "has changed 1 counted event")]
)
async def test_a_drift_of_one_event_is_said_of_one(dashboard_db: asyncpg.Pool, kind: str, words: str) -> None:
    await dashboard_db.execute(
        """
        INSERT INTO feed_difference (feed, event_id, kind, counted, found, first_found, last_found)
        VALUES ('main', 1, $1::text, '{}', CASE $1::text WHEN 'changed' THEN '{}' END, now(), now())
        """,
        kind,
    )
    [found] = await select_feeds_differing(dashboard_db, ["main"])
    assert found.detail == f"The night audit found that the feed {words}; GET /audits lists it."


async def test_a_job_is_reported_from_its_third_failure_in_a_row_until_it_succeeds(dashboard_db: asyncpg.Pool) -> None:
    fails = True

    async def work(_: Lease) -> JobResult:
        if fails:
            raise ZeroDivisionError("a bug")
        return {}

    async def failing() -> list[Firing]:
        return await select_failing_jobs(dashboard_db, ["pull_stores", "other"])

    for _ in range(3):
        assert await failing() == []
        with pytest.raises(ZeroDivisionError):
            await run_now(dashboard_db, Job("pull_stores", 5, work))
    assert await failing() == [
        Firing("pull_stores", "The job has failed 3 times in a row, the last time with ZeroDivisionError: a bug")
    ]
    assert await select_failing_jobs(dashboard_db, ["other"]) == [], "a job that no longer runs is not reported"
    fails = False
    await run_now(dashboard_db, Job("pull_stores", 5, work))
    assert await failing() == []


async def test_dead_messages_are_reported_by_subject_and_those_of_alerts_together(dashboard_db: asyncpg.Pool) -> None:
    async def refuse(_: Message) -> None:
        raise UndeliverableError("no")

    for topic in ("decision", TOPIC):
        for subject in ("table:1", "table:1", "table:2"):
            await enqueue(dashboard_db, topic, subject, str(await dashboard_db.fetchval("SELECT random()")), {})
        for _ in range(2):
            await deliver(dashboard_db, Delivery(topic, refuse, policy=Policy(max_rejections=1)))
    found = {each.subject: each.detail.split(" given up")[0] for each in await select_dead_messages(dashboard_db)}
    assert found == {
        "decision table:1": "2 messages were",
        "decision table:2": "A message was",
        "alert": "3 messages were",
    }
    await dashboard_db.execute("UPDATE outbox SET state = 'waiting', settled_at = NULL WHERE topic = 'decision'")
    assert [each.subject for each in await select_dead_messages(dashboard_db)] == ["alert"]


async def test_every_rule_that_is_watched_can_be_evaluated_and_has_a_name_for_people(
    dashboard_db: asyncpg.Pool,
) -> None:
    watched = watches(config_of(), ["ingest_booking_events"])
    assert {watch.rule for watch in watched} <= set(RULES) == set(LABELS)
    for watch in watched:
        assert await watch.select(dashboard_db, NOW, []) == []


async def test_every_rule_says_how_its_alerts_end(dashboard_db: asyncpg.Pool) -> None:
    subjects = {"feed_behind": "main", "feed_cut_off": "main", "audit_drift": "main", "job_failing": "pull_stores"}
    product = "0197a3b0-0000-7000-8000-000000000001"
    await dashboard_db.execute("UPDATE feed_progress SET data_through = $1", NOW)
    found = {}
    for watch in watches(config_of(), ["pull_stores"]):
        subject = subjects.get(watch.rule, product)
        found[watch.rule] = (await watch.select_ends(dashboard_db, NOW, [subject]))[subject]
    assert found == {
        "store_down": "None of its polls is in its open time any more.",
        "collector_silent": "No polls are stored any more.",
        "price_below_mark": "The product was deleted.",
        "back_in_stock": "The product was deleted.",
        "feed_behind": "The feed is counted through 2026-03-01 12:00 UTC again.",
        "feed_cut_off": "All events that the feed has of those instants are counted.",
        "audit_drift": "No counted event differs from the feed any more.",
        "job_failing": "The job has succeeded.",
        "dead_message": "No message that was given up is left: it was retried, replaced or deleted.",
    }
    for watch in watches(config_of(), []):
        if watch.rule in subjects:
            [sentence] = (await watch.select_ends(dashboard_db, NOW, ["harbour"])).values()
            assert sentence in ("The dashboard no longer reads this feed.", "The job no longer runs.")


async def test_a_feed_that_only_audits_read_is_no_longer_watched_for_being_behind(dashboard_db: asyncpg.Pool) -> None:
    """Its other alerts end as those of any feed do: an audit by hand may have found the events."""
    ends = {watch.rule: watch.select_ends for watch in watches(config_of(DASHBOARD_INGEST_SECONDS="0"), [])}
    found = {rule: (await ends[rule](dashboard_db, NOW, ["main"]))["main"] for rule in ends if "feed" in rule}
    assert found == {
        "feed_behind": "The dashboard no longer reads the feed at intervals.",
        "feed_cut_off": "All events that the feed has of those instants are counted.",
    }
    assert await ends["audit_drift"](dashboard_db, NOW, ["main", "old"]) == {
        "main": "No counted event differs from the feed any more.",
        "old": "The dashboard no longer reads this feed.",
    }


async def test_stores_are_looked_at_again_after_an_import_or_in_the_next_minute(dashboard_db: asyncpg.Pool) -> None:
    [select] = [watch.select for watch in watches(config_of(), []) if watch.rule == "store_down"]

    async def down(seconds: int) -> list[str]:
        return [each.subject for each in await select(dashboard_db, NOW + timedelta(seconds=seconds), [])]

    polls = [(NOW - n * HOUR, False) for n in range(3)]
    await load(dashboard_db, {"1": Store(polls, timezone="UTC")})
    assert await down(0) == ["1"]
    await dashboard_db.execute("UPDATE store_poll SET active = TRUE")
    assert await down(59) == ["1"], "nothing was imported"
    assert await down(60) == []
    await dashboard_db.execute("UPDATE store_poll SET active = FALSE")
    assert await down(70) == []
    await dashboard_db.execute(
        """
        INSERT INTO store_import
            (kind, source, made_by, rows, new, changed, rejected_total, rejected, notices, started_at)
        VALUES ('status', 'test', 'test', 1, 1, TRUE, 0, '[]', '{}', now())
        """
    )
    assert await down(80) == ["1"]


async def test_stores_are_looked_at_again_in_the_same_minute_when_others_fire(dashboard_db: asyncpg.Pool) -> None:
    """A store that fires goes on until two polls in a row found it up; one that does not fire begins after two."""
    [select] = [watch.select for watch in watches(config_of(), []) if watch.rule == "store_down"]
    polls = [(NOW - n * HOUR, n == 0) for n in range(3)]
    await load(dashboard_db, {"1": Store(polls, timezone="UTC")})
    assert await select(dashboard_db, NOW, []) == []
    assert [each.subject for each in await select(dashboard_db, NOW, ["1"])] == ["1"]
    assert await select(dashboard_db, NOW, []) == []


def test_each_rule_can_be_switched_off() -> None:
    rules = [watch.rule for watch in watches(config_of(), [])]
    for rule in rules:
        assert rule not in [watch.rule for watch in watches(config_of(DASHBOARD_ALERTS_OFF=rule), [])]
    assert watches(config_of(DASHBOARD_ALERTS_OFF=", ".join(RULES)), []) == []


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        (
            {"DASHBOARD_ALERTS_OFF": "store_down,storedown"},
            "DASHBOARD_ALERTS_OFF must be rules .* store_down, collector",
        ),
        ({"DASHBOARD_ALERTS_OFF": "store_down,"}, "DASHBOARD_ALERTS_OFF must be rules"),
        ({"DASHBOARD_ALERT_STORE_POLLS": "0"}, "DASHBOARD_ALERT_STORE_POLLS must be a whole number from 1"),
        ({"DASHBOARD_ALERT_SECONDS": "often"}, "DASHBOARD_ALERT_SECONDS must be a number"),
        ({"DASHBOARD_ALERT_WEBHOOK_URL": "hooks.example.org"}, "DASHBOARD_ALERT_WEBHOOK_URL must be a URL with scheme"),
        ({"DASHBOARD_ALERT_SECRET": "short", "NIGHTAUDIT_DEMO": "0"}, "DASHBOARD_ALERT_SECRET must have at least 16"),
    ],
)
def test_a_wrong_variable_stops_the_start_with_its_name(variables: Mapping[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config_of(**variables)


def test_a_receiver_needs_a_secret() -> None:
    own = {
        "NIGHTAUDIT_DEMO": "0", "DASHBOARD_STAFF_TOKEN": "s" * 16, "DASHBOARD_ACCOUNTING_SECRET": "s" * 16,
    }  # fmt: skip
    config_of(**own).require_secrets()
    with pytest.raises(ConfigError, match="DASHBOARD_ALERT_SECRET not set"):
        config_of(**own, DASHBOARD_ALERT_WEBHOOK_URL="https://hooks.example.org/").require_secrets()


def test_the_address_of_the_receiver_stays_as_it_is_and_is_shown_nowhere() -> None:
    config = config_of(DASHBOARD_ALERT_WEBHOOK_URL="https://hooks.example.org/token/")
    assert config.alert_webhook_url is not None
    assert config.alert_webhook_url.reveal() == "https://hooks.example.org/token/"
    assert "token" not in repr(config.alert_webhook_url)
