"""The simulated hotels at work: they send their bookings through POST /events, over HTTP, as a hotel would."""

import asyncio
from datetime import UTC, datetime, timedelta

import msgspec

from common.jobs.lease import JobResult, Lease
from common.upstream import Upstream, UpstreamError
from provider.booking_events.models import Event
from provider.simulated_hotels import SimulatedEvent, Simulation

MAX_CONCURRENT_POSTS = 16
MAX_CATCH_UP = timedelta(seconds=5)
"""After a pause the hotels do not make up for more than so much of it."""


class Generator:
    """Hotels that send events to a provider.

    The feed is their memory: at the start, after a fault, and when another replica sent in between, they read the
    nights ahead from it, so that no room is sold twice.
    """

    def __init__(self, provider: Upstream, simulation: Simulation, *, rate: float) -> None:
        """rate: events a minute."""
        self._provider = provider
        self._simulation = simulation
        self._rate = rate
        self._epoch: int | None = None
        self._last: datetime | None = None

    async def run(self, lease: Lease, now: datetime) -> JobResult:
        """Send what has happened since the last run. Raises UpstreamError when the provider takes nothing."""
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
        """Take over the nights ahead as the feed has them."""
        self._simulation.begin_anew()
        decoder = msgspec.json.Decoder(list[Event])
        for hotel in self._simulation.hotels:
            wanted = {"hotel_id": str(hotel.hotel_id), "night_of_stay__gte": now.astimezone(UTC).date().isoformat()}
            for event in decoder.decode(await self._provider.fetch("GET", "/events", params=wanted)):
                self._simulation.observe(event)

    async def _send(self, events: list[SimulatedEvent]) -> list[tuple[UpstreamError, int]]:
        """Post the events; returns the failures, each with how many events it left unsent.

        Those of one room go one after another, and none after one that failed: a night must not be cancelled whose
        booking, nor sold whose cancellation did not arrive. What failed may be stored nevertheless: the books are read
        again then.
        """
        rooms: dict[tuple[int, int], list[SimulatedEvent]] = {}
        for event in events:
            rooms.setdefault((event.hotel_id, event.room_id), []).append(event)
        gate = asyncio.Semaphore(MAX_CONCURRENT_POSTS)

        async def send(of_room: list[SimulatedEvent]) -> tuple[UpstreamError, int] | None:
            async with gate:
                for place, event in enumerate(of_room):
                    try:
                        await self._provider.fetch("POST", "/events", json=event_body(event))
                    except UpstreamError as error:
                        return error, len(of_room) - place
            return None

        return [failure for failure in await asyncio.gather(*map(send, rooms.values())) if failure is not None]


def event_body(event: SimulatedEvent) -> dict[str, object]:
    """The body of POST /events."""
    return {
        "hotel_id": event.hotel_id,
        "event_timestamp": event.event_timestamp.isoformat().replace("+00:00", "Z"),
        "status": event.status,
        "room_id": event.room_id,
        "night_of_stay": event.night_of_stay.isoformat(),
    }
