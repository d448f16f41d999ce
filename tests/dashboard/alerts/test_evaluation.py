"""The table of alerts always has the true state, and each change is announced once, whatever fails or runs twice."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import asyncpg
import pytest
from structlog.testing import capture_logs

from common.alerts import Firing
from common.config import read_config
from common.db.pool import Executor, transaction
from common.jobs.scheduler import run_now
from common.web.resources import Application
from dashboard import schedule
from dashboard.alerts.jobs import RulesNotEvaluatedError
from dashboard.alerts.queries.alerts import delete_old_alerts
from dashboard.alerts.service import evaluate
from dashboard.config import Config
from dashboard.resources import resources_of
from tests.support.alerts import START, TICK, Alarm, FakeReceiver, Rule

EVALUATED = {"NIGHTAUDIT_DEMO": "1", "DASHBOARD_ALERT_SECONDS": "10"}
NOTHING_CHANGED = {"began": 0, "resolved": 0, "announced": 0}


async def test_what_a_rule_finds_fires_until_the_rule_no_longer_finds_it(alarm: Alarm, rule: Rule) -> None:
    rule.firing = {"7": "Store 7 is down.", "8": "Store 8 is down."}
    assert await alarm.evaluate(rule) == {"began": 2, "resolved": 0, "announced": 2, "firing": 2}
    assert await alarm.evaluate(rule) == NOTHING_CHANGED | {"firing": 2}
    del rule.firing["7"]
    assert await alarm.evaluate(rule) == {"began": 0, "resolved": 1, "announced": 1, "firing": 1}
    assert await alarm.evaluate(rule) == NOTHING_CHANGED | {"firing": 1}
    assert await alarm.states() == [("8", "firing"), ("7", "resolved")]


async def test_a_rule_is_given_the_subjects_that_fire(alarm: Alarm, rule: Rule) -> None:
    rule.firing = {"7": "down", "8": "down"}
    await alarm.evaluate(rule)
    assert rule.known == []
    await alarm.evaluate(rule, Rule("feed_behind"))
    assert sorted(rule.known) == ["7", "8"]


async def test_an_alert_keeps_its_start_and_has_the_newest_detail(alarm: Alarm, rule: Rule) -> None:
    rule.firing = {"7": "down for a minute"}
    await alarm.evaluate(rule)
    rule.firing = {"7": "down for two minutes"}
    await alarm.evaluate(rule)
    row = await alarm.db.fetchrow("SELECT id, since, detail FROM alert")
    assert row is not None
    assert (row["since"], row["detail"]) == (START + TICK, "down for two minutes")
    assert await alarm.messages() == {str(row["id"]): "waiting"}


async def test_a_resolved_alert_says_how_it_ended(alarm: Alarm, rule: Rule, receiver: FakeReceiver) -> None:
    """What a name or an error has quoted is told letter by letter."""
    rule.firing = {"7": "ValueError: cursor 2026-12-01T08:00:00.123456Z", "8": "It is down."}
    rule.ends = {"7": "Sale 2026-12-01T00:00:00Z: nothing is in stock.", "8": "x" * 5_000}
    await alarm.evaluate(rule)
    rule.firing = {}
    await alarm.evaluate(rule)
    await alarm.send()
    details = {(each.alert["subject"], each.alert["state"]): each.alert["detail"] for each in receiver.accepted}
    assert details == {
        ("7", "firing"): "ValueError: cursor 2026-12-01T08:00:00.123456Z",
        ("7", "resolved"): "Sale 2026-12-01T00:00:00Z: nothing is in stock.",
        ("8", "firing"): "It is down.",
        ("8", "resolved"): "x" * 500,
    }
    rows = await alarm.db.fetch("SELECT subject, detail FROM alert")
    assert {row["subject"]: row["detail"] for row in rows} == {
        subject: details[subject, "resolved"] for subject in ("7", "8")
    }


async def test_a_rule_that_fails_resolves_nothing_and_stops_no_other(alarm: Alarm, rule: Rule) -> None:
    other = Rule("feed_behind", {"main": "behind"})
    rule.firing = {"7": "down"}
    await alarm.evaluate(rule)
    rule.failure = ZeroDivisionError("a bug")
    with capture_logs() as logs, pytest.raises(RulesNotEvaluatedError, match="store_down: ZeroDivisionError: a bug"):
        await alarm.evaluate(rule, other)
    assert [log["rule"] for log in logs if log["event"] == "rule_not_evaluated"] == ["store_down"]
    assert await alarm.states() == [("7", "firing"), ("main", "firing")]
    job = await alarm.db.fetchrow("SELECT last_outcome, failures FROM job")
    assert job is not None
    assert tuple(job) == ("failed", 1)

    rule.failure, rule.firing = None, {}
    await alarm.evaluate(rule, other)
    assert await alarm.states() == [("main", "firing"), ("7", "resolved")]


async def test_a_failed_statement_of_a_rule_leaves_the_others_their_transactions(alarm: Alarm, rule: Rule) -> None:
    async def select_wrongly(db: Executor, now: datetime, firing: Sequence[str]) -> list[Firing]:
        await db.fetch("SELECT 1 / 0")
        return []

    rule.firing = {"7": "down"}
    async with transaction(alarm.db) as connection:
        with pytest.raises(asyncpg.DivisionByZeroError):
            async with connection.transaction():
                await evaluate(
                    connection, replace(Rule("job_failing").watch, select=select_wrongly), START, has_receiver=True
                )
        changes = await evaluate(connection, rule.watch, START, has_receiver=True)
    assert (changes.began, await alarm.states()) == (1, [("7", "firing")])


async def test_one_subject_has_one_alert_even_if_a_rule_finds_it_twice(alarm: Alarm) -> None:
    async def select_twice(db: Executor, now: datetime, firing: Sequence[str]) -> list[Firing]:
        return [Firing("7", "the first"), Firing("7", "the second")]

    async with transaction(alarm.db) as connection:
        await evaluate(connection, replace(Rule().watch, select=select_twice), START, has_receiver=True)
    assert await alarm.db.fetchval("SELECT string_agg(detail, ',') FROM alert") == "the first"


async def test_a_detail_of_any_length_is_stored(alarm: Alarm, rule: Rule) -> None:
    rule.firing = {"7": "x" * 5_000}
    await alarm.evaluate(rule)
    assert await alarm.evaluate(rule) == NOTHING_CHANGED | {"firing": 1}
    assert await alarm.db.fetchval("SELECT length(detail) FROM alert") == 500


@pytest.mark.parametrize("wait", [timedelta(0), schedule.ALERTS_WAIT])
async def test_in_the_first_30_seconds_after_a_start_no_rule_is_evaluated(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch, wait: timedelta
) -> None:
    assert timedelta(seconds=30) == schedule.ALERTS_WAIT
    monkeypatch.setattr(schedule, "ALERTS_WAIT", wait)
    await dashboard_db.execute("UPDATE feed_progress SET data_through = '2020-01-01', first_read_at = '2020-01-01'")
    resources = replace(resources_of(dashboard_app), config=read_config(Config, EVALUATED))
    [evaluate_alerts] = [job for job in schedule.jobs(resources) if job.name == "evaluate_alerts"]

    result = await run_now(dashboard_db, evaluate_alerts)

    assert result.get("firing", 0) == (0 if wait else 1)


async def test_replicas_that_evaluate_at_once_announce_each_change_once(
    alarm: Alarm, rule: Rule, receiver: FakeReceiver
) -> None:
    async def evaluate_once(now: datetime) -> int:
        async with transaction(alarm.db) as connection:
            changes = await evaluate(connection, rule.watch, now, has_receiver=True)
        return changes.announced

    rule.firing = {str(store): "down" for store in range(50)}
    assert sum(await asyncio.gather(*(evaluate_once(START) for _ in range(8)))) == 50
    rule.firing = {}
    assert sum(await asyncio.gather(*(evaluate_once(START + TICK) for _ in range(8)))) == 50
    await alarm.send()
    assert len(receiver.accepted) == 100
    assert len({each.alert["id"] for each in receiver.accepted}) == 100
    for store in range(50):
        assert [state for subject, state in receiver.told if subject == str(store)] == ["firing", "resolved"]


async def test_replicas_with_the_job_evaluate_one_after_the_other(alarm: Alarm, rule: Rule) -> None:
    rule.firing = {"7": "down"}
    results = await asyncio.gather(*(alarm.evaluate(rule) for _ in range(3)))
    assert sum(int(result["began"]) for result in results) == 1
    assert await alarm.states() == [("7", "firing")]


async def test_the_database_refuses_a_second_alert_of_a_subject_that_fires(alarm: Alarm, rule: Rule) -> None:
    rule.firing = {"7": "down"}
    await alarm.evaluate(rule)
    with pytest.raises(asyncpg.UniqueViolationError):
        await alarm.db.execute(
            "INSERT INTO alert (rule, subject, detail, since, is_silent) VALUES ('store_down', '7', '', now(), false)"
        )


async def test_a_rule_that_is_switched_off_resolves_what_it_left_and_says_so(
    alarm: Alarm, rule: Rule, receiver: FakeReceiver
) -> None:
    rule.firing = {"7": "down"}
    await alarm.evaluate(rule)
    assert await alarm.evaluate(Rule("feed_behind")) == {"began": 0, "resolved": 1, "announced": 1, "firing": 0}
    await alarm.send()
    assert receiver.told == [("7", "firing"), ("7", "resolved")]
    assert receiver.accepted[-1].alert["detail"] == "The rule was switched off."


async def test_alerts_that_are_over_are_deleted_when_they_are_old(alarm: Alarm, rule: Rule) -> None:
    rule.firing = {"7": "down", "8": "down"}
    await alarm.evaluate(rule)
    rule.firing = {"8": "down"}
    await alarm.evaluate(rule)
    age = timedelta(days=36_500)
    assert await delete_old_alerts(alarm.db, age, 10) == 0
    await alarm.db.execute(
        "UPDATE alert SET since = since - $1::interval, resolved_at = resolved_at - $1::interval", age * 2
    )
    await alarm.db.execute("UPDATE alert_announcement SET announced_at = ARRAY[now() - $1::interval]", age * 2)
    assert await delete_old_alerts(alarm.db, age, 10) == 2  # the alert, and what was announced of it
    assert await alarm.states() == [("8", "firing")]
    assert await alarm.db.fetchval("SELECT string_agg(subject, ',') FROM alert_announcement") == "8"
