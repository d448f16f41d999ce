"""Gives the clone of a database the settings that a clone does not inherit."""

import asyncpg


async def copy_settings(admin: asyncpg.Connection, template: str, clone: str) -> None:
    """Give the clone the settings of its template, those of a role there included."""
    statements = await admin.fetch(
        """
        SELECT format('ALTER %s %I SET %I = %L',
                      CASE WHEN setrole = 0 THEN 'DATABASE' ELSE format('ROLE %s IN DATABASE', setrole::regrole) END,
                      $2::text, name, value)
          FROM pg_db_role_setting
          JOIN pg_database ON pg_database.oid = setdatabase, unnest(setconfig) AS setting,
               split_part(setting, '=', 1) AS name, substr(setting, strpos(setting, '=') + 1) AS value
         WHERE datname = $1
        """,
        template, clone,
    )  # fmt: skip
    for row in statements:
        await admin.execute(row[0])
