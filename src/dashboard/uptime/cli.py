"""`python -m dashboard import-stores`: import store files from this machine."""

from collections.abc import Mapping
from pathlib import Path

import asyncpg

from common.config import Secret
from common.csv_import import NOT_STORED, byte_progress, print_error, print_rejected
from common.db.pool import UNLIMITED, create_pool
from common.web.errors import Invalid
from dashboard.uptime.intake.load import import_file
from dashboard.uptime.intake.local_files import read_file
from dashboard.uptime.intake.parse import StoreFile
from dashboard.uptime.models import ImportSummary


async def import_files(url: Secret, files: Mapping[StoreFile, Path]) -> int:
    """Import the files in the given order and print the results; returns the exit status.

    It is 1 if a line was rejected or a file refused; the other files are imported nevertheless.
    """
    if not files:
        return print_error("no file is given; see --help")
    status = 0
    async with create_pool(url, application="dashboard-import", size=1, timeouts=UNLIMITED) as db:
        for kind, path in files.items():
            status |= await _import(db, kind, path)
    return status


async def _import(db: asyncpg.Pool, kind: StoreFile, path: Path) -> int:
    """Import one file; returns 1 if it was refused or any of its lines was."""
    try:
        with byte_progress(path) as bar:
            summary = await import_file(db, kind, read_file(path, bar.update), path.name)
    except Invalid as problem:
        return print_error(f"{path}: {problem.detail}")
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        return print_error(f"{path}: {error.strerror}")
    except NOT_STORED as error:
        return print_error(f"{path}: PostgreSQL failed; the import may be run again ({error})")
    _report(path.name, summary)
    return 1 if summary.rejected_total else 0


def _report(name: str, summary: ImportSummary) -> None:
    """Print one line of figures, then the first rejected lines on standard error."""
    print(f"{name}: {summary.rows} rows, {summary.new} new, {summary.rejected_total} rejected")
    print_rejected(name, summary.rejected, summary.rejected_total)
