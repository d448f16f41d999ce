"""Spreads the tables of an application over the nodes of a Citus cluster: `python -m NAME distribute`.

Each application declares in its `distribution.py` which of its tables are spread, and by which column. All others stay
on the coordinator. See docs/scaling.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import asyncpg
import msgspec

from common.config import Secret
from common.db.errors import TransactionInDoubtError
from common.db.migrate import lock_migrations
from common.db.pool import Executor, connect

DEFAULT_SHARDS = 8

DATABASE_SETTINGS = {
    "citus.enable_unsafe_triggers": "on",
    "citus.max_adaptive_executor_pool_size": "1",
    "citus.override_table_visibility": "off",
}
"""Settings of a distributed database.

Triggers are allowed, since ours read and write rows of their own distribution column only, which Citus cannot know.

A session has one connection to each node. With more, Citus could send two statements of a transaction through different
connections; the first would hold an advisory lock, and the second would wait for it for ever.

The parts of tables are not hidden from `pg_class`: hiding them makes asyncpg's look-up of a type, which each connection
does for arrays and ranges and often under a lock, take seconds instead of 0.1 s.
"""


class DistributionError(Exception):
    """The server cannot spread tables."""


@dataclass(frozen=True)
class Distribution:
    """Where the tables of an application are on a cluster.

    spread: groups of tables by their distribution column; the rows of a group with equal columns are on one node.
    copied: reference tables, which every node has whole. node_triggers: those that reach rows of other
    nodes, which no trigger can on a cluster; there they are dropped, and the application calls their functions.
    node_functions: functions that run on the node of a row when they are alone in their transaction, with the argument
    that is the row's distribution column, and its table.
    keys: the columns of primary keys that are longer on a cluster, where a key must contain the distribution column.
    """

    spread: tuple[Mapping[str, str], ...] = ()
    copied: tuple[str, ...] = ()
    node_triggers: frozenset[str] = frozenset()
    node_functions: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    keys: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def columns(self) -> dict[str, str]:
        """The distribution column of each table that is spread."""
        return {table: column for group in self.spread for table, column in group.items()}


async def distribute(url: Secret, layout: Distribution, shards: int) -> list[str]:
    """Spread the tables that are not yet, with their rows, and say so in lines. Raises DistributionError.

    All or nothing, and safe to repeat. Other transactions that write to the tables wait meanwhile.
    """
    connection = await connect(url.reveal(), timeout=10)
    try:
        await _require_cluster(connection)
        async with connection.transaction():
            await lock_migrations(connection)
            lines = await _distribute(connection, layout, shards)
    finally:
        await connection.close()
    return lines


async def is_distributed(db: Executor, table: str) -> bool:
    """Whether the rows of the table are spread over the nodes of a cluster."""
    return await db.fetchval("SELECT is_distributed($1)", table)


async def select_nodes_in_doubt(db: Executor) -> list[str]:
    """The nodes with a transaction that is prepared but not committed, as host:port.

    A node that is lost leaves such transactions. Citus commits them or rolls them back within
    citus.recover_2pc_interval (by default a minute) after the node is back. Until then no query shows their rows.
    """
    rows = await db.fetch(
        """
        SELECT nodename || ':' || nodeport AS node
          FROM run_command_on_workers(
                   'SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database()'
               )
         WHERE success AND result <> '0'
         ORDER BY node
        """
    )
    return [row["node"] for row in rows]


async def require_no_node_in_doubt(db: Executor, subject: str) -> None:
    """Raises TransactionInDoubtError while a node has rows of an earlier transaction that no query shows yet."""
    if nodes := await select_nodes_in_doubt(db):
        raise TransactionInDoubtError(f"not finished on {', '.join(nodes)}: an earlier transaction of {subject}")


@dataclass
class TableLayout:
    """Whether a table is spread. Asked once, when it is first needed: `distribute` comes before the application."""

    db: asyncpg.Pool
    table: str
    _is_distributed: bool | None = None

    async def is_distributed(self) -> bool:
        if self._is_distributed is None:
            self._is_distributed = await is_distributed(self.db, self.table)
        return self._is_distributed


async def select_unreachable_workers(db: Executor) -> list[str]:
    """The workers of the cluster that its coordinator cannot connect to, as host:port; none on one node."""
    rows = await db.fetch("SELECT worker FROM cluster_workers() WHERE NOT is_reachable")
    return [row["worker"] for row in rows]


class Worker(msgspec.Struct, frozen=True):
    """A worker of a cluster."""

    worker: str
    """Its host and port."""
    is_reachable: bool
    """Whether the coordinator can connect to it."""


async def select_workers(db: Executor) -> list[Worker]:
    """The workers of the cluster; none on one node."""
    return [Worker(**row) for row in await db.fetch("SELECT worker, is_reachable FROM cluster_workers()")]


async def _require_cluster(connection: asyncpg.Connection) -> None:
    if not await connection.fetchval("SELECT true FROM pg_extension WHERE extname = 'citus'"):
        raise DistributionError(
            "the database does not have the extension citus; on a server with Citus: CREATE EXTENSION citus"
        )
    nodes = await connection.fetch("SELECT groupid, shouldhaveshards FROM pg_dist_node WHERE isactive")
    if not any(node["groupid"] == 0 for node in nodes):
        raise DistributionError(
            "the cluster does not know its coordinator; call SELECT citus_set_coordinator_host(HOST, PORT) there"
        )
    if not any(node["shouldhaveshards"] for node in nodes):
        raise DistributionError(
            "the cluster has no node for the rows; call SELECT citus_add_node(HOST, PORT) for each worker"
        )


async def _distribute(connection: asyncpg.Connection, layout: Distribution, shards: int) -> list[str]:
    """Do what `distribute` promises, inside the caller's transaction."""
    lines = []
    database = await connection.fetchval("SELECT quote_ident(current_database())")
    for name, value in DATABASE_SETTINGS.items():
        await connection.execute(f"SET LOCAL {name} TO '{value}'")
        await connection.execute(f"ALTER DATABASE {database} SET {name} TO '{value}'")
    # One connection to each node changes all shards: others would not see what the first has not committed.
    await connection.execute("SET LOCAL citus.multi_shard_modify_mode TO 'sequential'")
    await connection.execute("SELECT set_config('citus.shard_count', $1, true)", str(shards))
    known = await _select_known_tables(connection)
    for table in layout.copied:
        if table not in known:
            await connection.execute("SELECT create_reference_table($1)", table)
            await _delete_local_rows(connection, table)
            lines.append(f"{table}: copied to every node")
    lines += await _spread_with_triggers(connection, layout, known)
    for function in await _select_local_functions(connection):
        await connection.execute("SELECT create_distributed_function($1::text::regprocedure)", function)
    for function, (argument, table) in layout.node_functions.items():
        await connection.execute(
            "SELECT create_distributed_function($1::text::regprocedure, $2, colocate_with => $3)",
            function, argument, table,
        )  # fmt: skip
    return lines


async def _spread_with_triggers(connection: asyncpg.Connection, layout: Distribution, known: set[str]) -> list[str]:
    """Spread the tables that are not yet, without running their triggers; returns a line for each.

    Triggers would run for every row that moves to its node, although they ran when it was stored.
    """
    new = {table: column for table, column in layout.columns.items() if table not in known}
    triggers = [each for each in await _select_triggers(connection) if each["table"] in new]
    for trigger in triggers:
        await connection.execute(f"DROP TRIGGER {trigger['name']} ON {trigger['table']}")
    lines = await _spread(connection, layout, new)
    for table in new:
        await _delete_local_rows(connection, table)
    for trigger in triggers:
        if trigger["name"] not in layout.node_triggers:
            await connection.execute(trigger["definition"])
    return lines


async def _spread(connection: asyncpg.Connection, layout: Distribution, new: Mapping[str, str]) -> list[str]:
    """Spread the new tables; returns a line for each."""
    lines = []
    for group in layout.spread:
        first = next(iter(group))
        for table, column in group.items():
            if table in new:
                if table in layout.keys:
                    await _replace_primary_key(connection, table, layout.keys[table])
                await connection.execute(
                    "SELECT create_distributed_table($1, $2, colocate_with => $3)",
                    table, column, "none" if table == first else first,
                )  # fmt: skip
                rows = await connection.fetchval(f"SELECT count(*) FROM {table}")  # noqa: S608 - a declared name
                lines.append(f"{table}: spread by {column}, {rows:,} rows")
    return lines


async def _replace_primary_key(connection: asyncpg.Connection, table: str, columns: Sequence[str]) -> None:
    name = await connection.fetchval(
        "SELECT quote_ident(conname) FROM pg_constraint WHERE conrelid = $1::text::regclass AND contype = 'p'", table
    )
    await connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}, ADD PRIMARY KEY ({', '.join(columns)})")


async def _delete_local_rows(connection: asyncpg.Connection, table: str) -> None:
    """Delete the coordinator's rows of a table whose copies on the nodes are those that statements see."""
    await connection.execute("SELECT truncate_local_data_after_distributing_table($1)", table)


async def _select_triggers(db: Executor) -> list[asyncpg.Record]:
    """Our triggers: table, name, definition."""
    return await db.fetch(
        """
        SELECT tgrelid::regclass::text AS table,
               quote_ident(tgname) AS name,
               pg_get_triggerdef(pg_trigger.oid) AS definition
          FROM pg_trigger
          JOIN pg_class ON pg_class.oid = tgrelid
         WHERE NOT tgisinternal
           AND relnamespace = 'public'::regnamespace
         ORDER BY tgrelid, tgname
        """
    )


async def _select_known_tables(db: Executor) -> set[str]:
    """The tables that Citus has spread or copied."""
    rows = await db.fetch("SELECT logicalrelid::text AS name FROM pg_dist_partition")
    return {row["name"] for row in rows}


async def _select_local_functions(db: Executor) -> list[str]:
    """Our functions that the other nodes do not have yet. Triggers on shards call them there."""
    rows = await db.fetch(
        """
        SELECT oid::regprocedure::text AS name
          FROM pg_proc
         WHERE pronamespace = 'public'::regnamespace
           AND NOT EXISTS (
                   SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = pg_proc.oid AND deptype = 'e'
               )
           AND NOT EXISTS (
                   SELECT FROM pg_dist_object WHERE classid = 'pg_proc'::regclass AND objid = pg_proc.oid
               )
         ORDER BY oid
        """
    )
    return [row["name"] for row in rows]
