"""The outbox: one message per event, in order per subject, tried again after a failure or the death of its sender."""

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from structlog.testing import capture_logs

from common.db.pool import Connection
from common.outbox import admin, delivery
from common.outbox.delivery import ApplyOutcome, Policy, UndeliverableError, deliver
from common.outbox.queries import Message, claim_due_messages, enqueue, update_failed, update_sent
from common.upstream import UpstreamError
from tests.support.waiting import eventually

SLOW = Policy(min_wait=60)
"""A failed message is not due again within a test."""
LEASE = timedelta(minutes=1)


@pytest.fixture
async def db(ground_pool: asyncpg.Pool) -> asyncpg.Pool:
    await ground_pool.execute("TRUNCATE outbox")
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


async def test_the_outcome_is_stored_in_the_transaction_that_marks_the_message(db: asyncpg.Pool) -> None:
    async def send(_: Message) -> ApplyOutcome:
        async def apply(connection: Connection) -> None:
            assert await connection.fetchval("SELECT state FROM outbox") == "sent"
            await connection.execute("INSERT INTO thing (name) VALUES ('outcome')")

        return apply

    await add(db, "received")
    assert (await deliver(db, "mail", send))["sent"] == 1
    assert await db.fetchval("SELECT name FROM thing") == "outcome"


async def test_a_sender_whose_claim_is_over_marks_nothing(db: asyncpg.Pool) -> None:
    await add(db, "received")
    [old] = await claim_due_messages(db, "mail", 1, LEASE)
    await make_due(db)
    await claim_due_messages(db, "mail", 1, LEASE)
    assert not await update_sent(db, old)
    await update_failed(db, old, "late", LEASE, "dead")
    assert await states(db) == {"received": "waiting"}


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
            "UPDATE outbox SET state = $2, settled_at = now() - $3::interval WHERE subject = $1",
            subject,
            state,
            settled,
        )
    assert await admin.delete_old_messages(db, timedelta(days=30), 100) == 1
    rows = await db.fetch("SELECT subject FROM outbox ORDER BY subject")
    assert [row["subject"] for row in rows] == ["order:2", "order:3", "order:4"]
