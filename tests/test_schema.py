"""The schema files are equal to the schema after all migrations."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from common.config import Secret
from common.devstack.dump_schema import dump_schema
from common.devstack.embedded import Server
from tests.conftest import MIGRATIONS
from tests.support.databases import cloned


@pytest.fixture(params=sorted(MIGRATIONS))
def application(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
async def migrated(application: str, postgres: Server, templates: dict[str, str]) -> AsyncIterator[Secret]:
    """An empty database of the application after all migrations."""
    async with cloned(postgres, templates[application]) as url:
        yield url


@pytest.fixture
async def blank(postgres: Server) -> AsyncIterator[Secret]:
    """A database without tables."""
    name = f"blank_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    postgres.ensure_database(name)
    async with cloned(postgres, name) as url:
        yield url


def schema_file(application: str) -> Path:
    return MIGRATIONS[application].parent / "schema.sql"


async def test_schema_sql_is_the_schema_after_all_migrations(application: str, migrated: Secret) -> None:
    assert schema_file(application).read_text() == dump_schema(migrated), "run: make schema"


async def test_schema_sql_can_be_executed(application: str, migrated: Secret, blank: Secret) -> None:
    """It loses nothing by the lines that are left out of pg_dump's output."""
    connection = await asyncpg.connect(blank.reveal())
    try:
        await connection.execute(schema_file(application).read_text())
    finally:
        await connection.close()
    assert dump_schema(blank) == dump_schema(migrated)
