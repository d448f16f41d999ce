"""Converts night events back to stays and checks the laws of events."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import groupby, pairwise

from provider.hotel_rooms import BOOKING
from provider.simulated_hotels.models import SimulatedEvent


@dataclass(frozen=True)
class Stay:
    hotel_id: int
    room_id: int
    booked_at: datetime
    nights: tuple[date, ...]
    cancelled_nights: tuple[date, ...] = ()

    @property
    def lead(self) -> int:
        return (self.nights[0] - self.booked_at.date()).days


def audit(events: Iterable[SimulatedEvent]) -> list[Stay]:
    """Return the stays of the events. Raises AssertionError if the events break a law."""
    stays: dict[datetime, Stay] = {}
    sold: dict[tuple[int, int, date], datetime] = {}
    for at, simultaneous in groupby(events, key=lambda event: event.event_timestamp):
        group = list(simultaneous)
        assert at.utcoffset() == timedelta(0)
        assert len({(event.hotel_id, event.room_id, event.status) for event in group}) == 1
        nights = tuple(event.night_of_stay for event in group)
        assert all(after - before == timedelta(1) for before, after in pairwise(nights))
        assert nights[0] >= at.date()
        hotel_id, _, status, room_id, _ = group[0]
        keys = [(hotel_id, room_id, night) for night in nights]
        if status == BOOKING:
            assert not sold.keys() & keys, "a night was sold twice"
            sold.update(dict.fromkeys(keys, at))
            stays[at] = Stay(hotel_id, room_id, at, nights)
        else:
            booked_at = {sold.pop(key) for key in keys}
            assert len(booked_at) == 1, "a cancellation concerns several stays"
            stay = stays[booked_at.pop()]
            assert stay.booked_at < at
            stays[stay.booked_at] = replace(stay, cancelled_nights=stay.cancelled_nights + nights)
    return list(stays.values())
