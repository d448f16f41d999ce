"""Rows of the nights at which somebody should look first."""

from datetime import date
from typing import NamedTuple

NIGHTS_WATCHED = 90

LEAST_PICKUP = 3
PICKUP_SHARE = 0.1
"""The pickup of 7 dates is notable if it is this share of the rooms, and LEAST_PICKUP, from the expected one."""

LEAST_RUN = 7
RUN_SHARE = 0.2
"""So many nights in a row are notable if each is behind the same time last year by at least this share of it."""

FULL_SHARE = 0.95
"""A night is notable if this share of the rooms is on the books."""

LEAST_CANCELLATIONS = 4
"""A night is notable if yesterday so many rooms were cancelled for it."""


class NotableNight(NamedTuple):
    """A night of the next 90 that is notable in one way or more.

    usual_7: the pickup of the same 7 dates the year before. run_nights, run_difference: of a run of nights behind the
    same time last year that begins with this night, how many they are, and their difference in sum; None if none does.
    None in the other fields: not known.
    """

    hotel_id: int
    name: str | None
    rooms: int | None
    night: date
    on_the_books: int
    same_time_last_year: int | None
    pickup_7: int
    usual_7: int | None
    cancelled_yesterday: int
    run_nights: int | None
    run_difference: int | None

    @property
    def free_before(self) -> int | None:
        """The rooms that were free before the 7 dates; None if the rooms are not known."""
        return None if self.rooms is None else max(0, self.rooms - (self.on_the_books - self.pickup_7))

    @property
    def expected_pickup(self) -> int | None:
        """The usual pickup, but no more than the rooms that were free before the 7 dates; None if it is not known."""
        if self.usual_7 is None or self.free_before is None:
            return self.usual_7
        return min(self.usual_7, self.free_before)

    @property
    def has_unusual_pickup(self) -> bool:
        """Whether the pickup of 7 dates is far from what was to be expected."""
        if self.expected_pickup is None:
            return False
        return abs(self.pickup_7 - self.expected_pickup) >= max(LEAST_PICKUP, PICKUP_SHARE * (self.rooms or 0))

    @property
    def is_full(self) -> bool:
        """Whether almost all rooms are on the books; never where their number is not known."""
        return self.rooms is not None and self.on_the_books >= FULL_SHARE * self.rooms

    @property
    def has_cancellations(self) -> bool:
        """Whether many rooms were cancelled yesterday."""
        return self.cancelled_yesterday >= LEAST_CANCELLATIONS
