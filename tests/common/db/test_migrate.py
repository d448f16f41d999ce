"""Migrations: each file once and in order, by any number of replicas, on databases of this release and the next one."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from common.config import Secret
from common.db import migrate as migrations
from common.db.migrate import MigrationError, TableLockedError, list_files, migrate, select_pending
from common.db.pool import transaction
from common.devstack.embedded import Server
from common.web.health import readiness
from tests.support.databases import cloned, waits_for_lock
from tests.support.waiting import eventually

PLATFORM = "0000_platform.sql"


@pytest.fixture
async def url(postgres: Server) -> AsyncIterator[Secret]:
    """A database without tables."""
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
    """Two migrations of release 1."""
    return release_1(tmp_path / "migrations")


def release_1(folder: Path) -> Path:
    (folder / "functions").mkdir(parents=True)
    write(folder, "0001_first.sql", "CREATE TABLE first (id int); INSERT INTO first VALUES (1);")
    write(folder, "0002_second.sql", "CREATE TABLE second AS SELECT count(*) AS seen FROM first;")
    return folder


def write(folder: Path, name: str, text: str, *, release: int = 1) -> None:
    (folder / name).write_text(f"-- release {release}\n{text}\n")


def write_answer(folder: Path, value: int, *, release: int = 1) -> None:
    """A function `answer()` that returns the value."""
    text = f"CREATE OR REPLACE FUNCTION answer() RETURNS integer LANGUAGE sql RETURN {value};"
    write(folder, "functions/answer.sql", text, release=release)


async def test_each_file_is_applied_once_and_in_order(url: Secret, db: asyncpg.Pool, folder: Path) -> None:
    assert await migrate(url, folder) == [PLATFORM, "0001_first.sql", "0002_second.sql"]
    assert await migrate(url, folder) == []
    assert await db.fetchval("SELECT count(*) FROM first") == 1
    assert await db.fetchval("SELECT seen FROM second") == 1
    assert await select_pending(db, folder) == []

    write(folder, "0003_third.sql", "INSERT INTO first VALUES (3);")
    assert await select_pending(db, folder) == ["0003_third.sql"]
    assert await migrate(url, folder) == ["0003_third.sql"]


async def test_replicas_that_start_together_apply_each_file_once(url: Secret, db: asyncpg.Pool, folder: Path) -> None:
    write_answer(folder, 1)
    applied = await asyncio.gather(*(migrate(url, folder) for _ in range(8)))
    names = [PLATFORM, "0001_first.sql", "0002_second.sql", "functions/answer.sql"]
    assert sorted(name for one in applied for name in one) == sorted(names)
    assert await db.fetchval("SELECT count(*) FROM first") == 1


async def test_a_file_that_fails_is_named_and_leaves_those_before_it_applied(
    url: Secret, db: asyncpg.Pool, folder: Path
) -> None:
    write(folder, "0003_broken.sql", "CREATE TABLE third (id int); SELECT nonsense;")
    write(folder, "0004_fourth.sql", "SELECT 1;")
    with pytest.raises(MigrationError, match=r'0003_broken\.sql: column "nonsense" does not exist'):
        await migrate(url, folder)
    assert await select_pending(db, folder) == ["0003_broken.sql", "0004_fourth.sql"]
    assert await db.fetchval("SELECT to_regclass('third')") is None
    write(folder, "0003_broken.sql", "CREATE TABLE third (id int);")
    assert await migrate(url, folder) == ["0003_broken.sql", "0004_fourth.sql"]


async def test_a_file_that_was_changed_after_it_was_applied_is_rejected(url: Secret, folder: Path) -> None:
    await migrate(url, folder)
    write(folder, "0001_first.sql", "CREATE TABLE first (id bigint);")
    with pytest.raises(MigrationError, match=r"0001_first\.sql was changed after it was applied"):
        await migrate(url, folder)


async def test_a_changed_platform_file_is_rejected(
    url: Secret, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await migrate(url, folder)
    changed = tmp_path / "platform.sql"
    changed.write_text(migrations.PLATFORM.read_text() + "-- more\n")
    monkeypatch.setattr(migrations, "PLATFORM", changed)
    with pytest.raises(MigrationError, match=r"0000_platform\.sql was changed after it was applied"):
        await migrate(url, folder)


async def test_a_file_with_a_lower_number_than_one_applied_is_rejected(url: Secret, folder: Path) -> None:
    (folder / "0002_second.sql").rename(folder / "0003_second.sql")
    await migrate(url, folder)
    write(folder, "0002_late.sql", "SELECT 1;")
    with pytest.raises(MigrationError, match=r"0002_late\.sql comes before 0003_second\.sql"):
        await migrate(url, folder)


async def test_an_applied_file_that_was_renamed_is_rejected(url: Secret, folder: Path) -> None:
    await migrate(url, folder)
    (folder / "0002_second.sql").rename(folder / "0002_other.sql")
    with pytest.raises(MigrationError, match=r"0002_second\.sql of release 1 was applied, but this software does not"):
        await migrate(url, folder)


@pytest.mark.parametrize("name", ["1_first.sql", "first.sql", "0003-third.sql", "0003_Third.sql", "00003_third.sql"])
def test_an_invalid_file_name_is_rejected(folder: Path, name: str) -> None:
    write(folder, name, "SELECT 1;")
    with pytest.raises(MigrationError, match="is not named NNNN_name"):
        list_files(folder)


def test_an_invalid_name_of_a_file_of_functions_is_rejected(folder: Path) -> None:
    write(folder, "functions/Answer.sql", "SELECT 1;")
    with pytest.raises(MigrationError, match=r"functions/Answer\.sql is not named name\.sql"):
        list_files(folder)


@pytest.mark.parametrize("name", ["0000_first.sql", "0002_again.sql"])
def test_a_number_used_twice_is_rejected(folder: Path, name: str) -> None:
    write(folder, name, "SELECT 1;")
    with pytest.raises(MigrationError, match="have the same number"):
        list_files(folder)


@pytest.mark.parametrize("text", ["", "SELECT 1;\n", "\n-- release 1\n", "-- release 0\n", "-- release one\n"])
def test_a_file_without_its_release_in_the_first_line_is_rejected(folder: Path, text: str) -> None:
    (folder / "0003_third.sql").write_text(text)
    with pytest.raises(MigrationError, match=r"the first line of 0003_third\.sql is not `-- release N`"):
        list_files(folder)


async def test_functions_are_applied_after_the_migrations_and_again_when_they_change(
    url: Secret, db: asyncpg.Pool, folder: Path
) -> None:
    write_answer(folder, 1)
    assert (await migrate(url, folder))[-1] == "functions/answer.sql"
    assert await db.fetchval("SELECT answer()") == 1
    assert await migrate(url, folder) == []

    write_answer(folder, 2)
    write(folder, "0003_third.sql", "CREATE TABLE third (id int);")
    assert await select_pending(db, folder) == ["0003_third.sql", "functions/answer.sql"]
    assert await migrate(url, folder) == ["0003_third.sql", "functions/answer.sql"]
    assert await db.fetchval("SELECT answer()") == 2
    assert await select_pending(db, folder) == []


async def test_an_older_application_starts_on_the_next_release_and_changes_nothing(
    url: Secret, db: asyncpg.Pool, folder: Path, tmp_path: Path
) -> None:
    newer = release_1(tmp_path / "newer")
    write_answer(folder, 1)
    write_answer(newer, 2, release=2)
    write(newer, "0003_third.sql", "CREATE TABLE third (id int);", release=2)
    write(newer, "functions/other.sql", "SELECT 1;", release=2)
    await migrate(url, folder)
    await migrate(url, newer)
    assert await select_pending(db, folder) == []
    assert await migrate(url, folder) == []
    assert await db.fetchval("SELECT answer()") == 2
    assert all(check.ok for check in await readiness(db, folder))


async def test_an_older_application_leaves_functions_alone_that_the_next_release_removed(
    url: Secret, db: asyncpg.Pool, folder: Path, tmp_path: Path
) -> None:
    newer = release_1(tmp_path / "newer")
    write(newer, "0003_third.sql", "CREATE TABLE third (id int);", release=2)
    write_answer(folder, 1)
    await migrate(url, newer)
    assert await migrate(url, folder) == []
    assert await db.fetchval("SELECT to_regproc('answer')") is None


@pytest.mark.parametrize("name", ["0003_third.sql", "functions/other.sql"])
async def test_an_older_application_does_not_start_on_a_database_two_releases_ahead(
    url: Secret, folder: Path, name: str
) -> None:
    write(folder, name, "SELECT 1;", release=3)
    await migrate(url, folder)
    (folder / name).unlink()
    with pytest.raises(MigrationError, match="the database is at release 3, this software at release 1"):
        await migrate(url, folder)


async def test_a_newer_application_migrates_a_database_of_any_earlier_release(
    url: Secret, db: asyncpg.Pool, folder: Path
) -> None:
    write_answer(folder, 1)
    await migrate(url, folder)
    write(folder, "0003_third.sql", "CREATE TABLE third (id int);", release=3)
    write_answer(folder, 4, release=4)
    assert await migrate(url, folder) == ["0003_third.sql", "functions/answer.sql"]
    assert await db.fetchval("SELECT max(release) FROM migration") == 4


async def test_a_migration_does_not_wait_long_for_a_table_and_is_tried_again(
    url: Secret, db: asyncpg.Pool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "LOCK_SECONDS", 0.1)
    monkeypatch.setattr(migrations, "LOCK_PAUSE_SECONDS", 0.1)
    await migrate(url, folder)
    write(folder, "0003_third.sql", "ALTER TABLE first ADD COLUMN more int;")
    async with transaction(db) as connection:
        await connection.execute("SELECT * FROM first")
        with pytest.raises(TableLockedError, match=r"0003_third\.sql waited 0\.1 s for the lock of a table"):
            await migrate(url, folder)
        monkeypatch.setattr(migrations, "LOCK_ATTEMPTS", 1000)
        migration = asyncio.create_task(migrate(url, folder))
        await eventually(lambda: waits_for_lock(db))
    assert await migration == ["0003_third.sql"]


async def test_a_replica_waits_for_a_migration_longer_than_for_a_table(
    url: Secret, db: asyncpg.Pool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "LOCK_SECONDS", 0.05)
    monkeypatch.setattr(migrations, "LOCK_ATTEMPTS", 1)
    await migrate(url, folder)
    write(folder, "0003_third.sql", "SELECT pg_sleep(0.5);")
    applied = await asyncio.gather(*(migrate(url, folder) for _ in range(3)))
    assert sorted(applied) == [[], [], ["0003_third.sql"]]


async def test_readiness_names_the_files_that_are_not_applied(url: Secret, db: asyncpg.Pool, folder: Path) -> None:
    assert [(check.name, check.ok) for check in await readiness(db, folder)] == [("database", False)]
    await migrate(url, folder)
    write(folder, "0003_third.sql", "SELECT 1;")
    database, schema, _ = await readiness(db, folder)
    assert database.ok
    assert not schema.ok
    assert "0003_third.sql" in schema.detail
