"""The schema files say what the migrations make."""

import os
import re
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from common.config import Secret
from common.devstack.cluster_owner import binaries
from common.devstack.dump_schema import describe
from common.devstack.embedded import Server
from tests.conftest import MIGRATIONS
from tests.support.databases import cloned


@pytest.fixture(params=sorted(MIGRATIONS))
def application(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
async def migrated(application: str, postgres: Server, templates: dict[str, str]) -> AsyncIterator[Secret]:
    """An empty database of the application, as its migrations leave it."""
    async with cloned(postgres, templates[application]) as url:
        yield url


@pytest.fixture
async def blank(postgres: Server) -> AsyncIterator[Secret]:
    """A database without anything in it."""
    name = f"blank_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    postgres.ensure_database(name)
    async with cloned(postgres, name) as url:
        yield url


def schema_file(application: str) -> Path:
    return MIGRATIONS[application].parent / "schema.sql"


def dumped(url: Secret) -> list[str]:
    """The catalogue as PostgreSQL's own program tells it, which knows nothing of how ours writes it."""
    command = [str(binaries() / "pg_dump"), "--schema-only", "--no-owner", url.reveal()]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [line for line in text.splitlines() if not re.match(r"\\(un)?restrict", line)]


async def test_schema_sql_is_what_the_migrations_make(application: str, migrated: Secret) -> None:
    connection = await asyncpg.connect(migrated.reveal())
    try:
        made = await describe(connection)
    finally:
        await connection.close()
    assert schema_file(application).read_text() == made, "run: make schema"


async def test_schema_sql_makes_the_same_database_as_the_migrations(
    application: str, migrated: Secret, blank: Secret
) -> None:
    connection = await asyncpg.connect(blank.reveal())
    try:
        await connection.execute(schema_file(application).read_text())
    finally:
        await connection.close()
    assert dumped(blank) == dumped(migrated)
