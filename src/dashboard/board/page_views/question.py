"""What is asked of a page of all hotels, which stays in the links to other pages."""

from dataclasses import dataclass
from datetime import date

from dashboard.board.page_views.links import address_with, asked_match
from dashboard.bookings.inputs import PaceMatch


@dataclass(frozen=True)
class Question:
    """The books as of a date, or of today, beside those of the year before by `match`.

    today: the latest of the dates at the hotels.
    """

    as_of: date
    today: date
    match: PaceMatch

    @property
    def is_past(self) -> bool:
        """Whether the books are those of a past date, which do not change."""
        return self.as_of < self.today

    @property
    def asked_date(self) -> date | None:
        """The past date; None for the date of today at each hotel."""
        return self.as_of if self.is_past else None

    def address(self, path: str, **parameters: object) -> str:
        """The address of a page, or of figures, of the same books; parameters that are None or empty are left out."""
        return address_with(path, {"as_of": self.asked_date, "match": asked_match(self.match), **parameters})

    def hotel_page(self, hotel_id: int) -> str:
        """The address of the page of a hotel."""
        return self.address(f"/board/hotels/{hotel_id}")

    def night_page(self, hotel_id: int, night: date) -> str:
        """The address of the page of a night."""
        return self.address(f"/board/hotels/{hotel_id}/nights/{night}")

    def month_page(self, hotel_id: int, month: date) -> str:
        """The address of the page of a month, by any of its days."""
        return self.address(f"/board/hotels/{hotel_id}/months/{month:%Y-%m}")
