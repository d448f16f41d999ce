"""Rows of bookings and cancellations in groups."""

from typing import NamedTuple


class CountedGroup(NamedTuple):
    """What was booked and cancelled of the nights of a month, or else in a bucket of days ahead; numbered from 1."""

    month: int | None
    bucket: int | None
    bookings: int
    cancellations: int
