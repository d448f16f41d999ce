"""What happens to some simulated hotels around today, so that the pages of the demo have something to show.

All of it happens while the history is generated, day by day: so no room is sold twice, and only nights on the books are
cancelled. Nights and days are ordinals; `today` is the last day of the history.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from provider.simulated_hotels.demand import Hotel, seeded_random
from provider.simulated_hotels.vacancies import Vacancies

SAME_WEEKDAY_DAYS = 364
FRIDAY = 5  # an ordinal modulo 7; Sunday is 0


class Stay(NamedTuple):
    """Nights of a room; of a request, which has no room yet, room 0."""

    hotel_index: int
    room: int
    nights: range


class HotelEvent:
    """An event in the demo's story of one hotel. The base class changes nothing."""

    def __init__(self, hotel_index: int) -> None:
        self.hotel_index = hotel_index

    def requests(self, day: int, vacancies: Vacancies) -> list[range]:
        """The nights of further requests of a day; called at its beginning."""
        return []

    def cancellations(self, day: int) -> list[Stay]:
        """The stays that are cancelled on a day, beside those that are cancelled anyway; called at its beginning."""
        return []

    def refuses(self, nights: range, vacancies: Vacancies) -> bool:
        """Whether the hotel loses a request."""
        return False

    def keeps(self, day: int, nights: range) -> bool:
        """Whether guests who would cancel these nights on that day do not."""
        return False

    def note_lasting(self, stay: Stay) -> None:
        """A stay was booked whose guest does not cancel."""

    def note_end(self, day: int, vacancies: Vacancies) -> None:
        """A day has ended."""


class SoftFortnight(HotelEvent):
    """Fourteen nights that sell badly: far fewer rooms are on the books than at the same time last year."""

    NIGHTS_AHEAD = range(22, 36)
    MOST_OF_LAST_YEAR = 0.68
    LOST_SHARE = 0.45

    def __init__(self, hotel_index: int, seed: int, today: int) -> None:
        super().__init__(hotel_index)
        self._random = seeded_random(seed, "soft fortnight", today)
        self._year_before = today - SAME_WEEKDAY_DAYS
        self._nights = range(today + self.NIGHTS_AHEAD.start, today + self.NIGHTS_AHEAD.stop)
        self._most: dict[int, int] = {}
        """By night, how many rooms are sold at most; known once the same time last year is over."""

    def note_end(self, day: int, vacancies: Vacancies) -> None:
        if day == self._year_before:
            for night in self._nights:
                sold = vacancies.sold(self.hotel_index, night - SAME_WEEKDAY_DAYS).bit_count()
                self._most[night] = int(sold * self.MOST_OF_LAST_YEAR)

    def refuses(self, nights: range, vacancies: Vacancies) -> bool:
        soft = [night for night in nights if night in self._most]
        return bool(soft) and (
            self._random() < self.LOST_SHARE
            or any(vacancies.sold(self.hotel_index, night).bit_count() >= self._most[night] for night in soft)
        )


class EventWeekend(HotelEvent):
    """A Friday and a Saturday, five to six weeks ahead, that are nearly full by yesterday."""

    FIRST_DAYS_AHEAD = 37
    SELLING_DAYS = 60
    FULL_SHARE = 0.97

    def __init__(self, hotel_index: int, rooms: int, today: int) -> None:
        super().__init__(hotel_index)
        earliest = today + self.FIRST_DAYS_AHEAD
        friday = earliest + (FRIDAY - earliest) % 7
        self._nights = range(friday, friday + 2)
        self._full_on = today - 1
        self._full = math.ceil(rooms * self.FULL_SHARE)

    def requests(self, day: int, vacancies: Vacancies) -> list[range]:
        days_left = self._full_on - day
        if not 0 <= days_left < self.SELLING_DAYS:
            return []
        target = self._full * (self.SELLING_DAYS - days_left) // self.SELLING_DAYS
        missing = [target - vacancies.sold(self.hotel_index, night).bit_count() for night in self._nights]
        if days_left:
            return [self._nights] * min(missing)
        # A room may be free in one of the nights only: on the last day they are sold one by one.
        return [
            range(night, night + 1)
            for night, missing_rooms in zip(self._nights, missing, strict=True)
            for _ in range(missing_rooms)
        ]

    def keeps(self, day: int, nights: range) -> bool:
        return day >= self._full_on and nights.start < self._nights.stop and self._nights.start < nights.stop


class CancellationWave(HotelEvent):
    """Yesterday several guests cancelled stays that had one night in common."""

    NIGHT_AHEAD = 17
    STAYS = 7

    def __init__(self, hotel_index: int, today: int) -> None:
        super().__init__(hotel_index)
        self._day = today - 1
        self._night = today + self.NIGHT_AHEAD
        self._stays: list[Stay] = []

    def note_lasting(self, stay: Stay) -> None:
        if self._night in stay.nights:
            self._stays.append(stay)

    def cancellations(self, day: int) -> list[Stay]:
        return self._stays[-self.STAYS :] if day == self._day else []


def tell_story(seed: int, hotels: Sequence[Hotel], today: int) -> list[HotelEvent]:
    """A weekend that fills early, a soft fortnight, a wave of cancellations; with five hotels, each in another one."""
    weekend, soft, wave = (index % len(hotels) for index in (1, 2, 4))
    return [
        EventWeekend(weekend, hotels[weekend].rooms, today),
        SoftFortnight(soft, seed, today),
        CancellationWave(wave, today),
    ]
