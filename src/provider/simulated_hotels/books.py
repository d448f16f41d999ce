"""Which nights are sold, and in which booking: what the live simulation must not forget."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime

from provider.simulated_hotels.events import BOOKING
from provider.simulated_hotels.hotels import Hotel
from provider.simulated_hotels.vacancies import Vacancies


class Books:
    """The nights on the books of some hotels, each with the instant of its booking.

    A stay is not kept as such: consecutive nights of one room that were booked at one instant are one, so the
    events alone bring everything back. Nights are ordinals.
    """

    def __init__(self, hotels: Sequence[Hotel]) -> None:
        self.vacancies = Vacancies(hotels)
        self._places = {hotel.hotel_id: place for place, hotel in enumerate(hotels)}
        self._rooms = [hotel.rooms for hotel in hotels]
        self._booked_at: dict[tuple[int, int, int], datetime] = {}
        self._earliest = 0

    def __iter__(self) -> Iterator[tuple[int, int, date, datetime]]:
        """`(hotel_id, room_id, night, booked at)`, in no particular order."""
        hotel_ids = list(self._places)
        for (place, room, night), at in self._booked_at.items():
            yield hotel_ids[place], room, date.fromordinal(night), at

    def place_of(self, hotel_id: int, room_id: int | str) -> tuple[int, int] | None:
        """The hotel's place and the room's number; None for a room that is not of these houses."""
        place = self._places.get(hotel_id)
        if place is None or not isinstance(room_id, int) or not 1 <= room_id <= self._rooms[place]:
            return None
        return place, room_id

    def enter(self, status: int, hotel_id: int, room_id: int | str, night_of_stay: date, at: datetime) -> None:
        """Take over what the feed says.

        Nothing of rooms elsewhere, of nights already slept, or older than the booking that is known.
        """
        where = self.place_of(hotel_id, room_id)
        if where is None:
            return
        night = night_of_stay.toordinal()
        known = self.booked_at(*where, night)
        if night < self._earliest or (known is not None and at < known):
            return
        if status == BOOKING:
            self.hold(*where, range(night, night + 1), at)
        elif known is not None:
            self.release(*where, range(night, night + 1))

    def sell(self, place: int, nights: range, at: datetime) -> int | None:
        """Hold a room that is free throughout, and name it; None if there is none."""
        room = self.vacancies.take_room(place, nights)
        if room is not None:
            self.hold(place, room, nights, at)
        return room

    def hold(self, place: int, room: int, nights: range, at: datetime) -> None:
        """On the books since `at`."""
        for night in nights:
            self.vacancies.hold(place, room, night)
            self._booked_at[place, room, night] = at

    def any_sold_room(self, random: Callable[[], float], place: int, night: int) -> int | None:
        """One of the rooms sold for the night; None if all are free."""
        sold = self.vacancies.sold(place, night)
        if not sold:
            return None
        skipped = int(random() * self._rooms[place])
        above = sold >> skipped
        return skipped + (above & -above).bit_length() if above else (sold & -sold).bit_length()

    def release(self, place: int, room: int, nights: range) -> None:
        """Off the books."""
        self.vacancies.release(place, room, nights)
        for night in nights:
            del self._booked_at[place, room, night]

    def booked_at(self, place: int, room: int, night: int) -> datetime | None:
        """When the night was booked; None while it is free."""
        return self._booked_at.get((place, room, night))

    def stay_of(self, place: int, room: int, night: int) -> tuple[range, datetime]:
        """The nights on the books of the stay that this sold night is part of, and when it was booked."""
        at = self._booked_at[place, room, night]
        first, last = night, night
        while self._booked_at.get((place, room, first - 1)) == at:
            first -= 1
        while self._booked_at.get((place, room, last + 1)) == at:
            last += 1
        return range(first, last + 1), at

    def forget_before(self, today: int) -> None:
        """Nights that were slept can be neither sold nor cancelled; once a day they go."""
        if today <= self._earliest:
            return
        self._earliest = today
        self._booked_at = {key: at for key, at in self._booked_at.items() if key[2] >= today}
        for night in [night for night in self.vacancies if night < today]:
            del self.vacancies[night]
