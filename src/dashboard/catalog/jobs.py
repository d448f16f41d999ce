"""Timed work of the catalogue: pending products are registered, registered ones are refreshed.

Both go the same way. Up to `concurrency` products are asked for at once; their answers are stored in batches beside
that, one statement a batch, fenced by the job's lease. A product that fails is left alone for a while that grows and is
jittered, and touches no other. When the service as a whole fails (the breaker opens, there is no token) the run ends;
whatever it did not reach stays due, and comes first in the next run. Nothing but a 200 answer changes an offer.
"""

import asyncio
import random
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from uuid import UUID

import asyncpg
import structlog

from common.db.pool import transaction
from common.jobs.lease import JobResult, Lease
from common.upstream import CircuitOpenError, UpstreamError
from dashboard.catalog.offers_client import NotRegisteredError, OffersService, SeenOffer
from dashboard.catalog.offers_token import LONGEST_PAUSE_SECONDS, NoTokenError
from dashboard.catalog.queries import refresh as queries
from dashboard.catalog.queries.refresh import Answered, Due, Failed

log = structlog.get_logger()

BATCH = 250
"""Products that are stored by one statement."""

LONGEST_COLLECTING_SECONDS = 1.0
"""After this a batch is stored though it is not full."""

LARGEST_BACKLOG = 4 * BATCH
"""Answers that may wait to be stored; beyond it the service is not asked for more."""

READERS = 2
"""Connections that a run reads products on; the askers take turns, so that none waits for the pool in vain."""

LONGEST_BACKOFF = 10
"""In intervals of the job."""

LONGEST_ERROR = 500
"""Characters of an error that are kept."""


class RegistrationError(UpstreamError):
    """The service did not take the product."""


@dataclass
class Progress:
    """What a run has done, and what it has in hand."""

    answers: list[Answered] = field(default_factory=list)
    failures: list[Failed] = field(default_factory=list)
    asking: int = 0
    reached: set[UUID] = field(default_factory=set)
    stored: int = 0
    failed: int = 0
    changes: int = 0
    closed: int = 0
    stopped: str | None = None
    full: asyncio.Event = field(default_factory=asyncio.Event)
    room: asyncio.Event = field(default_factory=asyncio.Event)


class Refresh:
    """One run over the due products.

    interval: of the job, in seconds; the backoff of a product counts in it.
    """

    def __init__(
        self, db: asyncpg.Pool, service: OffersService, lease: Lease, *, concurrency: int, interval: float
    ) -> None:
        self.db = db
        self.service = service
        self.lease = lease
        self.concurrency = concurrency
        self.interval = interval
        self.progress = Progress()
        self.progress.room.set()
        self._reading = asyncio.Semaphore(READERS)

    async def run(self, *, registered: bool) -> JobResult:
        """Refresh the registered products, or register and refresh the pending ones; returns what came of it."""
        now = await queries.select_now(self.db)
        self._zero = now - timedelta(seconds=asyncio.get_running_loop().time())
        select = queries.select_due if registered else queries.select_pending
        due = await select(self.db, now)
        progress = self.progress
        try:
            self.service.check()
            await self.service.keeper.token()
        except UpstreamError as error:
            progress.stopped = str(error)
        else:
            await self._ask_and_store(due, register=not registered)
        if progress.stopped is not None and due:
            await self._note_skipped([each.product_id for each in due if each.product_id not in progress.reached])
        return {
            "due": len(due),
            "refreshed": progress.stored,
            "failed": progress.failed,
            "skipped": len(due) - len(progress.reached),
            "changes": progress.changes,
            "closed": progress.closed,
        }

    def _now(self) -> datetime:
        """PostgreSQL's time, which the replicas share, without asking again."""
        return self._zero + timedelta(seconds=asyncio.get_running_loop().time())

    async def _ask_and_store(self, due: Sequence[Due], *, register: bool) -> None:
        queue = iter(due)
        if not self.service.breaker.closed:
            # One call is let through to see whether the service is back: it goes ahead of the others.
            await self._ask_for_each(islice(queue, 1), register=register)
        try:
            async with asyncio.TaskGroup() as tasks:
                self.progress.asking = min(self.concurrency, len(due))
                for _ in range(self.progress.asking):
                    tasks.create_task(self._ask_until_done(queue, register=register))
                tasks.create_task(self._store_until_done())
        except ExceptionGroup as group:
            raise group.exceptions[0] from None

    async def _ask_until_done(self, queue: Iterator[Due], *, register: bool) -> None:
        await self._ask_for_each(queue, register=register)
        self.progress.asking -= 1
        if not self.progress.asking:
            self.progress.full.set()

    async def _ask_for_each(self, queue: Iterator[Due], *, register: bool) -> None:
        """Take products from the queue that all askers share, until it is empty or the service fails as a whole."""
        progress = self.progress
        for product in queue:
            await progress.room.wait()
            if progress.stopped is not None:
                return
            try:
                answer = await self._ask(product, register=register)
            except (CircuitOpenError, NoTokenError) as error:
                progress.stopped = str(error)
                return
            except UpstreamError as error:
                progress.failures.append(self._failed(product, error))
            else:
                if answer is not None:
                    progress.answers.append(answer)
            progress.reached.add(product.product_id)
            waiting = len(progress.answers) + len(progress.failures)
            if waiting >= BATCH:
                progress.full.set()
            if waiting >= LARGEST_BACKLOG:
                progress.room.clear()

    async def _ask(self, product: Due, *, register: bool) -> Answered | None:
        """The offers of a product, registered with the service where it is not; None when it is gone by now."""
        product_id = product.product_id
        if not register:
            try:
                return answered(product_id, await self.service.offers(product_id))
            except NotRegisteredError:
                log.info("product_unknown_to_offers_service", product_id=str(product_id))
        async with self._reading:
            described = await queries.select_description(self.db, product_id)
        if described is None:
            return None
        try:
            await self.service.register(product_id, *described)
        except (CircuitOpenError, NoTokenError):
            raise
        except UpstreamError as error:
            raise RegistrationError(str(error), status=error.status, retry_after=error.retry_after) from error
        return answered(product_id, await self.service.offers(product_id))

    def _failed(self, product: Due, error: UpstreamError) -> Failed:
        backoff = self.interval * min(LONGEST_BACKOFF, 2.0 ** min(product.failures, 16))
        jittered = backoff * random.uniform(0.5, 1.0)
        asked = min(error.retry_after or 0.0, LONGEST_PAUSE_SECONDS)
        registered = not isinstance(error, RegistrationError | NotRegisteredError)
        return Failed(product.product_id, str(error)[:LONGEST_ERROR], max(jittered, asked), registered)

    async def _store_until_done(self) -> None:
        progress = self.progress
        while progress.asking:
            with suppress(TimeoutError):
                async with asyncio.timeout(LONGEST_COLLECTING_SECONDS):
                    await progress.full.wait()
            progress.full.clear()
            await self._store()
        await self._store()

    async def _store(self) -> None:
        progress = self.progress
        answers, progress.answers = progress.answers, []
        failures, progress.failures = progress.failures, []
        progress.room.set()
        if not answers and not failures:
            return
        async with transaction(self.db) as connection:
            await self.lease.guard(connection)
            if answers:
                stored = await queries.upsert_answers(connection, answers, self._now())
                progress.stored += stored.products
                progress.changes += stored.changes
                progress.closed += stored.closed
            if failures:
                await queries.update_failures(connection, failures, self._now())
                progress.failed += len(failures)

    async def _note_skipped(self, skipped: Sequence[UUID]) -> None:
        reason = str(self.progress.stopped)[:LONGEST_ERROR]
        log.warning("offers_service_not_called", job=self.lease.job, reason=reason, skipped=len(skipped))
        async with transaction(self.db) as connection:
            await self.lease.guard(connection)
            await queries.update_skipped(connection, skipped, reason)


def answered(product_id: UUID, offers: list[SeenOffer]) -> Answered:
    """An answer with each offer once: of two with one id the later counts."""
    by_id = {str(offer.id): offer for offer in offers}
    return Answered(product_id, list(by_id.values()))
