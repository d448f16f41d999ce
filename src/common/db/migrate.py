"""Migrations: SQL files, each applied in a transaction of its own, under a lock that replicas share.

In this order:
1. The settings of our sessions, which the role keeps: see `common/db/role_settings.py`.
2. `common/db/platform.sql`, the tables of `common`, as 0000_platform.sql: once.
3. `FOLDER/NNNN_name.sql`: each once. A file that was applied never changes again.
4. `FOLDER/functions/name.sql`, `CREATE OR REPLACE` of functions and triggers: again whenever the file has changed.

The first line of a file, `-- release N`, is the release of the software that added it (functions: changed it last). The
release of a database is the highest of the files applied to it, that of the software the highest of its own files.
Software starts on a database of its own release or an earlier one, which it migrates, and on one that is a single
release ahead, whose functions it leaves alone. See docs/decisions/migrations.md.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import asyncpg
import structlog

from common.config import Secret
from common.db.errors import DATABASE_UNAVAILABLE
from common.db.locks import MIGRATION_LOCK
from common.db.pool import Executor, connect_with
from common.db.role_settings import (
    end_older_sessions,
    end_own_session,
    select_clock,
    select_differing_settings,
    store_settings,
)
from common.db.statements import split_statements
from common.db.time_limits import UNLIMITED

log = structlog.get_logger()

PLATFORM = Path(__file__).parent / "platform.sql"
FILE_NAME = re.compile(r"(?P<number>[0-9]{4})_[a-z0-9_]+\.sql")
FUNCTIONS_NAME = re.compile(r"[a-z0-9_]+\.sql")
RELEASE = re.compile(r"-- release (?P<release>[1-9][0-9]*)\n")

LOCK_SECONDS = 5.0
"""How long a migration waits for the lock of a table: all later statements on the table wait behind it."""
LOCK_ATTEMPTS = 5
LOCK_PAUSE_SECONDS = 2.0
SETTINGS_ATTEMPTS = 5


class MigrationError(Exception):
    """The files and the database do not fit together, or a file cannot be applied."""


class TableLockedError(MigrationError):
    """Another transaction held the lock of a table for too long."""


@dataclass(frozen=True)
class SqlFile:
    """A file to apply. repeatable: a file of functions, which is applied again when it has changed."""

    name: str
    text: str
    release: int
    repeatable: bool

    @property
    def checksum(self) -> str:
        return sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True)
class AppliedFile:
    """A row of the table `migration`."""

    name: str
    checksum: str
    release: int


def list_files(folder: Path) -> list[SqlFile]:
    """The files to apply, in order. Raises MigrationError for an invalid name or first line, or a number used twice."""
    files = [_read(PLATFORM, f"0000_{PLATFORM.name}")]
    for path in sorted(folder.glob("*.sql")):
        if FILE_NAME.fullmatch(path.name) is None:
            raise MigrationError(f"{path.name} is not named NNNN_name.sql")
        if path.name[:4] == files[-1].name[:4]:
            raise MigrationError(f"{path.name} and {files[-1].name} have the same number")
        files.append(_read(path, path.name))
    for path in sorted((folder / "functions").glob("*.sql")):
        if FUNCTIONS_NAME.fullmatch(path.name) is None:
            raise MigrationError(f"functions/{path.name} is not named name.sql")
        files.append(_read(path, f"functions/{path.name}", repeatable=True))
    return files


def _read(path: Path, name: str, *, repeatable: bool = False) -> SqlFile:
    text = path.read_text()
    match = RELEASE.match(text)
    if match is None:
        raise MigrationError(f"the first line of {name} is not `-- release N`")
    return SqlFile(name, text, int(match["release"]), repeatable)


async def migrate(url: Secret, folder: Path) -> list[str]:
    """Give the role the settings of our sessions, then apply the pending files and return their names.

    Each transaction takes the lock and reads again which files are applied, so replicas that start together apply each
    file once between them, behind a transaction pooler too. A failure leaves the files before it applied. Raises
    MigrationError.
    """
    files = list_files(folder)
    applied = []
    await keep_settings(url)
    connection = await connect_with(url, "migrate", UNLIMITED)
    try:
        while (name := await _apply_next_with_retries(connection, files)) is not None:
            applied.append(name)
    finally:
        await connection.close()
    return applied


async def keep_settings(url: Secret) -> None:
    """Give the role the settings of our sessions, unless it has them, and end the sessions that began without them.

    Another replica may do the same, and end the session of this one before it has begun; then this one tries again.
    """
    for _ in range(SETTINGS_ATTEMPTS):
        with suppress(*DATABASE_UNAVAILABLE):
            await _keep_settings(url)
            return
    await _keep_settings(url)


async def _keep_settings(url: Secret) -> None:
    connection = await connect_with(url, "migrate", UNLIMITED)
    try:
        async with connection.transaction():
            await lock_migrations(connection)
            is_changed = await store_settings(connection)
        if is_changed:
            await end_older_sessions(connection, await select_clock(connection))
        if await select_differing_settings(connection):
            await end_own_session(connection)
    finally:
        await connection.close()


async def select_pending(db: asyncpg.Pool, folder: Path) -> list[str]:
    """The names of the files that `migrate` would apply, for the readiness check."""
    return [file.name for file in list_pending(list_files(folder), await select_applied(db))]


def list_pending(files: Sequence[SqlFile], applied: Mapping[str, AppliedFile]) -> list[SqlFile]:
    """The files to apply, in order. A database that is ahead of the software keeps its functions."""
    ahead = _release(applied) > max(file.release for file in files)

    def is_pending(file: SqlFile) -> bool:
        row = applied.get(file.name)
        if file.repeatable:
            return not ahead and (row is None or row.checksum != file.checksum)
        return row is None

    return [file for file in files if is_pending(file)]


def require_compatible(files: Sequence[SqlFile], applied: Mapping[str, AppliedFile]) -> None:
    """Raises MigrationError if the software must not run on the database or must not migrate it."""
    software, database = max(file.release for file in files), _release(applied)
    if database > software + 1:
        raise MigrationError(
            f"the database is at release {database}, this software at release {software}, which can use a database of "
            f"release {software + 1} at most; start release {database - 1} or later"
        )
    migrations = {file.name: file for file in files if not file.repeatable}
    rows = [row for row in applied.values() if not row.name.startswith("functions/")]
    for row in rows:
        file = migrations.get(row.name)
        if file is None and row.release <= software:
            raise MigrationError(f"{row.name} of release {row.release} was applied, but this software does not have it")
        if file is not None and file.checksum != row.checksum:
            raise MigrationError(f"{row.name} was changed after it was applied; restore it and add a new migration")
    last = max((row.name for row in rows), default="")
    for name in migrations:
        if name not in applied and name < last:
            raise MigrationError(f"{name} comes before {last}, which is applied already; give it a higher number")


def _release(applied: Mapping[str, AppliedFile]) -> int:
    return max((row.release for row in applied.values()), default=0)


async def _apply_next(connection: asyncpg.Connection, files: Sequence[SqlFile]) -> str | None:
    """Apply the first pending file and return its name; None when there is none."""
    async with connection.transaction():
        await lock_migrations(connection)
        await create_migration_table(connection)
        applied = await select_applied(connection)
        require_compatible(files, applied)
        pending = list_pending(files, applied)
        if not pending:
            return None
        await _apply(connection, pending[0])
        return pending[0].name


async def _apply_next_with_retries(connection: asyncpg.Connection, files: Sequence[SqlFile]) -> str | None:
    """Call `_apply_next`; retry while another transaction locks a table, then raise TableLockedError."""
    for attempt in range(1, LOCK_ATTEMPTS):
        try:
            return await _apply_next(connection, files)
        except TableLockedError as error:
            log.warning("migration_waits_for_table_lock", error=str(error), attempt=attempt)
        await asyncio.sleep(LOCK_PAUSE_SECONDS)
    return await _apply_next(connection, files)


async def _apply(connection: asyncpg.Connection, file: SqlFile) -> None:
    await set_lock_timeout(connection, LOCK_SECONDS)
    try:
        # One by one: Citus sends the text of a change of a table to the nodes, and takes a whole file for that text.
        for statement in split_statements(file.text):
            await connection.execute(statement)
    except asyncpg.LockNotAvailableError as error:
        raise TableLockedError(
            f"{file.name} waited {LOCK_SECONDS:g} s for the lock of a table; end the transaction that holds it"
        ) from error
    except DATABASE_UNAVAILABLE:
        raise
    except asyncpg.PostgresError as error:
        raise MigrationError(f"{file.name}: {error}") from error
    await upsert_applied(connection, file)


async def lock_migrations(db: Executor) -> None:
    """Wait until no other process migrates this database, for as long as that takes."""
    await db.execute("SELECT set_config('lock_timeout', '0', true)")
    await db.execute("SELECT pg_advisory_xact_lock($1)", MIGRATION_LOCK)


async def set_lock_timeout(db: Executor, seconds: float) -> None:
    """Bound the wait for each lock until the transaction ends."""
    await db.execute("SELECT set_config('lock_timeout', $1, true)", f"{int(seconds * 1000)}ms")


async def create_migration_table(db: Executor) -> None:
    """Create the table of applied files before the first file, platform.sql, which is itself a row of it."""
    await db.execute(
        """
        CREATE TABLE IF NOT EXISTS migration (
            name text PRIMARY KEY,
            checksum text NOT NULL,
            release integer NOT NULL CHECK (release > 0),
            applied_at timestamptz NOT NULL DEFAULT now()
        )
        """
    )


async def select_applied(db: Executor) -> dict[str, AppliedFile]:
    rows = await db.fetch("SELECT name, checksum, release FROM migration")
    return {row["name"]: AppliedFile(**row) for row in rows}


async def upsert_applied(db: Executor, file: SqlFile) -> None:
    await db.execute(
        """
        INSERT INTO migration (name, checksum, release)
        VALUES ($1, $2, $3)
        ON CONFLICT (name) DO UPDATE
           SET checksum = excluded.checksum, release = excluded.release, applied_at = excluded.applied_at
        """,
        file.name, file.checksum, file.release,
    )  # fmt: skip
