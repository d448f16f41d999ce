"""Which rooms are free in which night, as one bit per room."""

from collections.abc import Sequence

from provider.simulated_hotels.hotels import Hotel


class Vacancies(dict[int, list[int]]):
    """For each night (ordinal) and hotel (place in the list) a number: bit `room - 1` is set while free.

    One `&` over the nights of a stay finds every room that is free throughout, however large the house.
    A night that was never asked for is wholly free.
    """

    def __init__(self, hotels: Sequence[Hotel]) -> None:
        super().__init__()
        self.all_free = [(1 << hotel.rooms) - 1 for hotel in hotels]

    def __missing__(self, night: int) -> list[int]:
        self[night] = free = self.all_free.copy()
        return free

    def take_room(self, place: int, nights: range) -> int | None:
        """Hold the lowest room that is free in all of `nights` and name it; None if there is none."""
        free = self.all_free[place]
        rows = [self[night] for night in nights]
        for row in rows:
            free &= row[place]
        if not free:
            return None
        bit = free & -free
        for row in rows:
            row[place] ^= bit
        return bit.bit_length()

    def sold(self, place: int, night: int) -> int:
        """The rooms that are not free, as bits."""
        return self.all_free[place] ^ self[night][place]

    def hold(self, place: int, room: int, night: int) -> None:
        """Whether it was free or not, it is not any more."""
        self[night][place] &= ~(1 << room - 1)

    def release(self, place: int, room: int, nights: range) -> None:
        """Free to be sold again."""
        bit = 1 << room - 1
        for night in nights:
            self[night][place] |= bit
