"""Migrations: `NNNN_name.sql`, each applied once, in order, in one transaction, under a lock that replicas share."""

import re
from pathlib import Path

import asyncpg

from common.config import Secret

MIGRATION_LOCK = 7_240_911_003
"""Advisory lock of the migrations; any constant that nobody else in the database uses."""

FILE_NAME = re.compile(r"(?P<version>[0-9]{4})_[a-z0-9_]+\.sql")


class MigrationError(Exception):
    """The migrations on disk and those in the database do not belong together."""


def list_migrations(folder: Path) -> list[tuple[int, Path]]:
    """The migrations of a folder in order. Raises MigrationError for a name out of form or a number used twice."""
    found: dict[int, Path] = {}
    for path in sorted(folder.glob("*.sql")):
        match = FILE_NAME.fullmatch(path.name)
        if match is None:
            raise MigrationError(f"{path.name} is not named NNNN_name.sql")
        version = int(match["version"])
        if version in found:
            raise MigrationError(f"{path.name} and {found[version].name} have the same number")
        found[version] = path
    return sorted(found.items())


async def migrate(url: Secret, folder: Path) -> list[str]:
    """Apply what is missing and return the names applied.

    The advisory lock is of the transaction, so it is safe behind a transaction pooler and is gone with a crash.
    Raises MigrationError when the database holds a migration that the folder does not have (an older version of the
    software must not run on a newer schema), has under another name, or that should have come later.
    """
    applied = []
    connection = await asyncpg.connect(url.reveal(), timeout=10)
    try:
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", MIGRATION_LOCK)
            await connection.execute(
                """
                CREATE TABLE IF NOT EXISTS migration (
                    version integer PRIMARY KEY,
                    name text NOT NULL,
                    applied_at timestamptz NOT NULL DEFAULT now()
                )
                """
            )
            known = {row["version"]: row["name"] for row in await connection.fetch("SELECT * FROM migration")}
            on_disk = list_migrations(folder)
            if ahead := sorted(set(known) - {version for version, _ in on_disk}):
                raise MigrationError(f"the database is ahead of this version: {known[ahead[-1]]} is not known here")
            for version, path in on_disk:
                if version in known:
                    if known[version] != path.name:
                        raise MigrationError(f"{path.name} was applied as {known[version]}")
                    continue
                if version < max(known, default=0):
                    raise MigrationError(f"{path.name} comes before {known[max(known)]}, which is applied already")
                await connection.execute(path.read_text())
                await connection.execute("INSERT INTO migration (version, name) VALUES ($1, $2)", version, path.name)
                applied.append(path.name)
    finally:
        await connection.close()
    return applied


async def select_pending(db: asyncpg.Pool, folder: Path) -> list[str]:
    """The names of migrations that the database still lacks, for the readiness probe."""
    known = {row["version"] for row in await db.fetch("SELECT version FROM migration")}
    return [path.name for version, path in list_migrations(folder) if version not in known]
