"""A receiver of alerts on loopback, whose faults a test can choose, and the evaluation of rules at any time."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import asyncpg
from aiohttp import web

from common.alerts import Firing, Watch
from common.config import Secret, Secrets
from common.db.pool import Executor
from common.jobs.lease import Job, JobResult, Lease
from common.jobs.scheduler import run_now
from common.outbox.delivery import Policy
from dashboard.alerts.jobs import SEND_POLICY, Evaluation, send_alerts
from dashboard.alerts.receiver import AlertReceiver

SECRET = "the-secret-of-the-alerts"
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
TICK = timedelta(seconds=10)
PATH = "/hooks/token-of-the-address/"


@dataclass(frozen=True)
class Received:
    """A request that reached the receiver."""

    path: str
    body: bytes
    headers: dict[str, str]

    @property
    def alert(self) -> dict[str, Any]:
        alert: dict[str, Any] = json.loads(self.body)
        return alert


@dataclass
class FakeReceiver:
    """Answers every request with `status` and `headers`; while it hangs it does not answer at all."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    hangs: bool = False
    requests: list[Received] = field(default_factory=list)
    accepted: list[Received] = field(default_factory=list)
    url: str = ""

    async def answer(self, request: web.Request) -> web.Response:
        received = Received(request.path, await request.read(), dict(request.headers))
        self.requests.append(received)
        if self.hangs:
            await asyncio.Event().wait()
        if 200 <= self.status < 300:
            self.accepted.append(received)
        return web.Response(status=self.status, headers=self.headers)

    @property
    def told(self) -> list[tuple[str, str]]:
        """The subject and the state of each accepted announcement, in order."""
        return [(each.alert["subject"], each.alert["state"]) for each in self.accepted]


@asynccontextmanager
async def listening(receiver: FakeReceiver) -> AsyncIterator[FakeReceiver]:
    """Let the receiver listen on loopback, at `receiver.url`."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", receiver.answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    receiver.url = f"http://{host}:{port}{PATH}"
    try:
        yield receiver
    finally:
        await runner.cleanup()


@dataclass
class Rule:
    """A rule that finds what a test says, or fails with `failure`.

    known: the subjects that it was given last. ends: how alerts end, by subject, where it matters.
    """

    name: str = "store_down"
    firing: dict[str, str] = field(default_factory=dict)
    failure: Exception | None = None
    known: Sequence[str] = ()
    ends: dict[str, str] = field(default_factory=dict)

    @property
    def watch(self) -> Watch:
        return Watch(self.name, self._select, self._select_ends)

    async def _select_ends(self, db: Executor, now: datetime, resolved: Sequence[str]) -> dict[str, str]:
        return {subject: self.ends.get(subject, f"No longer: {subject}.") for subject in resolved}

    async def _select(self, db: Executor, now: datetime, known: Sequence[str]) -> list[Firing]:
        self.known = known
        if self.failure is not None:
            raise self.failure
        return [Firing(subject, detail) for subject, detail in self.firing.items()]


@dataclass
class Alarm:
    """The jobs of alerts on a database: evaluates rules at times of the test's own, and sends what is due."""

    db: asyncpg.Pool
    client: aiohttp.ClientSession
    url: str
    now: datetime = START
    has_receiver: bool = True
    policy: Policy = SEND_POLICY

    async def evaluate(self, *rules: Rule, after: timedelta = TICK) -> JobResult:
        """Let time pass, and evaluate the rules under the lease of the job."""
        self.now += after
        evaluation = Evaluation(self.db, [rule.watch for rule in rules], has_receiver=self.has_receiver)

        async def run(lease: Lease) -> JobResult:
            return await evaluation.run(lease, self.now)

        return await run_now(self.db, Job("evaluate_alerts", 10, run))

    async def send(self) -> JobResult:
        """Send everything that waits, as if the pauses after failures had passed."""
        await self.db.execute("UPDATE outbox SET due_at = clock_timestamp() WHERE state = 'waiting'")
        receiver = AlertReceiver(Secret(self.url), Secrets(Secret(SECRET)))
        return await send_alerts(self.db, self.client, receiver, self.policy)

    async def states(self) -> list[tuple[str, str]]:
        """The subject and the state of each alert, in the order of their last changes."""
        rows = await self.db.fetch("SELECT subject, resolved_at FROM alert ORDER BY id")
        return [(row["subject"], "firing" if row["resolved_at"] is None else "resolved") for row in rows]

    async def messages(self) -> dict[str, str]:
        """The state of each message by its event."""
        return {
            row["event"]: row["state"] for row in await self.db.fetch("SELECT event, state FROM outbox ORDER BY id")
        }
