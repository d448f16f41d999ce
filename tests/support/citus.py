"""A Citus cluster in the place of the embedded server: `NIGHTAUDIT_TEST_CITUS=port,port,port`.

The coordinator's port first, then those of the workers, on 127.0.0.1, for the user postgres. Each database of a test is
one on every node, and is distributed by the command of the product. The nodes need `max_connections` of 200 or more.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count

import asyncpg

from common.config import Secret
from common.db.distribution import DEFAULT_SHARDS, Distribution, distribute
from common.db.locks import DATABASE_CREATION_LOCK
from tests.support.cloning import copy_settings

VARIABLE = "NIGHTAUDIT_TEST_CITUS"
SHARDS_VARIABLE = "NIGHTAUDIT_TEST_SHARDS"
"""Parts of each table; more cost time to clone."""

DROP_ATTEMPTS = 50

_numbers = count(1)


def cluster_of_environment() -> "CitusCluster | None":
    """The cluster that the environment names, if any."""
    ports = tuple(int(port) for port in os.environ.get(VARIABLE, "").split(",") if port)
    return CitusCluster(ports) if ports else None


@dataclass(frozen=True)
class CitusCluster:
    """ports: the coordinator's first."""

    ports: tuple[int, ...]

    def url(self, database: str, port: int | None = None) -> str:
        """The connection URI of a database on a node; on the coordinator without a port."""
        return f"postgresql://postgres@127.0.0.1:{port or self.ports[0]}/{database}"

    def ensure_database(self, name: str) -> None:
        """Create an empty database on every node."""
        asyncio.run(self.create(name))

    async def create(self, name: str) -> None:
        """Create an empty database on every node, and make the nodes known to each other.

        One at a time, since a node that is made known gets the roles of the server, which all databases share.
        """
        admin = await asyncpg.connect(self.url("postgres"))
        try:
            await admin.execute("SELECT pg_advisory_lock($1)", DATABASE_CREATION_LOCK)
            await self._create(name)
        finally:
            await admin.close()

    async def _create(self, name: str) -> None:
        await self._on_nodes("postgres", f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await self._on_nodes("postgres", f'CREATE DATABASE "{name}" TEMPLATE template0')
        await self._on_nodes(name, "CREATE EXTENSION citus")
        coordinator = await asyncpg.connect(self.url(name))
        try:
            await coordinator.execute(f"SELECT citus_set_coordinator_host('127.0.0.1', {self.ports[0]})")
            for port in self.ports[1:]:
                await coordinator.execute(f"SELECT citus_add_node('127.0.0.1', {port})")
        finally:
            await coordinator.close()

    async def distribute(self, name: str, layout: Distribution) -> None:
        """Spread the tables of a migrated database."""
        await distribute(Secret(self.url(name)), layout, int(os.environ.get(SHARDS_VARIABLE, DEFAULT_SHARDS)))

    async def seal(self, name: str) -> None:
        """Make a database a template: nobody is connected to it, the maintenance daemon of Citus included."""
        await self._on_nodes("postgres", f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        for port in self.ports:
            admin = await asyncpg.connect(self.url("postgres", port))
            try:
                while await admin.fetchval(
                    "SELECT count(pg_terminate_backend(pid, 1000)) FROM pg_stat_activity WHERE datname = $1", name
                ):
                    pass
            finally:
                await admin.close()

    @asynccontextmanager
    async def cloned(self, template: str) -> AsyncIterator[Secret]:
        """Clone a sealed template; the clone is dropped at the end of the block."""
        name = f"{template}_{next(_numbers)}"
        try:
            await asyncio.gather(*(self._clone(template, name, port) for port in self.ports))
            yield Secret(self.url(name))
        finally:
            await self.drop(name)

    async def drop(self, name: str) -> None:
        """Drop a database on every node."""
        await asyncio.gather(*(self._drop(name, port) for port in self.ports))

    async def _clone(self, template: str, name: str, port: int) -> None:
        admin = await asyncpg.connect(self.url("postgres", port))
        try:
            await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy')
            await copy_settings(admin, template, name)
        finally:
            await admin.close()

    async def _drop(self, name: str, port: int) -> None:
        admin = await asyncpg.connect(self.url("postgres", port))
        try:
            for _ in range(DROP_ATTEMPTS):  # the maintenance daemon ends a little later than it is told to
                try:
                    await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
                except asyncpg.ObjectInUseError:
                    continue
                return
        finally:
            await admin.close()

    async def _on_nodes(self, database: str, statement: str) -> None:
        async def run(port: int) -> None:
            node = await asyncpg.connect(self.url(database, port))
            try:
                await node.execute(statement)
            finally:
                await node.close()

        await asyncio.gather(*map(run, self.ports))

    async def waits_for_lock(self, database: str) -> bool:
        """Whether a session in this database waits for a lock on any node."""
        return await self.count_waiting(database) > 0

    async def count_waiting(self, database: str) -> int:
        """How many sessions in this database wait for a lock, on all nodes."""
        waiting = 0
        for port in self.ports:
            node = await asyncpg.connect(self.url(database, port))
            try:
                waiting += await node.fetchval(
                    "SELECT count(*) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
                )
            finally:
                await node.close()
        return waiting
