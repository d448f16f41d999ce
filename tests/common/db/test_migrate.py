"""Migrations: each once, in order, by however many replicas at once, and never backwards."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from common.config import Secret
from common.db.migrate import MigrationError, list_migrations, migrate, select_pending
from common.devstack.embedded import Server
from common.web.health import readiness
from tests.conftest import cloned


@pytest.fixture
async def url(postgres: Server) -> AsyncIterator[Secret]:
    """A database without anything in it."""
    name = f"unmigrated_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    postgres.ensure_database(name)
    async with cloned(postgres, name) as blank:
        yield blank


@pytest.fixture
async def db(url: Secret) -> AsyncIterator[asyncpg.Pool]:
    async with asyncpg.create_pool(url.reveal(), min_size=0, max_size=2) as pool:
        yield pool


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, "0001_first.sql", "CREATE TABLE first (id int); INSERT INTO first VALUES (1);")
    write(tmp_path, "0002_second.sql", "CREATE TABLE second AS SELECT count(*) AS seen FROM first;")
    return tmp_path


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)


async def test_each_is_applied_once_and_in_order(url: Secret, db: asyncpg.Pool, folder: Path) -> None:
    assert await migrate(url, folder) == ["0001_first.sql", "0002_second.sql"]
    assert await migrate(url, folder) == []
    assert await db.fetchval("SELECT count(*) FROM first") == 1
    assert await db.fetchval("SELECT seen FROM second") == 1
    assert await select_pending(db, folder) == []

    write(folder, "0003_third.sql", "INSERT INTO first VALUES (3);")
    assert await select_pending(db, folder) == ["0003_third.sql"]
    assert await migrate(url, folder) == ["0003_third.sql"]


async def test_replicas_that_start_together_apply_each_once(url: Secret, db: asyncpg.Pool, folder: Path) -> None:
    applied = await asyncio.gather(*(migrate(url, folder) for _ in range(8)))
    assert sorted(applied) == [[]] * 7 + [["0001_first.sql", "0002_second.sql"]]
    assert await db.fetchval("SELECT count(*) FROM first") == 1


async def test_one_that_fails_leaves_nothing_of_the_run_behind(url: Secret, db: asyncpg.Pool, folder: Path) -> None:
    write(folder, "0003_broken.sql", "CREATE TABLE third (id int); SELECT nonsense;")
    with pytest.raises(asyncpg.PostgresError):
        await migrate(url, folder)
    assert await db.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == []
    write(folder, "0003_broken.sql", "CREATE TABLE third (id int);")
    assert len(await migrate(url, folder)) == 3


async def test_a_database_ahead_of_the_software_is_refused(url: Secret, folder: Path) -> None:
    write(folder, "0003_third.sql", "SELECT 1;")
    await migrate(url, folder)
    (folder / "0003_third.sql").unlink()
    with pytest.raises(MigrationError, match=r"ahead of this version: 0003_third\.sql"):
        await migrate(url, folder)


async def test_one_that_turns_up_late_is_refused(url: Secret, folder: Path) -> None:
    (folder / "0002_second.sql").rename(folder / "0003_second.sql")
    await migrate(url, folder)
    write(folder, "0002_late.sql", "SELECT 1;")
    with pytest.raises(MigrationError, match=r"0002_late\.sql comes before 0003_second\.sql"):
        await migrate(url, folder)


async def test_one_under_another_name_is_refused(url: Secret, folder: Path) -> None:
    await migrate(url, folder)
    (folder / "0002_second.sql").rename(folder / "0002_other.sql")
    with pytest.raises(MigrationError, match=r"0002_other\.sql was applied as 0002_second\.sql"):
        await migrate(url, folder)


@pytest.mark.parametrize("name", ["1_first.sql", "first.sql", "0003-third.sql", "0003_Third.sql", "00003_third.sql"])
def test_a_name_out_of_form_is_refused(folder: Path, name: str) -> None:
    write(folder, name, "SELECT 1;")
    with pytest.raises(MigrationError, match="is not named NNNN_name"):
        list_migrations(folder)


def test_a_number_used_twice_is_refused(folder: Path) -> None:
    write(folder, "0002_again.sql", "SELECT 1;")
    with pytest.raises(MigrationError, match="have the same number"):
        list_migrations(folder)


async def test_readiness_names_what_the_schema_lacks(url: Secret, db: asyncpg.Pool, folder: Path) -> None:
    assert [(check.name, check.ok) for check in await readiness(db, folder)] == [("database", False)]
    await migrate(url, folder)
    write(folder, "0003_third.sql", "SELECT 1;")
    database, schema = await readiness(db, folder)
    assert database.ok
    assert not schema.ok
    assert "0003_third.sql" in schema.detail
