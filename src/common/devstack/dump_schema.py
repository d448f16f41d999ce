"""`python -m common.devstack.dump_schema FOLDER ...`: write FOLDER/schema.sql, the schema after FOLDER/migrations.

The text comes from the catalogue of a migrated database, so it says what is there, not what was once written. Data
that migrations insert is no part of it.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

import asyncpg

from common.config import Secret
from common.db.migrate import migrate
from common.db.pool import Executor
from common.devstack.embedded import UNSAFE_FAST_SETTINGS, attach

HEADER = """-- The schema as the migrations leave it, to be read, never to be run in earnest.
-- Written by `make schema`; a test holds it equal to the migrations.

SET check_function_bodies = off; -- functions stand before the tables that they ask
"""


async def describe(db: Executor) -> str:
    """The schema `public` of a database as SQL that would make it again."""
    parts = [f"CREATE EXTENSION {row['name']};" for row in await select_extensions(db)]
    parts += [f"{row['definition']};" for row in await select_types(db)]
    parts += [f"{row['definition']};" for row in await select_sequences(db)]
    parts += [f"{row['definition'].rstrip()};" for row in await select_functions(db)]
    for table in await select_tables(db):
        inside = [*table["columns"], *table["constraints"]]
        options = f" WITH ({', '.join(table['options'])})" if table["options"] else ""
        body = ",\n".join(f"    {line}" for line in inside)
        statements = [f"CREATE TABLE {table['name']} (\n{body}\n){options}", *table["indexes"], *table["triggers"]]
        parts.append("\n".join(f"{statement};" for statement in statements))
    parts += [f"CREATE VIEW {row['name']} AS\n{row['definition']}" for row in await select_views(db)]
    return HEADER + "".join(f"\n{part}\n" for part in parts).replace("public.", "")


async def select_extensions(db: Executor) -> list[asyncpg.Record]:
    return await db.fetch("SELECT extname AS name FROM pg_extension WHERE extname <> 'plpgsql' ORDER BY extname")


async def select_types(db: Executor) -> list[asyncpg.Record]:
    """Enumerations and domains."""
    return await db.fetch(
        """
        SELECT CASE typtype
               WHEN 'e' THEN format('CREATE TYPE %I AS ENUM (%s)', typname,
                    (SELECT string_agg(quote_literal(enumlabel), ', ' ORDER BY enumsortorder)
                       FROM pg_enum WHERE enumtypid = pg_type.oid))
               ELSE format('CREATE DOMAIN %I AS %s%s%s', typname, format_type(typbasetype, typtypmod),
                    CASE WHEN typnotnull THEN ' NOT NULL' ELSE '' END,
                    (SELECT string_agg(' ' || pg_get_constraintdef(oid), '' ORDER BY conname)
                       FROM pg_constraint WHERE contypid = pg_type.oid AND contype = 'c'))
               END AS definition
          FROM pg_type
         WHERE typnamespace = 'public'::regnamespace
           AND typtype IN ('e', 'd')
           AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_type.oid AND deptype = 'e')
         ORDER BY oid
        """
    )


async def select_sequences(db: Executor) -> list[asyncpg.Record]:
    """Sequences of their own; those of identity columns come with their table."""
    return await db.fetch(
        """
        SELECT format('CREATE SEQUENCE %I', relname)
               || CASE WHEN seqincrement = 1 THEN '' ELSE format(' INCREMENT BY %s', seqincrement) END AS definition
          FROM pg_class
          JOIN pg_sequence ON seqrelid = pg_class.oid
         WHERE relnamespace = 'public'::regnamespace
           AND relkind = 'S'
           AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype IN ('i', 'e'))
         ORDER BY relname
        """
    )


async def select_functions(db: Executor) -> list[asyncpg.Record]:
    """Functions in the order in which they were made."""
    return await db.fetch(
        """
        SELECT replace(pg_get_functiondef(oid), 'CREATE OR REPLACE', 'CREATE') AS definition
          FROM pg_proc
         WHERE pronamespace = 'public'::regnamespace
           AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')
         ORDER BY oid
        """
    )


async def select_tables(db: Executor) -> list[asyncpg.Record]:
    """Tables in the order in which they were made, with the lines of their columns, constraints, indexes, triggers."""
    return await db.fetch(
        """
        SELECT format('%I', relname) AS name,
               coalesce(reloptions, '{}') AS options,
               ARRAY(SELECT format('%I %s', attname, format_type(atttypid, atttypmod))
                            || CASE WHEN attcollation <> typcollation
                                    THEN ' COLLATE ' || quote_ident(
                                         (SELECT collname FROM pg_collation WHERE oid = attcollation))
                                    ELSE '' END
                            || CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END
                            || CASE attidentity WHEN 'a' THEN ' GENERATED ALWAYS AS IDENTITY'
                                                WHEN 'd' THEN ' GENERATED BY DEFAULT AS IDENTITY' ELSE '' END
                            || CASE WHEN adbin IS NULL THEN ''
                                    WHEN attgenerated = 's' THEN format(' GENERATED ALWAYS AS (%s) STORED',
                                                                        pg_get_expr(adbin, adrelid))
                                    WHEN attgenerated = 'v' THEN format(' GENERATED ALWAYS AS (%s) VIRTUAL',
                                                                        pg_get_expr(adbin, adrelid))
                                    ELSE ' DEFAULT ' || pg_get_expr(adbin, adrelid) END
                       FROM pg_attribute
                       JOIN pg_type ON pg_type.oid = atttypid
                       LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
                      WHERE attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped
                      ORDER BY attnum) AS columns,
               ARRAY(SELECT format('CONSTRAINT %I %s', conname, pg_get_constraintdef(oid))
                       FROM pg_constraint
                      WHERE conrelid = pg_class.oid AND contype IN ('p', 'u', 'x', 'f', 'c')
                      ORDER BY position(contype::text IN 'puxfc'), conname) AS constraints,
               ARRAY(SELECT pg_get_indexdef(indexrelid)
                       FROM pg_index
                      WHERE indrelid = pg_class.oid
                        AND NOT EXISTS (SELECT FROM pg_constraint
                                         WHERE conindid = indexrelid AND contype IN ('p', 'u', 'x'))
                      ORDER BY indexrelid) AS indexes,
               ARRAY(SELECT pg_get_triggerdef(oid)
                       FROM pg_trigger
                      WHERE tgrelid = pg_class.oid AND NOT tgisinternal
                      ORDER BY tgname) AS triggers
          FROM pg_class
         WHERE relnamespace = 'public'::regnamespace
           AND relkind IN ('r', 'p')
         ORDER BY oid
        """
    )


async def select_views(db: Executor) -> list[asyncpg.Record]:
    return await db.fetch(
        """
        SELECT format('%I', relname) AS name, pg_get_viewdef(oid) AS definition
          FROM pg_class
         WHERE relnamespace = 'public'::regnamespace
           AND relkind = 'v'
           AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype = 'e')
         ORDER BY oid
        """
    )


async def schema_of(url: Secret, migrations: Path) -> str:
    """The schema that the migrations of a folder lead to, in the empty database at `url`."""
    await migrate(url, migrations)
    connection = await asyncpg.connect(url.reveal())
    try:
        return await describe(connection)
    finally:
        await connection.close()


def main(folders: list[Path]) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="nightaudit-schema-") as data,
        attach(Path(data), settings=UNSAFE_FAST_SETTINGS) as pg,
    ):
        for folder in folders:
            pg.ensure_database(folder.name)
            text = asyncio.run(schema_of(Secret(pg.url(folder.name)), folder / "migrations"))
            (folder / "schema.sql").write_text(text)


if __name__ == "__main__":
    main([Path(argument) for argument in sys.argv[1:]])
