"""Storing events: one by one, and in batches."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

import asyncpg
import structlog

from common.db.errors import DATABASE_UNAVAILABLE
from common.db.pool import Executor
from common.web.errors import Conflict, FieldError, HttpProblem
from provider.booking_events import queries
from provider.booking_events.models import BatchResult, EventInput, NewEvent

log = structlog.get_logger()

STORE_ERRORS: tuple[type[Exception], ...] = (*DATABASE_UNAVAILABLE, asyncpg.PostgresError)

ID_BLOCK = 200
MAX_GROUP = 500
MAX_CONCURRENT_GROUPS = 3
STUCK_SECONDS = 0.1
"""After so long a group counts as stuck, behind somebody's lock for example, and the next does not wait for it."""

StoredEvent = tuple[str, bool]
"""An event's JSON, and whether it was stored just now (False: it had been before)."""

DrawIds = Callable[[int], Awaitable[Sequence[int]]]
"""Gives so many ids of the server's own."""


class EventWriter:
    """Stores single events. Those that arrive while a statement is under way go together in the next one.

    So a hundred senders share one commit, and a single one waits for nobody. An event is answered when its commit is
    durable.
    """

    def __init__(self, db: asyncpg.Pool) -> None:
        self._db = db
        self._ids: deque[int] = deque()
        self._waiting: deque[tuple[EventInput, asyncio.Future[StoredEvent]]] = deque()
        self._groups: set[asyncio.Task[None] | None] = set()
        self._stuck: set[asyncio.Task[None] | None] = set()

    async def store(self, event: EventInput) -> StoredEvent:
        """The stored event. Raises Conflict when its id is stored with other content."""
        future: asyncio.Future[StoredEvent] = asyncio.get_running_loop().create_future()
        self._waiting.append((event, future))
        self._begin()
        return await future

    def _begin(self) -> None:
        """Another group for those who wait, unless one is under way that is not stuck."""
        if self._waiting and self._groups == self._stuck and len(self._groups) < MAX_CONCURRENT_GROUPS:
            self._groups.add(asyncio.create_task(self._store_groups()))

    async def _store_groups(self) -> None:
        try:
            while self._waiting:
                await self._store_next_group()
        finally:
            # Here and not in a callback of the task: between the last look at `_waiting` and this nobody can come.
            self._groups.discard(asyncio.current_task())

    async def _store_next_group(self) -> None:
        group = [self._waiting.popleft() for _ in range(min(len(self._waiting), MAX_GROUP))]
        results: Sequence[StoredEvent | Exception]
        task = asyncio.current_task()

        def give_up() -> None:
            self._stuck.add(task)
            self._begin()

        patience = asyncio.get_running_loop().call_later(STUCK_SECONDS, give_up)
        try:
            results = await store_events(self._db, [event for event, _ in group], self._draw_ids)
        except STORE_ERRORS as error:
            results = [error] * len(group)
        except Exception:  # whatever it was, nobody may wait for an answer for ever
            log.exception("events_not_stored")
            results = [HttpProblem("The event was not stored.")] * len(group)
        finally:
            patience.cancel()
            self._stuck.discard(task)
        for (_, future), result in zip(group, results, strict=True):
            if future.done():
                continue  # its sender has left
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)

    async def _draw_ids(self, count: int) -> list[int]:
        """From a block that was drawn ahead, so that most groups need no statement for it."""
        while len(self._ids) < count:
            self._ids.extend(await draw_new_ids(self._db, count + ID_BLOCK))
        return [self._ids.popleft() for _ in range(count)]


async def draw_new_ids(db: Executor, count: int) -> list[int]:
    """So many ids of the server's own that no event has."""
    ids: list[int] = []
    while len(ids) < count:
        ids += await queries.select_new_ids(db, count - len(ids))
    return ids


async def store_events(db: Executor, given: Sequence[EventInput], draw_ids: DrawIds) -> list[StoredEvent | Conflict]:
    """Store the events whose ids are new; a Conflict stands for one whose id is stored with other content.

    Of several with one id the first counts. An event without an id gets one that nobody has, whatever ids others bring.
    """
    results: dict[int, StoredEvent | Conflict] = {}
    brought = {event.id for event in given if event.id is not None}
    left = dict(enumerate(given))
    while left:
        ids = await _draw_other_ids(draw_ids, sum(event.id is None for event in left.values()), brought)
        events = {place: with_id(event, ids) for place, event in left.items()}
        stored = await queries.insert_events(db, list(events.values()))
        known = (
            await queries.select_stored_events(db, [event.id for event in events.values()])
            if len(stored) < len(events)
            else {}
        )
        for place, event in events.items():
            if (body := stored.pop(event.id, None)) is not None:
                results[place] = (body, True)
            elif given[place].id is None:
                continue  # somebody brought an id out of the server's own region
            elif known[event.id][0].content == event.content:
                results[place] = (known[event.id][1], False)
            else:
                results[place] = Conflict(f"Event {event.id} is stored with other content.", code="event_exists")
        left = {place: event for place, event in left.items() if place not in results}
    return [results[place] for place in range(len(given))]


async def _draw_other_ids(draw_ids: DrawIds, count: int, brought: set[int]) -> deque[int]:
    """Ids of the server's own, none of them among those that were brought."""
    ids: deque[int] = deque()
    while len(ids) < count:
        ids.extend(new_id for new_id in await draw_ids(count - len(ids)) if new_id not in brought)
    return ids


def with_id(event: EventInput, ids: deque[int]) -> NewEvent:
    """The event with its id, or with the next of `ids`."""
    return NewEvent(
        ids.popleft() if event.id is None else event.id,
        event.hotel_id,
        event.event_timestamp,
        event.status,
        event.room_id,
        event.night_of_stay,
    )


async def store_one(db: Executor, event: EventInput) -> StoredEvent:
    """Store one event on a connection of the caller's, inside its transaction. Raises Conflict."""
    (result,) = await store_events(db, [event], partial(draw_new_ids, db))
    if isinstance(result, Conflict):
        raise result
    return result


async def store_batch(db: Executor, batch: Mapping[int, EventInput]) -> BatchResult:
    """Store events, by their lines, inside the caller's transaction.

    Raises Conflict naming every line whose id is taken; the caller's transaction must not be committed then.
    """
    results = await store_events(db, list(batch.values()), partial(draw_new_ids, db))
    clashes = [
        FieldError(f"lines.{line}.id", f"{event.id} is taken by an event with other content")
        for (line, event), result in zip(batch.items(), results, strict=True)
        if isinstance(result, Conflict)
    ]
    if clashes:
        raise Conflict("Ids of this batch are taken; nothing was stored.", code="event_exists", errors=clashes)
    new = sum(result[1] for result in results if not isinstance(result, Conflict))
    return BatchResult(stored=new, duplicates=len(results) - new)
