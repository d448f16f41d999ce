"""The settings of our sessions as settings of our role in our database, where a transaction pooler keeps them.

Sessions of other roles, and of our role in other databases, do not have them. See common/db/time_limits.py.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime

import structlog

from common.db.errors import DATABASE_UNAVAILABLE
from common.db.pool import Connection, Executor
from common.db.time_limits import SESSION_SETTINGS

log = structlog.get_logger()


async def store_settings(connection: Connection) -> bool:
    """Give the role of this session the settings in this database; returns whether it did not have them yet.

    Sessions that begin before the caller's transaction is committed are without them.
    """
    if await select_role_settings(connection) == SESSION_SETTINGS:
        return False
    for statement in await select_alterations(connection, SESSION_SETTINGS):
        await connection.execute(statement)
    return True


async def end_older_sessions(connection: Connection, began_before: datetime) -> None:
    """End the sessions of this role in this database that began without its settings and are idle.

    A pooler would otherwise go on using them. A session that is in use keeps its settings until it ends.
    """
    if in_use := await select_sessions_in_use(connection, began_before):
        log.warning("sessions_without_new_settings", sessions=in_use)
    await terminate_idle_sessions(connection, began_before)


async def end_own_session(connection: Connection) -> None:
    """End the session of this connection on the server, and not only the connection to a pooler."""
    with suppress(*DATABASE_UNAVAILABLE):
        await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")


async def select_clock(db: Executor) -> datetime:
    """The present by PostgreSQL's clock."""
    return await db.fetchval("SELECT clock_timestamp()")


async def select_differing_settings(db: Executor) -> Sequence[str]:
    """The names of the settings with which this session did not begin as a session of our role should."""
    rows = await db.fetch(
        """
        SELECT name
          FROM unnest($1::text[], $2::text[]) AS wanted (name, value)
          JOIN pg_settings USING (name)
         WHERE reset_val <> value
         ORDER BY name
        """,
        list(SESSION_SETTINGS), list(SESSION_SETTINGS.values()),
    )  # fmt: skip
    return [row["name"] for row in rows]


async def select_role_settings(db: Executor) -> Mapping[str, str]:
    """Those of our settings that the role of this session has in this database."""
    rows = await db.fetch(
        """
        SELECT lower(split_part(setting, '=', 1)) AS name, substr(setting, strpos(setting, '=') + 1) AS value
          FROM pg_db_role_setting, unnest(setconfig) AS setting
         WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
           AND setrole = session_user::regrole
           AND lower(split_part(setting, '=', 1)) = ANY($1)
        """,
        list(SESSION_SETTINGS),
    )
    return {row["name"]: row["value"] for row in rows}


async def select_alterations(db: Executor, settings: Mapping[str, str]) -> Sequence[str]:
    """The statements that give the role of this session the settings in this database."""
    rows = await db.fetch(
        """
        SELECT format('ALTER ROLE SESSION_USER IN DATABASE %I SET %I = %L', current_database(), name, value)
          FROM unnest($1::text[], $2::text[]) AS setting (name, value)
        """,
        list(settings), list(settings.values()),
    )  # fmt: skip
    return [row[0] for row in rows]


async def select_sessions_in_use(db: Executor, began_before: datetime) -> int:
    """How many other sessions of this role in this database began before that time and are not idle."""
    return await db.fetchval(
        """
        SELECT count(*)
          FROM pg_stat_activity
         WHERE usename = session_user AND datname = current_database() AND pid <> pg_backend_pid()
           AND backend_start < $1 AND state <> 'idle'
        """,
        began_before,
    )


async def terminate_idle_sessions(db: Executor, began_before: datetime) -> None:
    """End the other sessions of this role in this database that began before that time and are idle."""
    await db.execute(
        """
        SELECT pg_terminate_backend(pid)
          FROM pg_stat_activity
         WHERE usename = session_user AND datname = current_database() AND pid <> pg_backend_pid()
           AND backend_start < $1 AND state = 'idle'
        """,
        began_before,
    )
