"""The nights that are sold, each with the time of its booking: the state of the live simulation."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime

from provider.hotel_rooms import BOOKING
from provider.simulated_hotels.demand import Hotel
from provider.simulated_hotels.vacancies import Vacancies


class Books:
    """The nights on the books of some hotels, each with the time of its booking.

    Stays are not stored as such: consecutive nights of one room that were booked at the same time are one stay, so the
    books can be restored from the events alone. Nights are ordinals.
    """

    def __init__(self, hotels: Sequence[Hotel]) -> None:
        self.vacancies = Vacancies(hotels)
        self._hotel_indexes = {hotel.hotel_id: index for index, hotel in enumerate(hotels)}
        self._rooms = [hotel.rooms for hotel in hotels]
        self._booked_at: dict[tuple[int, int, int], datetime] = {}
        self._earliest = 0

    def __iter__(self) -> Iterator[tuple[int, int, date, datetime]]:
        """`(hotel_id, room_id, night, booked at)`, in no particular order."""
        hotel_ids = list(self._hotel_indexes)
        for (hotel_index, room, night), at in self._booked_at.items():
            yield hotel_ids[hotel_index], room, date.fromordinal(night), at

    def locate(self, hotel_id: int, room_id: int | str) -> tuple[int, int] | None:
        """The hotel's index and the room's number; None for a room of another hotel."""
        hotel_index = self._hotel_indexes.get(hotel_id)
        if hotel_index is None or not isinstance(room_id, int) or not 1 <= room_id <= self._rooms[hotel_index]:
            return None
        return hotel_index, room_id

    def apply(self, status: int, hotel_id: int, room_id: int | str, night_of_stay: date, at: datetime) -> None:
        """Apply an event of the feed.

        Ignores events of unknown rooms, of past nights, and those that are older than the booking on the books.
        """
        room = self.locate(hotel_id, room_id)
        if room is None:
            return
        night = night_of_stay.toordinal()
        booked_at = self.booked_at(*room, night)
        if night < self._earliest or (booked_at is not None and at < booked_at):
            return
        if status == BOOKING:
            self.book(*room, range(night, night + 1), at)
        elif booked_at is not None:
            self.release(*room, range(night, night + 1))

    def sell(self, hotel_index: int, nights: range, at: datetime) -> int | None:
        """Book a room that is free throughout and return its number; None if there is none."""
        room = self.vacancies.take_room(hotel_index, nights)
        if room is not None:
            self.book(hotel_index, room, nights, at)
        return room

    def book(self, hotel_index: int, room: int, nights: range, at: datetime) -> None:
        """Add the nights to the books, booked at `at`."""
        for night in nights:
            self.vacancies.occupy(hotel_index, room, night)
            self._booked_at[hotel_index, room, night] = at

    def any_sold_room(self, random: Callable[[], float], hotel_index: int, night: int) -> int | None:
        """One of the rooms sold for the night; None if all are free."""
        sold = self.vacancies.sold(hotel_index, night)
        if not sold:
            return None
        skipped = int(random() * self._rooms[hotel_index])
        above = sold >> skipped
        return skipped + (above & -above).bit_length() if above else (sold & -sold).bit_length()

    def release(self, hotel_index: int, room: int, nights: range) -> None:
        """Remove the nights from the books."""
        self.vacancies.release(hotel_index, room, nights)
        for night in nights:
            del self._booked_at[hotel_index, room, night]

    def booked_at(self, hotel_index: int, room: int, night: int) -> datetime | None:
        """The time at which the night was booked; None while it is free."""
        return self._booked_at.get((hotel_index, room, night))

    def stay_of(self, hotel_index: int, room: int, night: int) -> tuple[range, datetime]:
        """The nights on the books of the stay that includes this sold night, and the time of its booking."""
        at = self._booked_at[hotel_index, room, night]
        first, last = night, night
        while self._booked_at.get((hotel_index, room, first - 1)) == at:
            first -= 1
        while self._booked_at.get((hotel_index, room, last + 1)) == at:
            last += 1
        return range(first, last + 1), at

    def delete_before(self, today: int) -> None:
        """Delete past nights, which can be neither sold nor cancelled; once a day."""
        if today <= self._earliest:
            return
        self._earliest = today
        self._booked_at = {key: at for key, at in self._booked_at.items() if key[2] >= today}
        for night in [night for night in self.vacancies if night < today]:
            del self.vacancies[night]
