"""A read replica, a streaming standby of the primary: whether it may be read, and how far it is behind."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import asyncpg
import structlog

from common.config import Secret
from common.db.errors import DATABASE_UNAVAILABLE, PoolExhaustedError, describe_failure
from common.db.pool import BoundedPool, Executor, create_pool
from common.db.time_limits import UNLIMITED
from common.telemetry import metrics

log = structlog.get_logger()

T = TypeVar("T")

CHECK_SECONDS = 5.0
NOT_ASKED = "not asked yet"

METRICS_LABEL = "read"
"""An application without a replica has no metric of one."""

MAX_LAG_SECONDS = 60.0
"""A replica that is further behind is not read."""

BEHIND_THE_SCHEMA: tuple[type[Exception], ...] = (asyncpg.SyntaxOrAccessError, asyncpg.InvalidCatalogNameError)
"""A table or function of the newest migration that the replica does not have yet."""

NOT_READABLE: tuple[type[Exception], ...] = (
    *DATABASE_UNAVAILABLE,
    *BEHIND_THE_SCHEMA,
    asyncpg.InvalidAuthorizationSpecificationError,
)

NOT_ANSWERED: tuple[type[Exception], ...] = (*NOT_READABLE, asyncpg.PostgresError)
"""What a check may raise, for example when the primary itself is in recovery. The next check asks again."""

CONFLICTS: tuple[type[Exception], ...] = (asyncpg.TransactionRollbackError, asyncpg.ReadOnlySQLTransactionError)
"""A statement that the replica cancelled since replay needed what it read, or that cannot run there; others can."""

NOT_OF_THE_REPLICA: tuple[type[Exception], ...] = (asyncpg.QueryCanceledError, PoolExhaustedError)
"""Of these the primary would have no less: a statement that takes too long, and more requests than connections."""


class ReplicaBehindError(ConnectionError):
    """The replica cannot say up to when it has what the primary has."""


@dataclass(frozen=True)
class ReplicaState:
    """What the last check found. lag_seconds: None if the replica could not be asked, or does not know.

    problem: why the replica is not read; None if it is.
    """

    lag_seconds: float | None
    problem: str | None


@dataclass(frozen=True)
class PrimaryPosition:
    """Where the log of the primary ended, when by its clock, and when its server started."""

    lsn: str
    at: datetime
    started_at: datetime


@dataclass(frozen=True, kw_only=True)
class ReplicaPools:
    """requests: for statements with the limits of requests. streams: for long ones."""

    requests: BoundedPool
    streams: BoundedPool


class ReadReplica:
    """A replica of the primary, as the checks of `watch` find it."""

    def __init__(self, primary: BoundedPool, pools: ReplicaPools) -> None:
        self.pools = pools
        self.state = ReplicaState(None, NOT_ASKED)
        self._primary = primary
        self._position: PrimaryPosition | None = None

    @property
    def is_readable(self) -> bool:
        return self.state.problem is None

    async def watch(self) -> None:
        """Check the replica every few seconds, until cancelled."""
        while True:
            await self.check()
            await asyncio.sleep(CHECK_SECONDS)

    async def check(self) -> None:
        """Ask the primary, then the replica, and note whether and how late the replica has what the primary has.

        While the primary cannot be asked, the replica is compared with its last known position.
        """
        try:
            self._position = await select_primary_position(self._primary)
        except NOT_ANSWERED as error:
            log.info("replica_not_compared", error=describe_failure(error))
        try:
            state = await self._state()
        except NOT_ANSWERED as error:
            state = ReplicaState(None, f"not reachable: {describe_failure(error)}")
        self._change(state)

    def note_failure(self, error: Exception) -> None:
        """Note that a statement failed; unless it was a conflict, the replica is not read before the next check."""
        if isinstance(error, CONFLICTS):
            log.info("replica_conflict", error=describe_failure(error))
        else:
            self._change(ReplicaState(self.state.lag_seconds, f"failed: {describe_failure(error)}"))

    async def select_complete_through(self) -> datetime | None:
        """The time of the primary up to which the replica has all that was committed.

        What is read after this call has at least that. None if the URL of the replica leads to the primary itself.
        Raises ReplicaBehindError if the replica cannot say it.
        """
        position = self._position
        row = await select_replay(self.pools.requests, position.lsn if position else None)
        if not row["in_recovery"]:
            if position is not None and row["started_at"] == position.started_at:
                return None
            raise ReplicaBehindError(
                "the server that should be the replica has been promoted, or belongs to another primary"
            )
        times = [row["replayed_at"]] if row["replayed_at"] is not None else []
        if position is not None and row["has_caught_up"]:
            times.append(position.at)
        if not times:
            raise ReplicaBehindError("the replica has not replayed a transaction since it started")
        return max(times)

    async def _state(self) -> ReplicaState:
        position = self._position
        row = await select_replay(self.pools.requests, position.lsn if position else None)
        if not row["in_recovery"]:
            if position is not None and row["started_at"] == position.started_at:
                return ReplicaState(0.0, None)
            return ReplicaState(None, "not a replica of the primary: it is not in recovery")
        if row["has_caught_up"]:
            return ReplicaState(0.0, None)
        if position is None:
            return ReplicaState(None, "not comparable: the primary has not answered yet")
        if row["replayed_at"] is None:
            return ReplicaState(None, "has not replayed a transaction since it started")
        lag = max(0.0, (position.at - row["replayed_at"]).total_seconds())
        return ReplicaState(lag, f"{lag:.0f} s behind" if lag > MAX_LAG_SECONDS else None)

    def _change(self, state: ReplicaState) -> None:
        if state.problem is not None and (self.is_readable or self.state.problem == NOT_ASKED):
            log.warning("replica_not_read", problem=state.problem)
        elif state.problem is None and not self.is_readable:
            log.info("replica_read", lag_seconds=state.lag_seconds)
        self.state = state
        metrics.REPLICA_READABLE.labels(METRICS_LABEL).set(self.is_readable)
        if state.lag_seconds is not None:
            metrics.REPLICA_LAG.labels(METRICS_LABEL).set(state.lag_seconds)


async def read_by_command(
    read_url: Secret | None, primary: asyncpg.Pool, read: Callable[[asyncpg.Pool], Awaitable[T]]
) -> T:
    """The result of a long reading by a command, on the replica if there is one that can be read, or on the primary."""
    if read_url is not None:
        try:
            async with create_pool(read_url, application="replica-command", size=1, timeouts=UNLIMITED) as replica:
                return await read(replica)
        except (*NOT_READABLE, *CONFLICTS) as error:
            log.warning("replica_not_read", problem=describe_failure(error))
    return await read(primary)


async def select_primary_position(db: Executor) -> PrimaryPosition:
    """The end of the primary's log. Whatever was committed by `at` is before it."""
    row = await db.fetchrow(
        """
        SELECT clock_timestamp() AS at, pg_current_wal_insert_lsn()::text AS lsn,
               pg_postmaster_start_time() AS started_at
        """
    )
    assert row is not None
    return PrimaryPosition(**row)


async def select_replay(db: Executor, primary_lsn: str | None) -> asyncpg.Record:
    """What a standby has replayed, and whether that includes what the primary had at a position of its log."""
    row = await db.fetchrow(
        """
        SELECT pg_is_in_recovery() AS in_recovery, pg_last_xact_replay_timestamp() AS replayed_at,
               coalesce(pg_last_wal_replay_lsn() >= $1::text::pg_lsn, false) AS has_caught_up,
               pg_postmaster_start_time() AS started_at
        """,
        primary_lsn,
    )
    assert row is not None
    return row
