"""Timed work of alerts: evaluate the rules, and send announcements."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import aiohttp
import asyncpg
import structlog

from common.alerts import Watch
from common.db.errors import DATABASE_UNAVAILABLE, describe_failure
from common.db.pool import Connection, transaction
from common.jobs.lease import JobResult, Lease, LeaseLostError
from common.outbox.admin import delete_earlier_dead_messages
from common.outbox.delivery import Delivery, Policy, deliver
from common.outbox.queries import Message
from common.web.responses import encode_json
from dashboard.alerts.models import TOPIC, Announcement
from dashboard.alerts.receiver import AlertReceiver
from dashboard.alerts.service import Changes, ended_watches, evaluate, forget_receiver

log = structlog.get_logger()

RULE_TIMEOUT_SECONDS = 20.0
"""The limit of the evaluation of one rule."""

SEND_POLICY = Policy(max_attempts=10_080)
"""A receiver that is down is tried for a week, at intervals that grow to 60 to 90 s."""

FIELDS = Announcement.__struct_fields__
"""The order of the fields in the body."""


class RulesNotEvaluatedError(Exception):
    """Some rules could not be evaluated; the message names them."""


@dataclass(frozen=True)
class Evaluation:
    """Evaluates the rules of a database. has_receiver: whether anybody is to be told."""

    db: asyncpg.Pool
    watches: Sequence[Watch]
    has_receiver: bool

    async def run(self, lease: Lease, now: datetime) -> JobResult:
        """Evaluate each rule in a transaction of its own; returns how many alerts began, were resolved and fire.

        A rule that cannot be evaluated changes nothing of its alerts, and does not stop the others; the run fails then.
        """
        total, failures = Changes(), []
        if not self.has_receiver:
            async with transaction(self.db) as connection:
                await lease.guard(connection)
                await forget_receiver(connection)
        for watch in [*self.watches, *await ended_watches(self.db, self.watches)]:
            try:
                async with asyncio.timeout(RULE_TIMEOUT_SECONDS), transaction(self.db) as connection:
                    await lease.guard(connection)
                    total += await evaluate(connection, watch, now, has_receiver=self.has_receiver)
            except LeaseLostError:
                raise
            except Exception as failure:  # of any kind: the other rules are evaluated, and the run fails at its end
                expected = isinstance(failure, DATABASE_UNAVAILABLE)
                log.warning("rule_not_evaluated", rule=watch.rule, exc_info=None if expected else failure)
                failures.append(f"{watch.rule}: {describe_failure(failure)}")
        if failures:
            raise RulesNotEvaluatedError("; ".join(failures))
        return asdict(total)


async def send_alerts(
    db: asyncpg.Pool, client: aiohttp.ClientSession, receiver: AlertReceiver, policy: Policy = SEND_POLICY
) -> JobResult:
    """Send the announcements that are due; every attempt sends the same body, signed anew.

    A change of state that was sent replaces the earlier ones of its rule and subject that were given up.
    """

    async def send(message: Message) -> None:
        await receiver.send(client, encode_json({name: message.payload[name] for name in FIELDS}))

    async def replace_earlier(connection: Connection, message: Message, _: Any) -> None:
        if deleted := await delete_earlier_dead_messages(connection, message):
            log.info("dead_messages_replaced", subject=message.subject, message_event=message.event, messages=deleted)

    return await deliver(db, Delivery(TOPIC, send, replace_earlier, policy=policy))
