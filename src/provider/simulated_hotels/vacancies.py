"""The rooms that are free in each night, as one bit per room."""

from collections.abc import Sequence

from provider.simulated_hotels.demand import Hotel


class Vacancies(dict[int, list[int]]):
    """For each night (ordinal) and hotel (index in the list) a number: bit `room - 1` is set while the room is free.

    One `&` over the nights of a stay finds every room that is free throughout, however large the hotel.
    A night that was never looked up is wholly free.
    """

    def __init__(self, hotels: Sequence[Hotel]) -> None:
        super().__init__()
        self.all_free = [(1 << hotel.rooms) - 1 for hotel in hotels]

    def __missing__(self, night: int) -> list[int]:
        self[night] = free = self.all_free.copy()
        return free

    def take_room(self, hotel_index: int, nights: range) -> int | None:
        """Occupy the lowest room that is free in all of `nights` and return its number; None if there is none."""
        free = self.all_free[hotel_index]
        rows = [self[night] for night in nights]
        for row in rows:
            free &= row[hotel_index]
        if not free:
            return None
        bit = free & -free
        for row in rows:
            row[hotel_index] ^= bit
        return bit.bit_length()

    def sold(self, hotel_index: int, night: int) -> int:
        """The rooms that are not free, as bits."""
        return self.all_free[hotel_index] ^ self[night][hotel_index]

    def occupy(self, hotel_index: int, room: int, night: int) -> None:
        """Mark the room as not free, whether it was free or not."""
        self[night][hotel_index] &= ~(1 << room - 1)

    def release(self, hotel_index: int, room: int, nights: range) -> None:
        """Mark the room as free."""
        bit = 1 << room - 1
        for night in nights:
            self[night][hotel_index] |= bit
