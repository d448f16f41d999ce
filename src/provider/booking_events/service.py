"""Storing events: one by one, in batches, and in bulk."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

import asyncpg
import structlog

from common.db.distribution import is_distributed
from common.db.errors import DATABASE_UNAVAILABLE
from common.db.pool import Connection, Executor
from common.web.errors import Conflict, FieldError, HttpProblem
from provider.booking_events import queries
from provider.booking_events.inputs import EventInput
from provider.booking_events.models import BatchResult, NewEvent, StagedRow, StoredEvent, sort_by_id
from provider.hotel_rooms import NightEvent

log = structlog.get_logger()

STORE_ERRORS: tuple[type[Exception], ...] = (*DATABASE_UNAVAILABLE, asyncpg.PostgresError)

ID_BLOCK = 200
MAX_GROUP = 500
MAX_CONCURRENT_GROUPS = 3
MAX_NODE_GROUP = 50
MAX_NODE_GROUPS = 4
"""Statements at once on a cluster, where an event with an id is a group by itself."""

STUCK_SECONDS = 0.1
"""A group slower than this counts as stuck, for example behind a lock; the next group does not wait for it."""

MIN_COPIED = 100
"""A batch of fewer events is stored by one statement, a larger one by COPY."""

MAX_APPENDED = 10_000
"""Events of reservations that one statement stores."""

DrawIds = Callable[[int], Awaitable[Sequence[int]]]
"""Draws that many new ids."""


InsertEvents = Callable[[Executor, Sequence[NewEvent]], Awaitable[dict[int, str]]]
"""Stores the events whose ids are new; returns the JSON of each, by id."""


class EventWriter:
    """Stores single events. Events that arrive while a statement runs are stored together by the next one.

    A hundred senders thus share one commit, and a single sender waits for no other. On a cluster, where a group may
    not be a transaction of several nodes, an event with an id is stored by itself, and the others get ids of one node.
    The result of an event is returned when its commit is durable.
    """

    def __init__(self, db: asyncpg.Pool) -> None:
        self._db = db
        self._ids: deque[int] = deque()
        self._waiting: deque[tuple[EventInput, asyncio.Future[StoredEvent]]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stuck_tasks = 0
        self._is_distributed: bool | None = None

    async def store(self, event: EventInput) -> StoredEvent:
        """Store the event. Raises Conflict when its id is stored with different content."""
        future: asyncio.Future[StoredEvent] = asyncio.get_running_loop().create_future()
        self._waiting.append((event, future))
        self._start_task()
        return await future

    def _start_task(self) -> None:
        """Start a task that stores the waiting events, unless one is running that is not stuck, or many are."""
        if self._is_distributed:
            may_start = len(self._tasks) < MAX_NODE_GROUPS
        else:
            every_task_is_stuck = self._stuck_tasks == len(self._tasks)
            may_start = every_task_is_stuck and len(self._tasks) < MAX_CONCURRENT_GROUPS
        if self._waiting and may_start:
            self._tasks.add(asyncio.create_task(self._store_groups()))

    async def _store_groups(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        try:
            while self._waiting:
                await self._store_next_group()
        finally:
            # Not in a callback of the task: an event that arrived before the callback ran would wait for no task.
            self._tasks.discard(task)

    async def _store_next_group(self) -> None:
        group = self._take_group()
        results: Sequence[StoredEvent | Exception]
        is_stuck = False

        def mark_stuck() -> None:
            nonlocal is_stuck
            is_stuck = True
            self._stuck_tasks += 1
            self._start_task()

        timer = asyncio.get_running_loop().call_later(STUCK_SECONDS, mark_stuck)
        try:
            if self._is_distributed is None:
                self._is_distributed = await is_distributed(self._db, "booking_event")
            events = [event for event, _ in group]
            insert = insert_at_node if self._is_distributed else queries.insert_events
            results = await store_events(self._db, events, self._draw_ids, insert=insert)
        except STORE_ERRORS as error:
            results = [error] * len(group)
        except Exception:  # an unexpected error must reach the senders too, or they would never be answered
            log.exception("events_not_stored")
            results = [HttpProblem("The event was not stored.")] * len(group)
        finally:
            timer.cancel()
            self._stuck_tasks -= is_stuck
        for (_, future), result in zip(group, results, strict=True):
            if future.done():
                continue  # its request was cancelled
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)

    def _take_group(self) -> list[tuple[EventInput, asyncio.Future[StoredEvent]]]:
        """The waiting events that the next statement stores. On a cluster: an event with an id, or some without."""
        if not self._is_distributed:
            return [self._waiting.popleft() for _ in range(min(len(self._waiting), MAX_GROUP))]
        group = [self._waiting.popleft()]
        while (
            group[0][0].id is None and self._waiting and self._waiting[0][0].id is None and len(group) < MAX_NODE_GROUP
        ):
            group.append(self._waiting.popleft())
        return group

    async def _draw_ids(self, count: int) -> list[int]:
        """Draw ids from a block that is fetched ahead, so that most groups need no statement for them."""
        while len(self._ids) < count:
            self._ids.extend(await draw_new_ids(self._db, count + ID_BLOCK, by_node=True))
        return [self._ids.popleft() for _ in range(count)]


async def insert_at_node(db: Executor, events: Sequence[NewEvent]) -> dict[int, str]:
    """Like `queries.insert_events`, in a transaction of its own that is one of the events' node alone, if it can be."""
    try:
        return await queries.insert_events_of_node(db, events)
    except asyncpg.SerializationError:
        return await queries.insert_events(db, events)


async def draw_new_ids(db: Executor, count: int, *, by_node: bool = False) -> list[int]:
    """Draw `count` ids that no event has. by_node: on a cluster, those that one node stores follow one another."""
    ids: list[int] = []
    while len(ids) < count:
        ids += await queries.select_new_ids(db, count - len(ids), by_node=by_node)
    return ids


async def store_events(
    db: Executor,
    given: Sequence[EventInput],
    draw_ids: DrawIds,
    *,
    by_storefront: bool = False,
    insert: InsertEvents = queries.insert_events,
) -> list[StoredEvent | Conflict]:
    """Store the events whose ids are new; a Conflict stands for an event whose id is stored with different content.

    The first of several events with the same id counts. An event without an id is tried again until its drawn id is
    new. by_storefront: the events are of reservations of our own storefront. insert: stores those whose ids are new.
    """
    results: dict[int, StoredEvent | Conflict] = {}
    given_ids = {event.id for event in given if event.id is not None}
    unstored = dict(enumerate(given))
    while unstored:
        ids = await _draw_other_ids(draw_ids, sum(event.id is None for event in unstored.values()), given_ids)
        events = {index: with_id(event, ids, by_storefront=by_storefront) for index, event in unstored.items()}
        inserted = await insert(db, list(events.values()))
        existing = (
            await queries.select_stored_events(db, [event.id for event in events.values()])
            if len(inserted) < len(events)
            else {}
        )
        for index, event in events.items():
            if (body := inserted.pop(event.id, None)) is not None:
                results[index] = StoredEvent(event.id, body, is_new=True)
            elif given[index].id is None:
                continue  # a client has stored an event of its own under the drawn id
            elif existing[event.id][0].content == event.content:
                results[index] = StoredEvent(event.id, existing[event.id][1], is_new=False)
            else:
                results[index] = Conflict(f"Event {event.id} is stored with different content.", code="event_exists")
        unstored = {index: event for index, event in unstored.items() if index not in results}
    return [results[index] for index in range(len(given))]


async def _draw_other_ids(draw_ids: DrawIds, count: int, given_ids: set[int]) -> deque[int]:
    """Draw ids that are not among `given_ids`."""
    ids: deque[int] = deque()
    while len(ids) < count:
        ids.extend(new_id for new_id in await draw_ids(count - len(ids)) if new_id not in given_ids)
    return ids


def with_id(event: EventInput, ids: deque[int], *, by_storefront: bool = False) -> NewEvent:
    """The event with its own id, or with the next of `ids`."""
    return NewEvent(
        ids.popleft() if event.id is None else event.id,
        event.hotel_id,
        event.event_timestamp,
        event.status,
        event.room_id,
        event.night_of_stay,
        by_storefront,
    )


async def store_one(db: Executor, event: EventInput) -> StoredEvent:
    """Store one event inside the caller's transaction. Raises Conflict when its id is stored with different content."""
    (result,) = await store_events(db, [event], partial(draw_new_ids, db))
    if isinstance(result, Conflict):
        raise result
    return result


async def store_batch(connection: Connection, batch: Mapping[int, EventInput]) -> BatchResult:
    """Store events, given by their lines, inside the caller's transaction.

    Many with ids are stored by COPY, in half of the time. Raises Conflict naming every line whose id is stored with
    different content; the caller must then roll back.
    """
    rows: list[StagedRow] = [
        (line, event.id, event.hotel_id, event.event_timestamp, event.status, event.room_id, event.night_of_stay)
        for line, event in batch.items()
        if event.id is not None
    ]
    if len(rows) == len(batch) >= MIN_COPIED:
        stored, clashing = await store_chunk(connection, sort_by_id(rows))
    else:
        results = await store_events(connection, list(batch.values()), partial(draw_new_ids, connection))
        clashing = [line for line, result in zip(batch, results, strict=True) if isinstance(result, Conflict)]
        stored = sum(isinstance(result, StoredEvent) and result.is_new for result in results)
    if clashing:
        errors = [FieldError(f"lines.{n}.id", f"{batch[n].id} is stored with different content") for n in clashing]
        raise Conflict("Ids of this batch are taken; nothing was stored.", code="event_exists", errors=errors)
    return BatchResult(stored=stored, duplicates=len(batch) - stored)


async def append_events(connection: Connection, events: Sequence[NightEvent]) -> None:
    """Store the events of reservations inside the caller's transaction; the server assigns their ids."""
    for start in range(0, len(events), MAX_APPENDED):
        part = events[start : start + MAX_APPENDED]
        given = [EventInput.model_construct(id=None, **event._asdict()) for event in part]
        await store_events(connection, given, partial(draw_new_ids, connection), by_storefront=True)


async def append_in_bulk(connection: Connection, events: Sequence[NightEvent]) -> int:
    """Store events from other slices by COPY, in a transaction of their own; returns how many were stored."""
    ids = await draw_new_ids(connection, len(events))
    stored, _ = await store_chunk(connection, [(0, new_id, *event) for new_id, event in zip(ids, events, strict=True)])
    return stored


async def append_past(connection: Connection, events: Sequence[NightEvent]) -> int:
    """Store events by COPY as if the feed had recorded each when it happened; returns how many.

    Only for a feed that nobody has read: a reader of newly recorded events would miss them, and would otherwise read
    them all again and again while they are new. On a cluster they are recorded now.
    """
    if await is_distributed(connection, "booking_event"):
        return await append_in_bulk(connection, events)
    ids = await draw_new_ids(connection, len(events))
    rows = [(new_id, *event, event.event_timestamp) for new_id, event in zip(ids, events, strict=True)]
    await queries.copy_recorded_events(connection, rows)
    return len(rows)


async def store_chunk(connection: Connection, chunk: list[StagedRow]) -> tuple[int, list[int]]:
    """Store the new rows of a chunk in one transaction; returns how many, and the lines whose content differs.

    COPY writes straight into the table when no id of the chunk is stored, as in most files; but not on a cluster, where
    no trigger notes the events of rooms.
    """
    if await is_distributed(connection, "booking_event"):
        return await store_new_rows(connection, chunk)
    try:
        async with connection.transaction():
            await queries.copy_events(connection, [row[1:] for row in chunk])
    except asyncpg.UniqueViolationError:
        return await store_new_rows(connection, chunk)
    return len(chunk), []


async def store_new_rows(connection: Connection, chunk: list[StagedRow]) -> tuple[int, list[int]]:
    """Store the new rows when some ids may be stored already. The first of several lines with the same id counts."""
    async with connection.transaction():
        await queries.create_staging(connection)
        await queries.copy_to_staging(connection, chunk)
        return await queries.insert_staged(connection), await queries.select_staged_clashes(connection)
