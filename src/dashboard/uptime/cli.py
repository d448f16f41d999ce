"""`python -m dashboard import-stores` and `pull-stores`: import store files from this machine, or from their source."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from getpass import getuser
from pathlib import Path

import asyncpg

from common.config import Secret
from common.csv_import import (
    CANNOT_OPEN,
    NOT_STORED,
    STORE_ALL,
    ImportOptions,
    RejectedLine,
    open_with_progress,
    print_error,
    print_notices,
    print_rejected,
    rejected_writer,
)
from common.db.pool import create_pool
from common.db.time_limits import UNLIMITED
from common.jobs.lease import Job, JobResult, Lease
from common.jobs.scheduler import run_now
from common.upstream import UpstreamError, create_client_session
from common.web.errors import HttpProblem
from dashboard.uptime.intake.load import Intake, import_file
from dashboard.uptime.intake.parse import StoreFile
from dashboard.uptime.intake.sources import source_at
from dashboard.uptime.jobs import PullOptions, pull_store_files
from dashboard.uptime.models.imports import ImportSummary

OnRejected = Callable[[str, RejectedLine], None]


async def import_files(url: Secret, files: Sequence[tuple[StoreFile, Path]], options: ImportOptions = STORE_ALL) -> int:
    """Import the files in the given order and print the results; returns the exit status.

    It is 1 if a line was rejected or a file refused; the other files are imported nevertheless.
    """
    if not files:
        return print_error("no file is given; see --help")
    status = 0
    try:
        with rejected_writer(options.rejected) if options.rejected else nullcontext(_drop) as write:
            async with create_pool(url, application="dashboard-import", size=1, timeouts=UNLIMITED) as db:
                for kind, path in files:
                    status |= await _import(db, kind, path, write, is_dry_run=options.dry_run)
    except CANNOT_OPEN as error:
        return print_error(f"{error.filename}: {error.strerror}")
    return status


def _drop(_: str, __: RejectedLine) -> None:
    """Write nothing."""


async def _import(db: asyncpg.Pool, kind: StoreFile, path: Path, write: OnRejected, *, is_dry_run: bool) -> int:
    """Import one file; returns 1 if it was refused or any of its lines was."""
    try:
        with open_with_progress(path) as (file, bar):
            intake = Intake(
                kind,
                file,
                path.name,
                datetime.now(UTC),
                made_by=f"import-stores, user {getuser()}",
                require_rows=True,
                dry_run=is_dry_run,
                progress=bar.update,
                on_rejected=lambda line: write(path.name, line),
            )
            summary = await import_file(db, intake)
    except HttpProblem as problem:
        print_error(f"{path}: {problem.detail}")
        faults = [(each.field.removeprefix("lines."), each) for each in problem.errors]
        print_notices(path.name, [f"line {line}: {each.message}" for line, each in faults if line != each.field])
        return 1
    except CANNOT_OPEN as error:
        return print_error(f"{path}: {error.strerror}")
    except NOT_STORED as error:
        return print_error(f"{path}: PostgreSQL failed; the import may be run again ({error})")
    _report(path.name, summary, is_dry_run=is_dry_run)
    return 1 if summary.rejected_total else 0


def _report(name: str, summary: ImportSummary, *, is_dry_run: bool) -> None:
    """Print one line of figures, then the notices and the first rejected lines on standard error."""
    new = f"{summary.new} {'would be ' * is_dry_run}new"
    print(f"{name}: {summary.rows} {'row' if summary.rows == 1 else 'rows'}, {new}, {summary.rejected_total} rejected")
    print_notices(name, summary.notices)
    print_rejected(name, summary.rejected, summary.rejected_total)


def _word(name: str, count: float) -> str:
    """The name of a figure of a pull, for one file or one row without its s."""
    words = name.replace("_", " ")
    return words.removesuffix("s") if count == 1 else words


PULL_CONNECTIONS = 3
PULL_SECONDS = timedelta(hours=1).total_seconds()
"""How long the command may keep the lease of the job."""


async def pull_files(url: Secret, location: Secret, options: PullOptions) -> int:
    """Pull the store files from their source now and print the result; returns the exit status, 1 if a file failed."""
    async with (
        create_pool(url, application="dashboard-pull", size=PULL_CONNECTIONS, timeouts=UNLIMITED) as db,
        create_client_session() as client,
    ):
        source = source_at(client, location.reveal())

        async def pull(lease: Lease) -> JobResult:
            return await pull_store_files(db, lease, source, datetime.now(UTC), options)

        try:
            result = await run_now(db, Job("pull_stores", PULL_SECONDS, pull))
        except UpstreamError as error:
            return print_error(str(error))
    print(", ".join(f"{count} {_word(name, count)}" for name, count in result.items()))
    return 1 if result["rejected"] or result["not_read"] else 0
