"""Jobs of the catalogue: register pending products, refresh the offers of registered ones, and delete old prices.

The first two work alike. Up to `concurrency` requests run at once; meanwhile their results are stored in batches, one
statement per batch, fenced by the job's lease. A failing product is paused, with exponential back-off and jitter, and
affects no other. When the service as a whole fails (the breaker opens, or there is no token) the run ends; products not
reached stay due and come first in the next run. If no product was refreshed until then, the run has failed. Only a
response 200 changes offers.
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

from common.db.pool import Executor, transaction
from common.jobs.lease import JobResult, Lease
from common.upstream import CircuitOpenError, UpstreamError
from dashboard.catalog.offers_client import NotRegisteredError, OffersClient, ReceivedOffer
from dashboard.catalog.offers_token import MAX_PAUSE_SECONDS, NoTokenError
from dashboard.catalog.queries import refresh as queries
from dashboard.catalog.queries.refresh import DueProduct, FailedRefresh, PriceRules, ReceivedOffers
from dashboard.catalog.queries.retention import delete_middle_prices, delete_old_gaps, delete_old_offer_changes
from dashboard.catalog.service import MAX_ERROR_LENGTH

log = structlog.get_logger()

PRODUCTS_PER_BATCH = 250
"""Products that are stored by one statement."""

MAX_BATCH_SECONDS = 1.0
"""A batch that is not full is stored after this time."""

MAX_WAITING_RESULTS = 4 * PRODUCTS_PER_BATCH
"""No further requests are made while this many results wait to be stored."""

MAX_DESCRIPTION_READS = 2
"""Queries of product descriptions that run at once; more could exhaust the pool."""

MAX_BACKOFF_INTERVALS = 10


class RegistrationError(UpstreamError):
    """The product could not be registered."""


class NothingRefreshedError(UpstreamError):
    """A run ended early, because the service failed as a whole, and refreshed no product."""


@dataclass
class RefreshProgress:
    """The state of a run.

    received, failures: results that wait to be stored. requesting: tasks that make requests. reached: products whose
    requests ended. stopped: why the run ended early. batch_ready: set when the waiting results should be stored now.
    may_request: cleared while too many results wait.
    """

    received: list[ReceivedOffers] = field(default_factory=list)
    failures: list[FailedRefresh] = field(default_factory=list)
    requesting: int = 0
    reached: set[UUID] = field(default_factory=set)
    stored: int = 0
    failed: int = 0
    changes: int = 0
    closed: int = 0
    stopped: str | None = None
    batch_ready: asyncio.Event = field(default_factory=asyncio.Event)
    may_request: asyncio.Event = field(default_factory=asyncio.Event)


class Refresh:
    """One run over the due products.

    interval: the job's interval in seconds, by which failing products are paused. rules: of the best price.
    """

    def __init__(
        self,
        db: asyncpg.Pool,
        client: OffersClient,
        lease: Lease,
        *,
        concurrency: int,
        interval: float,
        rules: PriceRules,
    ) -> None:
        self.db = db
        self.client = client
        self.lease = lease
        self.concurrency = concurrency
        self.interval = interval
        self.rules = rules
        self.progress = RefreshProgress()
        self.progress.may_request.set()
        self._description_reads = asyncio.Semaphore(MAX_DESCRIPTION_READS)

    async def run(self, *, registered: bool) -> JobResult:
        """Refresh the registered products, or register and refresh the pending ones; returns the numbers of results.

        Raises NothingRefreshedError, after storing why, if the run ended early without a refreshed product.
        """
        now = await queries.select_now(self.db)
        self._loop_start = now - timedelta(seconds=asyncio.get_running_loop().time())
        select = queries.select_due if registered else queries.select_pending
        due = await select(self.db, now)
        progress = self.progress
        if due:  # else no token is needed
            await self._request_with_token(due, register=not registered)
        if progress.stopped is not None:
            await self._store_skipped([each.product_id for each in due if each.product_id not in progress.reached])
        skipped = len(due) - len(progress.reached)
        if progress.stopped is not None and not progress.stored:
            numbers = f"{len(due)} due, {progress.failed} failed, {skipped} skipped"
            raise NothingRefreshedError(f"no product was refreshed ({numbers}): {progress.stopped[:MAX_ERROR_LENGTH]}")
        return {
            "due": len(due),
            "refreshed": progress.stored,
            "failed": progress.failed,
            "skipped": skipped,
            "changes": progress.changes,
            "closed": progress.closed,
        }

    async def _request_with_token(self, due: Sequence[DueProduct], *, register: bool) -> None:
        try:
            self.client.require_callable()
            await self.client.shared_token.get()
        except UpstreamError as error:
            self.progress.stopped = str(error)
        else:
            await self._request_and_store(due, register=register)

    def _now(self) -> datetime:
        """The time by PostgreSQL's clock, which all replicas share; needs no query."""
        return self._loop_start + timedelta(seconds=asyncio.get_running_loop().time())

    async def _request_and_store(self, due: Sequence[DueProduct], *, register: bool) -> None:
        queue = iter(due)
        if not self.client.breaker.closed:
            # The breaker lets one call through as a probe: make it before the others.
            await self._request_each(islice(queue, 1), register=register)
        try:
            async with asyncio.TaskGroup() as tasks:
                self.progress.requesting = min(self.concurrency, len(due))
                for _ in range(self.progress.requesting):
                    tasks.create_task(self._request_until_done(queue, register=register))
                tasks.create_task(self._store_until_done())
        except ExceptionGroup as group:
            raise group.exceptions[0] from None

    async def _request_until_done(self, queue: Iterator[DueProduct], *, register: bool) -> None:
        await self._request_each(queue, register=register)
        self.progress.requesting -= 1
        if not self.progress.requesting:
            self.progress.batch_ready.set()

    async def _request_each(self, queue: Iterator[DueProduct], *, register: bool) -> None:
        """Request products from the shared queue until it is empty or the service fails as a whole."""
        progress = self.progress
        for product in queue:
            await progress.may_request.wait()
            if progress.stopped is not None:
                return
            try:
                received = await self._request_offers(product, register=register)
            except (CircuitOpenError, NoTokenError) as error:
                progress.stopped = str(error)
                return
            except UpstreamError as error:
                progress.failures.append(self._failed(product, error))
            else:
                if received is not None:
                    progress.received.append(received)
            progress.reached.add(product.product_id)
            waiting = len(progress.received) + len(progress.failures)
            if waiting >= PRODUCTS_PER_BATCH:
                progress.batch_ready.set()
            if waiting >= MAX_WAITING_RESULTS:
                progress.may_request.clear()

    async def _request_offers(self, product: DueProduct, *, register: bool) -> ReceivedOffers | None:
        """The offers of a product, after registering it if necessary; None for a deleted product."""
        product_id = product.product_id
        if not register:
            try:
                return with_each_id_once(product_id, await self.client.offers(product_id))
            except NotRegisteredError:
                log.info("product_not_registered", product_id=str(product_id))
        async with self._description_reads:
            name_and_description = await queries.select_description(self.db, product_id)
        if name_and_description is None:
            return None
        try:
            await self.client.register(product_id, *name_and_description)
        except (CircuitOpenError, NoTokenError):
            raise
        except UpstreamError as error:
            raise RegistrationError(str(error), status=error.status, retry_after=error.retry_after) from error
        return with_each_id_once(product_id, await self.client.offers(product_id))

    def _failed(self, product: DueProduct, error: UpstreamError) -> FailedRefresh:
        backoff = self.interval * min(MAX_BACKOFF_INTERVALS, 2.0 ** min(product.failures, 16))
        jittered = backoff * random.uniform(0.5, 1.0)
        retry_after = min(error.retry_after or 0.0, MAX_PAUSE_SECONDS)
        registered = not isinstance(error, RegistrationError | NotRegisteredError)
        return FailedRefresh(product.product_id, str(error)[:MAX_ERROR_LENGTH], max(jittered, retry_after), registered)

    async def _store_until_done(self) -> None:
        progress = self.progress
        while progress.requesting:
            with suppress(TimeoutError):
                async with asyncio.timeout(MAX_BATCH_SECONDS):
                    await progress.batch_ready.wait()
            progress.batch_ready.clear()
            await self._store()
        await self._store()

    async def _store(self) -> None:
        progress = self.progress
        received, progress.received = progress.received, []
        failures, progress.failures = progress.failures, []
        progress.may_request.set()
        if not received and not failures:
            return
        async with transaction(self.db) as connection:
            await self.lease.guard(connection)
            if received:
                stored = await queries.upsert_offers(connection, received, self._now(), self.rules)
                progress.stored += stored.products
                progress.changes += stored.changes
                progress.closed += stored.closed
            if failures:
                await queries.update_failures(connection, failures, self._now())
                progress.failed += len(failures)

    async def _store_skipped(self, skipped: Sequence[UUID]) -> None:
        reason = str(self.progress.stopped)[:MAX_ERROR_LENGTH]
        log.warning("offers_service_not_called", job=self.lease.job, reason=reason, skipped=len(skipped))
        async with transaction(self.db) as connection:
            await self.lease.guard(connection)
            await queries.update_skipped(connection, skipped, reason)


def with_each_id_once(product_id: UUID, offers: list[ReceivedOffer]) -> ReceivedOffers:
    """The offers of a product; the last of several with the same id counts."""
    by_id = {str(offer.id): offer for offer in offers}
    return ReceivedOffers(product_id, list(by_id.values()))


async def delete_old_prices(db: Executor, keep: timedelta, limit: int) -> int:
    """Delete prices older than `keep`, and gaps; returns how many, 0 when none is left to delete.

    Of the lowest prices of a product the first, lowest, highest and last of each day stay; of the prices of an offer
    the one that was valid `keep` ago.
    """
    if deleted := await delete_old_offer_changes(db, keep, limit):
        return deleted
    if deleted := await delete_old_gaps(db, keep, limit):
        return deleted
    while True:
        looked_at, deleted = await delete_middle_prices(db, keep, limit)
        if deleted or not looked_at:
            return deleted
