"""What `GET /system` answers: the state of the dashboard itself."""

from datetime import datetime
from typing import Literal

import msgspec

from common.db.distribution import Worker
from common.db.row_counts import TableSize
from common.outbox.admin import MessageCounts
from common.web.health_checks import Check

Part = Literal["database", "jobs", "feeds", "audits", "quarantine", "outbox", "alerts"]
"""The parts of the system, which are the sections of its page."""


class SystemProblem(msgspec.Struct, frozen=True):
    """What is wrong now."""

    part: Part
    """The part of the system that it is about."""
    sentence: str
    """What is wrong, in a sentence."""


class FeedReading(msgspec.Struct, frozen=True):
    """How far a booking feed is read and audited."""

    feed: str
    """Name of the feed."""
    address: str
    """Where it is read, without credentials."""
    data_through: datetime | None
    """The time up to which the feed is counted; null before the first read."""
    lag_seconds: float | None
    """How long ago that was."""
    events_last_hour: int
    """Counted events that are dated within the last hour."""
    past_events: int
    """Events that the first reading of the feed has counted."""
    about_events: int | None
    """About how many events the feed said it had then; null if it did not."""
    first_read_at: datetime | None
    """When the first reading reached the end of the feed; null while it goes on."""
    cut_offs: int
    """Number of instants of which the feed may have more events than it sent."""
    first_cut_off: datetime | None
    """The first of these instants; null without any."""
    cut_off_reason: str | None
    """Why, for the instant that was seen last; null without any."""
    wait_until: datetime | None
    """The feed asked not to be called before; null if it did not."""
    audit_started_at: datetime | None
    """When the night audit that goes on began; null while none does."""
    audited_through: datetime | None
    """The event time that it has reached."""
    missing: int
    """Counted events that the feed no longer has and that are not applied."""
    changed: int
    """Counted events that the feed has changed and that are not applied."""
    applied: int
    """Differences that were applied to the ledger."""
    applied_at: datetime | None
    """When the last one was; null without any."""


class QuarantineState(msgspec.Struct, frozen=True):
    """Values of the feeds that are not counted."""

    values: int
    """How many there are."""
    new_last_day: int
    """How many of them were received for the first time within the last 24 hours."""
    newest: datetime | None
    """When the newest of them was received for the first time; null without any."""


class PoolState(msgspec.Struct, frozen=True):
    """The connections to the database of one pool of this process."""

    pool: str
    """Name of the pool."""
    in_use: int
    """Connections that are in use."""
    open: int
    """Connections that are open."""
    max: int
    """The most that may be open."""


class ReplicaReading(msgspec.Struct, frozen=True):
    """The read replica, as this process found it a few seconds ago."""

    is_read: bool
    """Whether it is read; otherwise the primary is."""
    lag_seconds: float | None
    """How far it is behind the primary; null if that is not known."""
    problem: str | None
    """Why it is not read; null if it is."""


class Versions(msgspec.Struct, frozen=True):
    """What this process runs on."""

    nightaudit: str
    """Of this application."""
    python: str
    """Of Python."""
    quart: str
    """Of the web framework."""
    asyncpg: str
    """Of the client of the database."""
    postgresql: str | None
    """Of the database; null if it could not be read."""


class System(msgspec.Struct, frozen=True):
    """What works and what does not. A part that could not be read is null, and `problems` says why."""

    checked_at: datetime
    """When all this was read."""
    problems: list[SystemProblem]
    """What is wrong now, the worst first; empty: everything works."""
    feeds: list[FeedReading] | None
    """Each booking feed."""
    quarantine: QuarantineState | None
    """Values of the feeds that are not counted."""
    outbox: list[MessageCounts] | None
    """The messages of each topic."""
    alerts_firing: int | None
    """How many alerts fire."""
    checks: list[Check] | None
    """Whether the database and its schema are as this process needs them, as at `/readyz?verbose`."""
    tables: list[TableSize] | None
    """The largest tables, the largest first."""
    workers: list[Worker] | None
    """The workers of the cluster; empty on one node."""
    pools: list[PoolState]
    """The pools of the process that answers."""
    replica: ReplicaReading | None
    """The read replica; null if there is none."""
    versions: Versions
    """What this process runs on."""
