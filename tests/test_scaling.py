"""Every key of a table contains the distribution column that docs/scaling.md names."""

import re
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from common.devstack.embedded import Server
from tests.conftest import DISTRIBUTIONS, MIGRATIONS
from tests.support.databases import cloned

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "scaling.md"
LOCAL = "local"
REFERENCE = "reference"
NO_COLUMN = (LOCAL, REFERENCE)


def documented_columns(application: str) -> dict[str, str]:
    """Return the distribution column of each table in the document."""
    rows = re.findall(r"^\| (\w+) \| (\w+) \| (\w+) \| .+ \|$", DOCUMENT.read_text(), re.MULTILINE)
    return {table: column for owner, table, column, *_ in rows if owner == application}


@pytest.fixture(params=sorted(MIGRATIONS))
def application(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
async def db(application: str, postgres: Server, templates: dict[str, str]) -> AsyncIterator[asyncpg.Connection]:
    async with cloned(postgres, templates[application]) as url:
        connection = await asyncpg.connect(url.reveal())
        try:
            yield connection
        finally:
            await connection.close()


async def test_the_document_lists_every_table_and_no_other(application: str, db: asyncpg.Connection) -> None:
    tables = await db.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert set(documented_columns(application)) == {row["tablename"] for row in tables}


def test_the_document_has_each_table_where_distribute_puts_it(application: str) -> None:
    layout = DISTRIBUTIONS[application]
    placed = {**layout.columns, **dict.fromkeys(layout.copied, REFERENCE)}
    documented = documented_columns(application)
    assert {table: place for table, place in documented.items() if place != LOCAL} == placed


async def test_every_table_has_a_primary_key(db: asyncpg.Connection) -> None:
    tables = await db.fetch(
        """
        SELECT relname
          FROM pg_class
         WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
           AND NOT EXISTS (SELECT FROM pg_index WHERE indrelid = pg_class.oid AND indisprimary)
        """
    )
    assert [row["relname"] for row in tables] == []


async def test_every_key_of_a_table_contains_its_distribution_column(application: str, db: asyncpg.Connection) -> None:
    keys = await db.fetch(
        """
        SELECT indrelid::regclass::text AS table, indexrelid::regclass::text AS key,
               ARRAY(SELECT attname::text
                       FROM unnest(indkey[0:indnkeyatts - 1]) AS number
                       JOIN pg_attribute ON attrelid = indrelid AND attnum = number) AS columns
          FROM pg_index
          JOIN pg_class ON pg_class.oid = indrelid
         WHERE relnamespace = 'public'::regnamespace AND (indisunique OR indisexclusion)
        """
    )
    assert keys
    columns = defaultdict(lambda: LOCAL, documented_columns(application))
    longer = {f"{table}_pkey": key for table, key in DISTRIBUTIONS[application].keys.items()}
    without_column = {
        key["key"]: columns[key["table"]]
        for key in keys
        if columns[key["table"]] not in NO_COLUMN
        and columns[key["table"]] not in longer.get(key["key"], key["columns"])
    }
    assert without_column == {}


async def test_a_foreign_key_joins_tables_by_their_distribution_columns(
    application: str, db: asyncpg.Connection
) -> None:
    foreign_keys = await db.fetch(
        """
        SELECT conname AS name, conrelid::regclass::text AS table, confrelid::regclass::text AS other,
               ARRAY(SELECT (near.attname, far.attname)::text
                       FROM unnest(conkey, confkey) AS pair (here, there)
                       JOIN pg_attribute AS near ON near.attrelid = conrelid AND near.attnum = here
                       JOIN pg_attribute AS far ON far.attrelid = confrelid AND far.attnum = there) AS pairs
          FROM pg_constraint
         WHERE contype = 'f' AND connamespace = 'public'::regnamespace
        """
    )
    columns = defaultdict(lambda: LOCAL, documented_columns(application))
    not_joined = [
        key["name"]
        for key in foreign_keys
        if columns[key["other"]] not in NO_COLUMN
        and f"({columns[key['table']]},{columns[key['other']]})" not in key["pairs"]
    ]
    assert not_joined == []
