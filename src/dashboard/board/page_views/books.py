"""The books that the pages of a hotel show, and the addresses of pages and figures that show the same books."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property

from dashboard.board.page_views.links import address_with, asked_match
from dashboard.bookings.inputs import PaceMatch
from dashboard.bookings.models.feed_progress import ReadingProgress
from dashboard.bookings.models.hotel_head import HotelHead
from dashboard.bookings.service import FIRST_COMPARABLE_DATE, day_last_year

PAST_IS_READ = ReadingProgress(0, None, is_reading_the_past=False)

Parameter = str | int | date | None


@dataclass(frozen=True)
class Books:
    """A hotel's books as they stood at the end of `as_of`, beside those of the year before by `match`.

    corrected_at: when the ledger was last corrected by what its feed has; None if it never was. reading: how far the
    past of the feeds is read. is_on_hotel_page: whether addresses of nights are relative to the page of the hotel,
    which has hundreds of them.
    """

    hotel: HotelHead
    as_of: date
    match: PaceMatch
    corrected_at: datetime | None = None
    reading: ReadingProgress = PAST_IS_READ
    is_on_hotel_page: bool = False

    @property
    def mark(self) -> tuple[object, ...]:
        """What tells these books from others; a correction may leave the number of events as it was."""
        return self.hotel, self.corrected_at, self.reading

    @property
    def is_today(self) -> bool:
        """Whether they are those of today, which still change."""
        return self.as_of == self.hotel.today

    @property
    def has_last_year(self) -> bool:
        """Whether the past is read, and begins early enough to know the hotel's books a year before `as_of`."""
        if self.reading.is_reading_the_past:
            return False
        then = day_last_year(max(self.as_of, FIRST_COMPARABLE_DATE), self.match)
        return max(self.hotel.first_event_date, self.hotel.first_night) <= then

    @property
    def question(self) -> dict[str, Parameter]:
        """The parameters of the books, without those that a page takes by default."""
        return {
            "as_of": None if self.is_today else self.as_of,
            "match": asked_match(self.match),
        }

    def address(self, path: str, **parameters: Parameter) -> str:
        """The address of a page, or of figures, with the same books; a parameter that is None is left out."""
        return address_with(path, parameters | self.question)

    @property
    def of_today(self) -> "Books":
        """The books of today beside the same nights."""
        return replace(self, as_of=self.hotel.today)

    def hotel_page(self, **parameters: Parameter) -> str:
        """The address of the hotel's page."""
        return self.address(self._path, **parameters)

    def month_page(self, month: date) -> str:
        """The address of the page of a month, by any of its days."""
        return f"{self._path}/months/{month:%Y-%m}{self._suffix}"

    def night_page(self, night: date) -> str:
        """The address of the page of a night."""
        return f"{self._nights_path}/{night}{self._suffix}"

    @cached_property
    def _path(self) -> str:
        return f"/board/hotels/{self.hotel.hotel_id}"

    @cached_property
    def _nights_path(self) -> str:
        return f"{self.hotel.hotel_id if self.is_on_hotel_page else self._path}/nights"

    @cached_property
    def _suffix(self) -> str:
        return self.address("")
