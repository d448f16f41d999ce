"""What the receiver hears: each change once, in order, however often it fails, and no flood."""

import asyncio
import hashlib
import hmac
import re
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.outbox.delivery import Policy
from dashboard.alerts.jobs import SEND_POLICY
from dashboard.alerts.service import ANNOUNCEMENT_PERIOD, MAX_ANNOUNCEMENTS
from tests.support.alerts import SECRET, START, TICK, Alarm, FakeReceiver, Received, Rule, listening
from tests.support.waiting import eventually

HOUR = timedelta(hours=1)
SIGNATURE = re.compile(r"t=\d+,v1=[0-9a-f]{64}")
DOWN = {"7": "Store 7 is down: 2 polls in a row, since 11:55 UTC."}


def is_signed(received: Received, secret: str = SECRET) -> bool:
    """Whether the signature is right, by the words of docs/alerts.md and without a line of ours."""
    parts = dict(part.split("=") for part in received.headers["X-Signature"].split(","))
    expected = hmac.new(secret.encode(), f"{parts['t']}.".encode() + received.body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, parts["v1"])


async def test_the_body_has_the_six_fields_and_is_signed(alarm: Alarm, rule: Rule, receiver: FakeReceiver) -> None:
    rule.firing = DOWN
    await alarm.evaluate(rule)
    assert await alarm.send() == {"sent": 1, "failed": 0, "dead": 0}
    [received] = receiver.accepted
    assert list(received.alert) == ["id", "rule", "subject", "state", "at", "detail"]
    assert received.alert | {"id": 0} == {
        "id": 0, "rule": "store_down", "subject": "7", "state": "firing", "at": "2026-03-01T12:00:10.000000Z",
        "detail": DOWN["7"],
    }  # fmt: skip
    assert received.headers["Content-Type"] == "application/json"
    assert received.path == "/hooks/token-of-the-address/"
    assert is_signed(received)
    assert not is_signed(received, "another secret")


async def test_a_resolution_has_an_id_of_its_own(alarm: Alarm, rule: Rule, receiver: FakeReceiver) -> None:
    rule.firing = DOWN
    await alarm.evaluate(rule)
    rule.firing = {}
    await alarm.evaluate(rule)
    await alarm.send()
    first, second = (received.alert for received in receiver.accepted)
    assert (first["state"], second["state"]) == ("firing", "resolved")
    assert first["id"] < second["id"]
    assert second["at"] == "2026-03-01T12:00:20.000000Z"


async def test_an_hour_without_the_receiver_loses_nothing_and_repeats_nothing(
    alarm: Alarm, rule: Rule, receiver: FakeReceiver
) -> None:
    receiver.status = 503
    for minute in range(60):
        down = {f"store {minute // 10}": "down"} if minute % 10 < 5 else {}  # six stores, one after the other
        rule.firing = down
        await alarm.evaluate(rule, after=timedelta(minutes=1))
        assert {**await alarm.send(), "failed": 0} == {"sent": 0, "failed": 0, "dead": 0}
    assert receiver.accepted == []

    receiver.status = 204
    while (await alarm.send())["sent"]:
        pass
    assert sorted(receiver.told) == sorted(
        (f"store {number}", state) for number in range(6) for state in ("firing", "resolved")
    )
    for number in range(6):
        assert [state for subject, state in receiver.told if subject == f"store {number}"] == ["firing", "resolved"]


async def test_every_attempt_has_the_same_id_and_body_and_a_valid_signature(
    alarm: Alarm, rule: Rule, receiver: FakeReceiver
) -> None:
    receiver.status = 500
    rule.firing = DOWN
    await alarm.evaluate(rule)
    await alarm.send()
    rule.firing = {"7": "Store 7 is down: 3 polls in a row."}
    await alarm.evaluate(rule)
    receiver.status = 200
    await alarm.send()
    first, second = receiver.requests
    assert first.body == second.body
    assert all(is_signed(each) and SIGNATURE.fullmatch(each.headers["X-Signature"]) for each in (first, second))


@pytest.mark.parametrize("status", [301, 302, 307, 401, 403, 404, 408, 410, 429, 500, 502, 503])
async def test_a_receiver_that_may_recover_is_tried_again(
    alarm: Alarm, rule: Rule, receiver: FakeReceiver, status: int
) -> None:
    receiver.status, receiver.headers = status, {"Location": "/elsewhere", "Retry-After": "30"}
    rule.firing = DOWN
    await alarm.evaluate(rule)
    for _ in range(20):
        assert await alarm.send() == {"sent": 0, "failed": 1, "dead": 0}
    assert {each.path for each in receiver.requests} == {"/hooks/token-of-the-address/"}, "redirects are not followed"
    receiver.status, receiver.headers = 200, {}
    assert (await alarm.send())["sent"] == 1


async def test_an_announcement_that_is_refused_is_dead_after_a_few_attempts_and_blocks_no_other(
    alarm: Alarm, rule: Rule, receiver: FakeReceiver
) -> None:
    receiver.status = 422
    rule.firing = DOWN
    await alarm.evaluate(rule)
    for _ in range(SEND_POLICY.max_rejections - 1):
        assert (await alarm.send())["failed"] == 1
    assert (await alarm.send())["dead"] == 1
    receiver.status, rule.firing = 200, {}
    await alarm.evaluate(rule)
    assert (await alarm.send())["sent"] == 1
    assert receiver.told == [("7", "resolved")]


async def test_no_error_shows_the_address(alarm: Alarm, rule: Rule, receiver: FakeReceiver, capsys: Any) -> None:
    rule.firing = DOWN
    await alarm.evaluate(rule)
    addresses = [alarm.url, "http://127.0.0.1:1/token-of-the-address", "http://token-of-the-address.invalid/"]
    for status, url in [
        (500, addresses[0]),
        (404, addresses[0]),
        (422, addresses[0]),
        *((200, u) for u in addresses[1:]),
    ]:
        receiver.status, alarm.url = status, url
        assert (await alarm.send())["failed"] == 1
        error = await alarm.db.fetchval("SELECT last_error FROM outbox")
        assert "the receiver" in error
        assert "token-of-the-address" not in error
    assert "token-of-the-address" not in capsys.readouterr().err


async def test_a_receiver_that_hangs_delays_no_evaluation_and_gets_the_announcement_later(
    alarm: Alarm, rule: Rule, receiver: FakeReceiver
) -> None:
    alarm.policy = Policy(attempt_timeout=0.2)
    receiver.hangs = True
    rule.firing = DOWN
    await alarm.evaluate(rule)
    sending = asyncio.create_task(alarm.send())
    await eventually(lambda: receiver.requests)
    assert (await alarm.evaluate(Rule("feed_behind", {"main": "behind"}), rule))["began"] == 1
    assert (await sending)["failed"] >= 1
    receiver.hangs = False
    while (await alarm.send())["sent"]:
        pass
    assert sorted(receiver.told) == [("7", "firing"), ("main", "firing")]


class TestFlapping:
    async def test_a_hundred_changes_are_announced_four_times_in_an_hour(
        self, alarm: Alarm, rule: Rule, receiver: FakeReceiver
    ) -> None:
        for number in range(100):
            rule.firing = DOWN if number % 2 == 0 else {}
            await alarm.evaluate(rule)
        await alarm.send()
        assert [state for _, state in receiver.told] == ["firing", "resolved", "firing", "resolved"]
        assert (await alarm.states()).count(("7", "resolved")) == 50, "the table has every change"

        # It ended in the state that was announced last: nothing more is said.
        await alarm.evaluate(rule, after=2 * HOUR)
        assert (await alarm.send())["sent"] == 0

    async def test_the_state_that_holds_is_announced_when_the_hour_allows_it(
        self, alarm: Alarm, rule: Rule, receiver: FakeReceiver
    ) -> None:
        for number in range(101):
            rule.firing = DOWN if number % 2 == 0 else {}
            await alarm.evaluate(rule)
        await alarm.send()
        assert len(receiver.accepted) == MAX_ANNOUNCEMENTS
        alarm.now = START + TICK + ANNOUNCEMENT_PERIOD
        await alarm.evaluate(rule, after=-TICK)
        await alarm.send()
        assert len(receiver.accepted) == MAX_ANNOUNCEMENTS
        await alarm.evaluate(rule, after=TICK)
        await alarm.send()
        last = receiver.accepted[-1].alert
        assert (last["state"], len(receiver.accepted)) == ("firing", MAX_ANNOUNCEMENTS + 1)
        assert last["id"] == await alarm.db.fetchval("SELECT id FROM alert WHERE resolved_at IS NULL")

    async def test_a_flapping_subject_silences_no_other(self, alarm: Alarm, rule: Rule, receiver: FakeReceiver) -> None:
        for number in range(20):
            rule.firing = DOWN if number % 2 == 0 else {}
            await alarm.evaluate(rule)
        rule.firing = {"8": "down"}
        await alarm.evaluate(rule, Rule("feed_behind", {"7": "another rule"}))
        await alarm.send()
        assert {(each.alert["rule"], each.alert["subject"]) for each in receiver.accepted} == {
            ("store_down", "7"), ("store_down", "8"), ("feed_behind", "7"),
        }  # fmt: skip

    @settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(steps=st.lists(st.tuples(st.booleans(), st.integers(1, 40)), min_size=1, max_size=25))
    async def test_the_receiver_never_hears_a_state_twice_nor_too_often_and_in_the_end_the_truth(
        self, alarm: Alarm, steps: list[tuple[bool, int]]
    ) -> None:
        for table in ("alert", "alert_announcement", "outbox"):
            await alarm.db.execute(f"DELETE FROM {table}")
        rule, times = Rule(), []
        for fires, minutes in steps:
            rule.firing = DOWN if fires else {}
            if (await alarm.evaluate(rule, after=timedelta(minutes=minutes)))["announced"]:
                times.append(alarm.now)
            is_firing = await alarm.db.fetchval("SELECT EXISTS (SELECT FROM alert WHERE resolved_at IS NULL)")
            assert is_firing == fires
        for end in times:
            assert sum(end - ANNOUNCEMENT_PERIOD < at <= end for at in times) <= MAX_ANNOUNCEMENTS
        await alarm.evaluate(rule, after=2 * HOUR)
        states = [
            row["state"] for row in await alarm.db.fetch("SELECT payload ->> 'state' AS state FROM outbox ORDER BY id")
        ]
        assert all(before != after for before, after in pairwise(["resolved", *states]))
        assert ["resolved", *states][-1] == ("firing" if steps[-1][0] else "resolved")


async def test_a_new_address_in_place_of_another_gets_the_messages_that_wait(
    alarm: Alarm, rule: Rule, receiver: FakeReceiver
) -> None:
    receiver.status, rule.firing = 503, DOWN
    await alarm.evaluate(rule)
    await alarm.send()
    async with listening(FakeReceiver()) as other:
        alarm.url = other.url
        assert (await alarm.send())["sent"] == 1
    assert (receiver.told, other.told) == ([], [("7", "firing")])


class TestWithoutReceiver:
    async def test_alerts_stand_in_the_table_and_nothing_is_queued(self, alarm: Alarm, rule: Rule) -> None:
        alarm.has_receiver, rule.firing = False, DOWN
        assert await alarm.evaluate(rule) == {"began": 1, "resolved": 0, "announced": 0, "firing": 1}
        assert await alarm.messages() == {}

    async def test_a_receiver_that_is_set_later_hears_of_new_alerts_alone(
        self, alarm: Alarm, rule: Rule, receiver: FakeReceiver
    ) -> None:
        alarm.has_receiver, rule.firing = False, DOWN
        await alarm.evaluate(rule)
        alarm.has_receiver, rule.firing = True, DOWN | {"8": "down"}
        await alarm.evaluate(rule)
        rule.firing = {"8": "down"}
        await alarm.evaluate(rule)  # the end of what it never heard of
        rule.firing = DOWN
        await alarm.evaluate(rule)
        await alarm.send()
        assert sorted(receiver.told) == [("7", "firing"), ("8", "firing"), ("8", "resolved")]

    async def test_what_waits_for_a_receiver_that_is_taken_away_is_never_sent(
        self, alarm: Alarm, rule: Rule, receiver: FakeReceiver
    ) -> None:
        receiver.status, rule.firing = 503, DOWN
        await alarm.evaluate(rule)
        await alarm.send()
        alarm.has_receiver = False
        await alarm.evaluate(rule)
        alarm.has_receiver, receiver.status = True, 200
        rule.firing = {}
        await alarm.evaluate(rule)
        assert (await alarm.send())["sent"] == 0
        assert receiver.accepted == []
