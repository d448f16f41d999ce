"""The outbox: one message per event, in order per subject, tried again after a failure or the death of its sender."""

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from structlog.testing import capture_logs

from common.db.pool import Connection
from common.jobs.lease import JobResult
from common.outbox import admin, delivery
from common.outbox.delivery import DEFAULT_POLICY, Delivery, Policy, Send, UndeliverableError
from common.outbox.queries import (
    Message,
    claim_due_messages,
    enqueue,
    update_dead,
    update_failed,
    update_sent,
    update_settled,
)
from common.upstream import UpstreamError
from tests.support.waiting import eventually


async def deliver(db: asyncpg.Pool, topic: str, send: Send, policy: Policy = DEFAULT_POLICY) -> JobResult:
    return await delivery.deliver(db, Delivery(topic, send, policy=policy))


SLOW = Policy(min_wait=60)
"""A failed message is not due again within a test."""
LEASE = timedelta(minutes=1)


@pytest.fixture
async def db(ground_pool: asyncpg.Pool) -> asyncpg.Pool:
    await ground_pool.execute("TRUNCATE outbox, thing")
    return ground_pool


class Receiver:
    """A sender that records the messages, and fails while `failure` is set."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.messages: list[Message] = []

    async def __call__(self, message: Message) -> None:
        self.messages.append(message)
        if self.failure is not None:
            raise self.failure

    @property
    def events(self) -> list[str]:
        return [message.event for message in self.messages]


async def add(db: asyncpg.Pool, *events: str, subject: str = "order:1") -> None:
    for event in events:
        assert await enqueue(db, "mail", subject, event, {"event": event})


async def make_due(db: asyncpg.Pool) -> None:
    await db.execute("UPDATE outbox SET due_at = clock_timestamp() WHERE state = 'waiting'")


async def states(db: asyncpg.Pool) -> dict[str, str]:
    return {row["event"]: row["state"] for row in await db.fetch("SELECT event, state FROM outbox")}


async def test_a_message_is_sent_once_with_its_payload(db: asyncpg.Pool) -> None:
    receiver = Receiver()
    await add(db, "received")
    assert await deliver(db, "mail", receiver) == {"sent": 1, "failed": 0, "dead": 0}
    assert await deliver(db, "mail", receiver) == {"sent": 0, "failed": 0, "dead": 0}
    [message] = receiver.messages
    assert (message.subject, message.event, message.payload, message.attempt) == (
        "order:1", "received", {"event": "received"}, 1
    )  # fmt: skip


async def test_an_event_has_one_message_per_topic(db: asyncpg.Pool) -> None:
    await add(db, "received")
    assert not await enqueue(db, "mail", "order:1", "received", {})
    assert await enqueue(db, "text", "order:1", "received", {})


async def test_a_message_is_not_sent_if_the_transaction_of_its_change_is_rolled_back(db: asyncpg.Pool) -> None:
    async with db.acquire() as connection:
        change = connection.transaction()
        await change.start()
        await enqueue(connection, "mail", "order:1", "received", {})
        await change.rollback()
    assert await states(db) == {}


async def test_messages_of_a_subject_wait_for_the_one_before_them_and_others_do_not(db: asyncpg.Pool) -> None:
    await add(db, "first", "second")
    await add(db, "other", subject="order:2")
    failing = Receiver(UpstreamError("down"))
    assert await deliver(db, "mail", failing, SLOW) == {"sent": 0, "failed": 2, "dead": 0}
    assert sorted(failing.events) == ["first", "other"]

    await make_due(db)
    receiver = Receiver()
    await deliver(db, "mail", receiver, SLOW)
    assert [event for event in receiver.events if event != "other"] == ["first", "second"]


async def test_senders_at_the_same_time_send_each_message_once(db: asyncpg.Pool) -> None:
    for number in range(40):
        await add(db, "received", subject=f"order:{number}")
    receiver = Receiver()
    results = await asyncio.gather(*(deliver(db, "mail", receiver) for _ in range(3)))
    assert sum(result["sent"] for result in results) == 40
    assert len({message.subject for message in receiver.messages}) == len(receiver.messages) == 40


async def test_a_message_is_dead_after_its_last_attempt_and_an_operator_can_retry_it(db: asyncpg.Pool) -> None:
    await add(db, "received", "confirmed")
    policy = Policy(max_attempts=2, min_wait=60)
    failing = Receiver(UpstreamError("down"))
    assert await deliver(db, "mail", failing, policy) == {"sent": 0, "failed": 1, "dead": 0}
    await make_due(db)
    with capture_logs() as logs:
        assert (await deliver(db, "mail", failing, policy))["dead"] == 1
    assert [(log["event"], log["message_event"], log["attempt"]) for log in logs] == [
        ("message_dead", "received", 2),
        ("message_not_sent", "confirmed", 1),
    ]

    [_, dead] = await admin.select_messages(db, ["waiting", "dead"], None, 10)
    assert (dead.state, dead.attempts, dead.last_error) == ("dead", 2, "UpstreamError: down")
    assert await admin.retry_dead_message(db, dead.id)
    assert not await admin.retry_dead_message(db, dead.id)
    receiver = Receiver()
    await deliver(db, "mail", receiver, policy)
    assert receiver.events[:1] == ["received"]


async def test_only_the_last_dead_message_of_its_topic_and_subject_is_retried(db: asyncpg.Pool) -> None:
    await add(db, "first", "last")
    await add(db, "other", subject="order:2")
    ids = {row["event"]: row["id"] for row in await db.fetch("SELECT event, id FROM outbox")}

    async def retry(event: str, topic: str = "mail") -> str | None:
        return await admin.retry_last_dead_message(db, ids[event], topic)

    assert await retry("last") is None, "it waits"
    await db.execute("UPDATE outbox SET state = 'dead', settled_at = now()")
    assert await retry("last", "letter") is None
    assert await retry("first") == "replaced"
    assert await retry("last") == "retried"
    assert await retry("last") is None, "it waits again"
    assert await retry("first") == "replaced"
    assert await states(db) == {"first": "dead", "last": "waiting", "other": "dead"}


async def test_a_message_that_its_receiver_rejects_is_dead_after_fewer_attempts(db: asyncpg.Pool) -> None:
    await add(db, "received")
    assert await deliver(db, "mail", Receiver(UndeliverableError("no")), Policy(max_rejections=1)) == {
        "sent": 0, "failed": 0, "dead": 1
    }  # fmt: skip


async def test_an_attempt_that_takes_too_long_fails(db: asyncpg.Pool) -> None:
    async def hang(_: Message) -> None:
        await asyncio.Event().wait()

    await add(db, "received")
    assert (await deliver(db, "mail", hang, Policy(attempt_timeout=0.05, min_wait=60)))["failed"] == 1
    assert await db.fetchval("SELECT last_error FROM outbox") == "TimeoutError"


@pytest.mark.parametrize("text", ["\0 and \ud800", "x" * 10_000, ""])
async def test_the_text_of_any_failure_can_be_stored(db: asyncpg.Pool, text: str) -> None:
    await add(db, "received")
    assert (await deliver(db, "mail", Receiver(RuntimeError(text)), SLOW))["failed"] == 1
    error = await db.fetchval("SELECT last_error FROM outbox")
    assert error.startswith("RuntimeError")
    assert len(error) <= 500


class Store:
    """Stores outcomes as things, and fails while `failure` is set."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure

    async def __call__(self, connection: Connection, message: Message, outcome: Any) -> None:
        assert await connection.fetchval("SELECT state FROM outbox WHERE event = $1", message.event) == "sent"
        await connection.execute("INSERT INTO thing (name) VALUES ($1)", f"{message.event}: {outcome['answer']}")
        if self.failure is not None:
            raise self.failure


class Answering(Receiver):
    """A sender whose receiver answers with the number of the call."""

    async def __call__(self, message: Message) -> Any:
        await super().__call__(message)
        return {"answer": len(self.messages)}


async def things(db: asyncpg.Pool) -> list[str]:
    return [row["name"] for row in await db.fetch("SELECT name FROM thing ORDER BY id")]


async def test_the_outcome_is_stored_in_the_transaction_that_marks_the_message(db: asyncpg.Pool) -> None:
    await add(db, "received")
    assert (await delivery.deliver(db, Delivery("mail", Answering(), Store())))["sent"] == 1
    assert await things(db) == ["received: 1"]
    assert await db.fetchval("SELECT outcome FROM outbox") is None


async def test_a_message_whose_outcome_cannot_be_stored_is_sent_once_and_its_answer_is_kept(db: asyncpg.Pool) -> None:
    await add(db, "received")
    receiver, store = Answering(), Store(RuntimeError("a constraint"))
    with capture_logs() as logs:
        assert await delivery.deliver(db, Delivery("mail", receiver, store, policy=SLOW)) == {
            "sent": 0, "failed": 1, "dead": 0
        }  # fmt: skip
    [log] = logs
    assert (log["event"], log["error"]) == ("message_not_sent", "OutcomeNotStoredError: RuntimeError: a constraint")
    assert isinstance(log["exc_info"], Exception), "a bug needs its traceback"
    await make_due(db)
    [shown] = await admin.select_messages(db, ["waiting"], None, 10)
    assert shown.sent_at is not None
    assert await things(db) == []

    store.failure = None
    assert (await delivery.deliver(db, Delivery("mail", receiver, store, policy=SLOW)))["sent"] == 1
    assert receiver.events == ["received"], "it was not sent again"
    assert await things(db) == ["received: 1"]
    assert await db.fetchval("SELECT (sent_at, last_error) IS NOT DISTINCT FROM ($1, NULL) FROM outbox", shown.sent_at)


async def test_a_message_whose_outcome_can_never_be_stored_dies_and_does_not_block_the_next(db: asyncpg.Pool) -> None:
    await add(db, "poison", "next")
    receiver = Answering()

    async def store(connection: Connection, message: Message, outcome: Any) -> None:
        if message.event == "poison":
            await connection.execute("INSERT INTO thing (name) VALUES ($1)", 1)  # a wrong type: InterfaceError

    for _ in range(3):
        result = await delivery.deliver(db, Delivery("mail", receiver, store, policy=Policy(3, 3, min_wait=60)))
        await make_due(db)
    assert result == {"sent": 1, "failed": 0, "dead": 1}
    assert receiver.events == ["poison", "next"]
    assert await states(db) == {"poison": "dead", "next": "sent"}
    assert await db.fetchval("SELECT outcome FROM outbox WHERE event = 'poison'") == '{"answer": 1}'


async def test_an_outcome_that_the_database_could_not_store_just_now_is_stored_later(db: asyncpg.Pool) -> None:
    await add(db, "received")
    policy = Policy(max_rejections=1, min_wait=60)
    store = Store(asyncpg.DeadlockDetectedError("deadlock detected"))
    assert (await delivery.deliver(db, Delivery("mail", Answering(), store, policy=policy)))["failed"] == 1
    store.failure = None
    await make_due(db)
    assert (await delivery.deliver(db, Delivery("mail", Answering(), store, policy=policy)))["sent"] == 1


async def test_a_retried_dead_message_that_was_sent_before_is_not_sent_again(db: asyncpg.Pool) -> None:
    await add(db, "received")
    receiver, store = Answering(), Store(RuntimeError("a constraint"))
    poisoned = Delivery("mail", receiver, store, policy=Policy(max_rejections=1))
    assert (await delivery.deliver(db, poisoned))["dead"] == 1
    store.failure = None
    [dead] = await admin.select_messages(db, ["dead"], None, 10)
    assert await admin.retry_dead_message(db, dead.id)
    assert (await delivery.deliver(db, poisoned))["sent"] == 1
    assert receiver.events == ["received"]
    assert await things(db) == ["received: 1"]


async def test_a_sender_whose_claim_ran_out_stores_no_outcome(db: asyncpg.Pool) -> None:
    """Another sender has claimed the message meanwhile and will store its own."""
    await add(db, "received")

    async def send(_: Message) -> dict[str, int]:
        await make_due(db)
        assert len(await claim_due_messages(db, "mail", 1, LEASE)) == 1
        return {"answer": 1}

    result = await delivery.deliver(db, Delivery("mail", send, Store()))
    assert result == {"sent": 0, "failed": 0, "dead": 0}
    assert await things(db) == []
    assert await db.fetchval("SELECT (state, sent_at IS NULL) = ('waiting', true) FROM outbox")


async def test_a_sender_whose_claim_ran_out_after_it_had_sent_stores_no_outcome(
    db: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add(db, "received")

    async def lose_claim(executor: Any, message: Message, outcome: Any) -> bool:
        recorded = await update_sent(executor, message, outcome)
        await make_due(db)
        [claimed] = await claim_due_messages(db, "mail", 1, LEASE)
        assert (claimed.sent, claimed.outcome) == (True, {"answer": 1})
        return recorded

    monkeypatch.setattr(delivery, "update_sent", lose_claim)
    result = await delivery.deliver(db, Delivery("mail", Answering(), Store()))
    assert result == {"sent": 0, "failed": 0, "dead": 0}, "the other sender stores it"
    assert await things(db) == []
    assert await states(db) == {"received": "waiting"}


async def test_a_dead_message_is_recorded_where_it_matters(db: asyncpg.Pool) -> None:
    await add(db, "received")

    async def bury(connection: Connection, message: Message, error: str) -> None:
        await connection.execute("INSERT INTO thing (name) VALUES ($1)", f"{message.event}: {error}")

    delivered = Delivery("mail", Receiver(UpstreamError("down")), bury=bury, policy=Policy(max_attempts=1))
    assert (await delivery.deliver(db, delivered))["dead"] == 1
    assert await things(db) == ["received: UpstreamError: down"]


async def test_a_dead_message_stays_dead_even_if_that_cannot_be_recorded(db: asyncpg.Pool) -> None:
    await add(db, "received", "next")

    async def bury(*_: Any) -> None:
        raise RuntimeError("a constraint")

    delivered = Delivery("mail", Receiver(UpstreamError("down")), bury=bury, policy=Policy(max_attempts=1))
    with capture_logs() as logs:
        assert (await delivery.deliver(db, delivered))["dead"] == 2
    assert [log["event"] for log in logs].count("dead_message_not_recorded") == 2
    assert await states(db) == {"received": "dead", "next": "dead"}


async def test_only_rejections_count_as_rejections(db: asyncpg.Pool) -> None:
    """One rejection after many failures of the network is the first one."""
    await add(db, "received")
    policy = Policy(max_rejections=2, min_wait=60)
    outcomes = []
    for failure in [*[UpstreamError("451 later")] * 9, UndeliverableError("550 no"), UndeliverableError("550 no")]:
        outcomes.append(await deliver(db, "mail", Receiver(failure), policy))
        await make_due(db)
    assert [outcome["dead"] for outcome in outcomes] == [0] * 10 + [1]


async def test_a_receiver_that_does_not_answer_delays_no_other_message(db: asyncpg.Pool) -> None:
    await add(db, "hangs", subject="order:0")
    for number in range(1, 21):
        await add(db, "received", subject=f"order:{number}")
    arrived: list[str] = []
    all_others, end = asyncio.Event(), asyncio.Event()

    async def send(message: Message) -> None:
        if message.event == "hangs":
            await end.wait()
        arrived.append(message.subject)
        if len(arrived) == 20:
            await add(db, "received", subject="order:21")  # enqueued during the run
        if len(arrived) == 21:
            all_others.set()

    sending = asyncio.create_task(deliver(db, "mail", send, Policy(batch_size=2)))
    await all_others.wait()
    assert not sending.done()
    end.set()
    assert (await sending)["sent"] == 22


async def test_a_cancelled_run_leaves_no_attempt_behind(db: asyncpg.Pool) -> None:
    await add(db, "received")
    started, ended = asyncio.Event(), asyncio.Event()

    async def send(_: Message) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    sending = asyncio.create_task(deliver(db, "mail", send))
    await started.wait()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert ended.is_set()
    assert await states(db) == {"received": "waiting"}


async def test_other_attempts_end_before_an_error_of_the_database_is_raised(
    db: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add(db, "bad", subject="order:1")
    await add(db, "good", subject="order:2")
    failed = asyncio.Event()
    settle = update_settled

    async def update(executor: Any, message: Message) -> bool:
        if message.event == "bad":
            failed.set()
            raise ConnectionRefusedError("down")
        return await settle(executor, message)

    async def send(message: Message) -> None:
        if message.event == "good":
            await failed.wait()

    monkeypatch.setattr(delivery, "update_settled", update)
    with pytest.raises(ConnectionRefusedError):
        await deliver(db, "mail", send)
    assert await states(db) == {"bad": "waiting", "good": "sent"}


async def test_a_sender_whose_claim_is_over_marks_nothing(db: asyncpg.Pool) -> None:
    await add(db, "received")
    [old] = await claim_due_messages(db, "mail", 1, LEASE)
    await make_due(db)
    await claim_due_messages(db, "mail", 1, LEASE)
    assert not await update_sent(db, old, None)
    assert not await update_settled(db, old)
    assert not await update_dead(db, old, "late", rejected=True)
    await update_failed(db, old, "late", LEASE, rejected=True)
    assert await states(db) == {"received": "waiting"}
    assert await db.fetchval("SELECT (last_error IS NULL, rejections) = (true, 0) FROM outbox")


async def test_a_run_claims_nothing_more_after_its_time_unless_attempts_are_in_progress(
    db: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "RUN_SECONDS", 0.0)
    await add(db, "received")
    receiver = Receiver()
    assert await deliver(db, "mail", receiver) == {"sent": 0, "failed": 0, "dead": 0}
    assert receiver.events == []


async def test_a_claim_is_extended_while_its_sender_lives(db: asyncpg.Pool) -> None:
    started, finish = asyncio.Event(), asyncio.Event()

    async def send(_: Message) -> None:
        started.set()
        await finish.wait()

    async def is_extended() -> bool:
        later: bool = await db.fetchval("SELECT due_at > $1 FROM outbox", first_end)
        return later

    await add(db, "received")
    sending = asyncio.create_task(deliver(db, "mail", send, Policy(claim_seconds=3)))
    await started.wait()
    first_end: Any = await db.fetchval("SELECT due_at FROM outbox")
    await eventually(is_extended)
    assert await claim_due_messages(db, "mail", 1, LEASE) == []
    finish.set()
    assert (await sending)["sent"] == 1


@pytest.mark.parametrize(
    ("attempt", "retry_after", "least"), [(1, None, 1), (3, None, 4), (60, None, 60), (1, 30.0, 30), (1, 900.0, 60)]
)
def test_waits_double_up_to_a_limit_and_respect_retry_after(
    attempt: int, retry_after: float | None, least: float
) -> None:
    assert least <= delivery.Policy().wait_after(attempt, retry_after) <= least * 1.5


async def test_old_messages_are_deleted_once_sent(db: asyncpg.Pool) -> None:
    for subject, state in (("order:1", "sent"), ("order:2", "dead"), ("order:3", "waiting"), ("order:4", "sent")):
        await add(db, "received", subject=subject)
        settled = None if state == "waiting" else timedelta(days=29 if subject == "order:4" else 31)
        await db.execute(
            "UPDATE outbox SET state = $2, sent_at = now(), settled_at = now() - $3::interval WHERE subject = $1",
            subject,
            state,
            settled,
        )
    assert await admin.delete_old_messages(db, timedelta(days=30), 100) == 1
    rows = await db.fetch("SELECT subject FROM outbox ORDER BY subject")
    assert [row["subject"] for row in rows] == ["order:2", "order:3", "order:4"]


async def test_the_messages_of_each_topic_are_counted_by_state(db: asyncpg.Pool) -> None:
    for number in range(5):
        await enqueue(db, "letter", f"subject {number}", "1", {})
    await enqueue(db, "other", "subject", "1", {})
    await db.execute("UPDATE outbox SET state = 'dead', settled_at = now() WHERE subject = 'subject 0'")
    for subject, hours in (("subject 1", 1), ("subject 2", 23), ("subject 3", 25)):
        await db.execute(
            """
            UPDATE outbox
               SET state = 'sent', sent_at = now(), settled_at = now() - $2 * interval '1 hour'
             WHERE subject = $1
            """,
            subject,
            hours,
        )
    letter, nothing = await admin.select_message_counts(db, ["letter", "nothing"])

    assert (letter.topic, letter.waiting, letter.dead, letter.sent_last_day) == ("letter", 1, 1, 2)
    assert letter.waiting_since == await db.fetchval("SELECT created_at FROM outbox WHERE subject = 'subject 4'")
    assert nothing == admin.MessageCounts("nothing", 0, None, 0, 0)
