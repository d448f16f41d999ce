"""Reads all events of one instant from a feed that may cut off its responses, by dividing the instant.

The parts are read by status, by nights, by hotels and by rooms. The feed has no filter for "all other hotels": what may
lie beyond the known hotels and rooms is reported as cut off.
"""

from collections import deque
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import NamedTuple

from common.db.pool import Executor
from common.limits import EARLIEST_NIGHT, LATEST_NIGHT
from common.upstream import UpstreamError
from dashboard.bookings.feed_reader import CutOff, FeedReader, FeedSink, IgnoredFilterError, Page, Tie
from dashboard.bookings.queries.ledger import select_hotel_ids, select_room_ids
from dashboard.feed_client import FeedQuery, FeedResponse

MAX_REQUESTS_PER_INSTANT = 2_000

MAX_KNOWN_PLACES = 1_000
"""Hotels, or rooms of a hotel, from the ledger by which the events of an instant are divided."""

REFUSED_STATUSES = frozenset({400, 404, 422, 501})
"""Statuses with which a feed may refuse a filter that it does not support."""

ONE_DAY = timedelta(days=1)


class PartSink:
    """Passes the pages of a part of the feed on, and notes their nights, hotels and rooms.

    The pages lose `through`: how far a part has been read says nothing about the whole feed.
    """

    def __init__(self, sink: FeedSink) -> None:
        self._sink = sink
        self.nights: set[date] = set()
        self.hotels: set[int] = set()
        self.rooms: set[str] = set()

    async def begin(self, response: FeedResponse) -> None:
        await self._sink.begin(response)

    async def store(self, page: Page) -> int:
        for event in page.events:
            self.nights.add(event.night_of_stay)
            self.hotels.add(event.hotel_id)
            self.rooms.add(str(event.room_id))
        page.through = None
        return await self._sink.store(page)

    async def reached(self, position: datetime) -> None:
        """A part of the feed says nothing about the whole."""

    async def cut_off(self, cut: CutOff) -> None:
        await self._sink.cut_off(cut)


class InstantResult(NamedTuple):
    """How many events of an instant were new, and whether more may be missing."""

    new: int
    is_cut_off: bool


async def read_instant(reader: FeedReader, db: Executor, tie: Tie, sink: FeedSink) -> InstantResult:
    """Read the events of an instant in parts, dividing each part that has as many rows as the whole.

    Tells the sink if events may be missing. Raises UpstreamError.
    """
    parts = deque(FeedQuery(tie.at, tie.at, status=status) for status in (1, 2))
    cut_offs: list[str] = []
    requests = new = 0
    while parts and requests < MAX_REQUESTS_PER_INSTANT:
        requests += 1
        query, found = parts.popleft(), PartSink(sink)
        try:
            summary = await reader.read(query, found)
        except UpstreamError as error:
            if not isinstance(error, IgnoredFilterError) and error.status not in REFUSED_STATUSES:
                raise
            cut_offs.append(str(error))
            continue
        new += summary.new
        if summary.rows >= tie.rows:
            divided, beyond = await _divide(db, query, found)
            parts.extend(divided)
            cut_offs += beyond
    if parts:
        cut_offs.insert(0, f"{requests} requests were not enough")
    if cut_offs:
        await sink.cut_off(CutOff(tie.at, f"{tie.rows} events or more of one instant: {cut_offs[0]}"))
    return InstantResult(new, bool(cut_offs))


async def _divide(db: Executor, query: FeedQuery, found: PartSink) -> tuple[list[FeedQuery], list[str]]:
    """Smaller parts of a part that may be cut off, and what may lie beyond them."""
    first, last = query.first_night or EARLIEST_NIGHT, query.last_night or LATEST_NIGHT
    if not found.nights:
        return [], ["none of them is valid"]
    if first < last:
        return _parts_by_night(query, first, last, sorted(found.nights)), []
    if query.hotel_id is None:
        hotels = found.hotels | set(await select_hotel_ids(db, MAX_KNOWN_PLACES))
        beyond = f"night {first} was read for all {len(hotels)} known hotels, but another one may have events too"
        return [replace(query, hotel_id=hotel) for hotel in sorted(hotels)], [beyond]
    if query.room_id is None:
        rooms = found.rooms | set(await select_room_ids(db, query.hotel_id, MAX_KNOWN_PLACES))
        beyond = (
            f"night {first} of hotel {query.hotel_id} was read for all {len(rooms)} known rooms, but another one may "
            "have events too"
        )
        return [replace(query, room_id=room) for room in sorted(rooms)], [beyond]
    return [], [f"night {first}, hotel {query.hotel_id}, room {query.room_id!r} has as many, which no filter divides"]


def _parts_by_night(query: FeedQuery, first: date, last: date, found: list[date]) -> list[FeedQuery]:
    """The nights from `first` to `last` in ranges: halves of the nights found, or before, at and after the only one."""
    middle = found[len(found) // 2]
    if len(found) > 1:
        ranges = [(first, middle - ONE_DAY), (middle, last)]
    else:
        ranges = [(first, middle - ONE_DAY), (middle, middle), (middle + ONE_DAY, last)]
    return [replace(query, first_night=start, last_night=end) for start, end in ranges if start <= end]
