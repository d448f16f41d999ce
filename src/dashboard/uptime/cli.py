"""`python -m dashboard import-stores`: files of the stores from this machine."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import asyncpg
from tqdm import tqdm

from common.config import Secret
from common.db.errors import DATABASE_UNAVAILABLE
from common.db.pool import create_pool
from common.web.errors import Invalid
from dashboard.uptime.intake.load import import_file
from dashboard.uptime.intake.local_files import read_file
from dashboard.uptime.intake.parse import StoreFile
from dashboard.uptime.models import ImportSummary

NOT_STORED: tuple[type[Exception], ...] = (*DATABASE_UNAVAILABLE, asyncpg.PostgresError)


async def import_files(url: Secret, files: Mapping[StoreFile, Path]) -> int:
    """Take in the files, in the order given, and say what happened; returns the exit status.

    It is 1 if any line was rejected or any file refused; the other files come in all the same.
    """
    if not files:
        print("nightaudit: no file is named; see --help", file=sys.stderr)
        return 1
    good = True
    async with create_pool(
        url, application="dashboard-import", size=1, statement_seconds=0, transaction_seconds=0
    ) as db:
        for kind, path in files.items():
            good &= await _import(db, kind, path)
    return 0 if good else 1


async def _import(db: asyncpg.Pool, kind: StoreFile, path: Path) -> bool:
    """Take in a file; whether all of it is in."""
    try:
        with _progress(path) as bar:
            imported = await import_file(db, kind, read_file(path, bar.update), path.name)
    except Invalid as fault:
        why = "; ".join(f"the {each.field} {each.message}" for each in fault.errors)
        print(f"nightaudit: {path}: {fault.detail} {why}".rstrip(), file=sys.stderr)
        return False
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        print(f"nightaudit: {path}: {error.strerror}", file=sys.stderr)
        return False
    except NOT_STORED as error:
        print(f"nightaudit: {path}: PostgreSQL failed; the import may be run again ({error})", file=sys.stderr)
        return False
    _report(path, imported)
    return imported.rejected_total == 0


def _progress(path: Path) -> "tqdm[NoReturn]":
    """A bar over the bytes of the file, on a terminal."""
    size = path.stat().st_size
    return tqdm(total=size, unit="B", unit_scale=True, desc=path.name, disable=None, file=sys.stderr)


def _report(path: Path, imported: ImportSummary) -> None:
    """One line of figures, then the first rejected lines."""
    print(f"{path.name}: {imported.rows} rows, {imported.new} new, {imported.rejected_total} rejected")
    for line in imported.rejected:
        print(f"line {line.line}: {line.reason}", file=sys.stderr)
    if imported.rejected_total > len(imported.rejected):
        print(f"… and {imported.rejected_total - len(imported.rejected)} more", file=sys.stderr)
