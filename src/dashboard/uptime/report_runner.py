"""Make reports in this process: at once when they are requested, a few at a time."""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import NamedTuple
from uuid import UUID

import asyncpg
import structlog

from common.db.errors import DATABASE_UNAVAILABLE, describe_failure
from common.web.errors import Conflict, Unavailable
from dashboard.uptime import service
from dashboard.uptime.models.reports import Report
from dashboard.uptime.queries import days, fleet, imports, report_rows, reports

log = structlog.get_logger()

MAX_CONCURRENT_REPORTS = 2
"""More would compete for the same processors."""
MAX_CONCURRENT_UPLOADS = 4
"""Each import of an upload holds a connection."""
MAX_ARRIVING_UPLOADS = 16
"""Each fills the disk until it has been imported."""
DETAILS_WAIT_SECONDS = 3.0
"""How many seconds a request waits for the full columns of a report before it is told to come again."""
DAYS_WAIT_SECONDS = 5.0
"""How many seconds a request makes figures of days before it is told to come again."""
FIRST_REPORT_WAIT_SECONDS = 2.0
"""How many seconds a page waits for the first report of all."""
MADE_ELSEWHERE_WAIT_SECONDS = 5.0
"""How many seconds a request waits for the first report of all while a job or another process makes it."""
MADE_ELSEWHERE_POLL_SECONDS = 0.1
STORES_PER_BATCH = 500
"""An import waits for a batch, which takes less than a second."""
FAILED_AGAIN_AFTER = timedelta(minutes=1)
"""A report for lists that has failed is not made again sooner, however often pages and lists ask for it."""
REPLACED_REPORTS_KEPT = timedelta(minutes=10)
"""How long the pages of a list stay available after newer data have replaced its report."""


class LatestReport(NamedTuple):
    """The newest report, None if there is none yet or no poll, and whether it is of the newest data.

    failure: why the one of the newest data could not be made; None while it is being made, and once it is there.
    """

    report: Report | None
    is_current: bool
    failure: str | None = None


class DataState(NamedTuple):
    """What a report is made of: the version of the data, and its newest poll."""

    version: int
    newest_poll: datetime


class Failure(NamedTuple):
    """A report that has failed: of which data, when, and why."""

    state: DataState
    at: datetime
    reason: str


class ReportRunner:
    """Makes reports on a pool whose time-outs allow for them; create one per process.

    upload_slots: limits the imports of uploads, which share that pool; arriving: limits the uploads that arrive.
    """

    def __init__(self, db: asyncpg.Pool) -> None:
        self.db = db
        self.upload_slots = asyncio.Semaphore(MAX_CONCURRENT_UPLOADS)
        self.arriving = asyncio.Semaphore(MAX_ARRIVING_UPLOADS)
        self._slots = asyncio.Semaphore(MAX_CONCURRENT_REPORTS)
        self._making: set[UUID] = set()
        self._detailing: dict[str, asyncio.Task[None]] = {}
        self._renewing: asyncio.Task[Report | None] | None = None
        self._failure: Failure | None = None

    async def make(self, report_id: UUID, now: datetime) -> None:
        """Make a report unless this process is making it already; if the database goes away, the job makes it later."""
        if report_id in self._making:
            return
        self._making.add(report_id)
        try:
            async with self._slots:
                await service.make_report(self.db, report_id, now)
        except DATABASE_UNAVAILABLE as error:
            log.warning("report_interrupted", report_id=str(report_id), error=describe_failure(error))
        finally:
            self._making.discard(report_id)

    async def has_details(self, report: Report) -> bool:
        """Make what the full columns of a complete report need, unless it is there; returns whether it is there now.

        False if that takes longer than DETAILS_WAIT_SECONDS; it then goes on in the background, and the next call
        raises its failure. Raises Conflict once the data is no longer that of the report, and what the database raises.
        """
        if await report_rows.select_has_details(self.db, UUID(report.report_id)):
            return True
        task = self._detailing.get(report.report_id)
        if task is None:
            task = asyncio.create_task(self._make_details(report))
            self._detailing[report.report_id] = task
            task.add_done_callback(partial(self._end_details, report.report_id))
        done, _ = await asyncio.wait([task], timeout=DETAILS_WAIT_SECONDS)
        if not done:
            return False
        if self._detailing.get(report.report_id) is task:
            del self._detailing[report.report_id]
        task.result()
        return True

    def _end_details(self, report_id: str, task: asyncio.Task[None]) -> None:
        """Log the failure of a task, and keep the task until a request has raised it; forget any other task."""
        failure = None if task.cancelled() else task.exception()
        if failure is None:
            self._detailing.pop(report_id, None)
        elif not isinstance(failure, Conflict):
            log.error("report_details_failed", report_id=report_id, exc_info=failure)

    async def _make_details(self, report: Report) -> None:
        async with self._slots:
            await service.make_report_details(self.db, report)

    async def newest(self, now: datetime) -> Report | None:
        """The report as of the newest poll; makes it first if the data has changed. None if there are no polls.

        The report before it while it cannot be made, which is tried again after FAILED_AGAIN_AFTER, and while a job or
        another process makes it. Raises Unavailable if there is none before, in the latter case only after
        MADE_ELSEWHERE_WAIT_SECONDS.
        """
        newest_poll = await imports.select_newest_poll(self.db, now)
        if newest_poll is None:
            return None
        latest = await fleet.select_latest_report(self.db)
        state = DataState(await imports.select_data_version(self.db), newest_poll)
        if not is_of(latest, state) and self.failure_of(state, now) is None:
            await self._make_for_lists(state, now, 0.0 if latest else MADE_ELSEWHERE_WAIT_SECONDS)
            latest = await fleet.select_latest_report(self.db)
        if latest is None:
            if (reason := self.failure_of(state, now)) is not None:
                wait = int(FAILED_AGAIN_AFTER.total_seconds())
                raise Unavailable(f"The first report could not be made. {reason}", retry_after=wait)
            raise Unavailable("The first report is being made.", retry_after=3)
        return latest

    async def _make_for_lists(self, state: DataState, now: datetime, wait: float) -> None:
        """Make the report for lists, and remember if it fails.

        wait: for how many seconds to wait for it if it is made elsewhere.
        """
        report_id = await service.request_report(self.db, None, now, for_lists=True)
        await self.make(report_id, now)
        made = await self._wait_for_end(report_id, wait)
        if made is not None and made.status == "Failed":
            self._failure = Failure(state, now, made.reason or "")
        await fleet.delete_replaced_reports(self.db, REPLACED_REPORTS_KEPT)

    async def _wait_for_end(self, report_id: UUID, seconds: float) -> Report | None:
        """Wait until a report has ended, for `seconds` at most, and return it as it is then."""
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            report = await reports.select_report(self.db, report_id)
            if report is None or report.status != "Running" or asyncio.get_running_loop().time() >= deadline:
                return report
            await asyncio.sleep(MADE_ELSEWHERE_POLL_SECONDS)

    def failure_of(self, state: DataState, now: datetime) -> str | None:
        """Why the report of this state of the data could not be made; None if it may be tried now."""
        failure = self._failure
        is_recent = failure is not None and abs(now - failure.at) < FAILED_AGAIN_AFTER
        return failure.reason if failure is not None and failure.state == state and is_recent else None

    async def latest(self, now: datetime, wait: float, first_wait: float | None = None) -> LatestReport:
        """The newest report there is, for a page that must not wait for a better one.

        If the data has changed since, the next report is begun, and taken if it is made within `wait` seconds; it goes
        on in the background. The first of all is waited for `first_wait` seconds, by default longer. One that has
        failed is not begun again at once.
        """
        newest_poll = await imports.select_newest_poll(self.db, now)
        if newest_poll is None:
            return LatestReport(None, is_current=True)
        latest = await fleet.select_latest_report(self.db)
        state = DataState(await imports.select_data_version(self.db), newest_poll)
        if is_of(latest, state):
            return LatestReport(latest, is_current=True)
        if self.failure_of(state, now) is None:
            if self._renewing is None:
                self._renewing = asyncio.create_task(self.newest(now))
                self._renewing.add_done_callback(self._end_renewing)
            if latest is None:
                wait = FIRST_REPORT_WAIT_SECONDS if first_wait is None else first_wait
            done, _ = await asyncio.wait([self._renewing], timeout=wait)
            for each in done:
                if each.exception() is None and each.result() != latest:
                    return LatestReport(each.result(), is_current=is_of(each.result(), state))
        return LatestReport(latest, is_current=False, failure=self.failure_of(state, now))

    def _end_renewing(self, task: asyncio.Task[Report | None]) -> None:
        """Forget the renewal that is done; the next page that finds the report old begins another."""
        self._renewing = None
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("report_not_renewed", error=describe_failure(error))

    async def make_days(self, now: datetime, seconds: float) -> int:
        """Make the figures of days that are over, for about so many seconds; returns of how many stores.

        Each batch is a transaction of its own, so that imports wait for a batch at most.
        """
        made = 0
        deadline = asyncio.get_running_loop().time() + seconds
        settled = await days.select_settled(self.db, now)
        while settled and (number := await days.make_recent_days(self.db, STORES_PER_BATCH, settled, now)):
            made += number
            if number < STORES_PER_BATCH or asyncio.get_running_loop().time() > deadline:
                break
        return made

    async def require_days(self, now: datetime) -> None:
        """Make what figures of days are missing. Raises Unavailable if that takes longer than a request may wait."""
        settled = await days.select_settled(self.db, now)
        # First, so that a request without anything to make does not wait for an import.
        if not settled or not await days.select_has_days_to_make(self.db, settled):
            return
        await self.make_days(now, DAYS_WAIT_SECONDS)
        if await days.select_has_days_to_make(self.db, settled):
            raise Unavailable("The figures of the days are being made.", retry_after=10)

    async def make_waiting(self) -> int:
        """Make the reports whose process died; returns how many were completed."""
        async with self._slots:
            return await service.make_waiting_reports(self.db, datetime.now(UTC))


def is_of(report: Report | None, state: DataState) -> bool:
    """Whether a report is of this state of the data."""
    return report is not None and (report.data_version, report.as_of) == state
