"""The job of the simulated hotels: it sends their bookings through POST /events, over HTTP, as a real hotel would."""

import asyncio
from datetime import UTC, datetime, timedelta

import msgspec

from common.instants import format_instant
from common.jobs.lease import JobResult, Lease
from common.upstream import Upstream, UpstreamError
from provider.simulated_hotels.models import FeedEvent, SimulatedEvent
from provider.simulated_hotels.simulation import Simulation

MAX_CONCURRENT_POSTS = 16
MAX_CATCH_UP = timedelta(seconds=5)
"""After a pause the events of at most this time are made up for."""


class Generator:
    """Hotels that send events to a provider.

    Their state is the feed: at the start, after a failure, and when another replica sent in between, they read the
    nights ahead from it, so that no room is sold twice.
    """

    def __init__(self, provider: Upstream, simulation: Simulation, *, rate: float) -> None:
        """rate: events per minute."""
        self._provider = provider
        self._simulation = simulation
        self._rate = rate
        self._epoch: int | None = None
        self._last: datetime | None = None

    async def run(self, lease: Lease, now: datetime) -> JobResult:
        """Send the events since the last run. Raises UpstreamError when the provider accepts none of them."""
        if self._epoch is None or lease.epoch != self._epoch + 1:
            await self._read_books(now)
        self._epoch = None
        since = min(now - self._last, MAX_CATCH_UP) if self._last else timedelta(seconds=1)
        events = self._simulation.next_events(now, self._rate * since.total_seconds() / 60)
        failures = await self._send(events)
        self._last = now
        sent = len(events) - sum(unsent for _, unsent in failures)
        if failures and not sent:
            raise failures[0][0]
        if not failures:
            self._epoch = lease.epoch
        return {"sent": sent, "failed": len(events) - sent}

    async def _read_books(self, now: datetime) -> None:
        """Restore the simulation from the feed's events of the nights ahead."""
        self._simulation.reset()
        decoder = msgspec.json.Decoder(list[FeedEvent])
        for hotel in self._simulation.hotels:
            query = {"hotel_id": str(hotel.hotel_id), "night_of_stay__gte": now.astimezone(UTC).date().isoformat()}
            for event in decoder.decode(await self._provider.fetch("GET", "/events", params=query)):
                self._simulation.observe(event)

    async def _send(self, events: list[SimulatedEvent]) -> list[tuple[UpstreamError, int]]:
        """Post the events; returns the failures, each with the number of events that were not sent because of it.

        The events of a room are sent one after another, and none after a failed one: no night may be cancelled before
        its booking arrived, nor sold before its cancellation did. A failed event may be stored nevertheless; therefore
        the books are read again after a failure.
        """
        rooms: dict[tuple[int, int], list[SimulatedEvent]] = {}
        for event in events:
            rooms.setdefault((event.hotel_id, event.room_id), []).append(event)
        limit = asyncio.Semaphore(MAX_CONCURRENT_POSTS)

        async def send(room_events: list[SimulatedEvent]) -> tuple[UpstreamError, int] | None:
            async with limit:
                for index, event in enumerate(room_events):
                    try:
                        await self._provider.fetch("POST", "/events", json=event_body(event))
                    except UpstreamError as error:
                        return error, len(room_events) - index
            return None

        return [failure for failure in await asyncio.gather(*map(send, rooms.values())) if failure is not None]


def event_body(event: SimulatedEvent) -> dict[str, object]:
    """The body of POST /events."""
    return {
        "hotel_id": event.hotel_id,
        "event_timestamp": format_instant(event.event_timestamp),
        "status": event.status,
        "room_id": event.room_id,
        "night_of_stay": event.night_of_stay.isoformat(),
    }
