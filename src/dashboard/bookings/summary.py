"""The summary as it is answered: a page of the hotels in the order asked for, and the total of all of them."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from common.db.pool import Executor
from dashboard.bookings import service
from dashboard.bookings.inputs import SummaryQuery, SummarySort
from dashboard.bookings.models.summary import (
    AskedSummary,
    FoundSummary,
    HotelFigures,
    NightsAhead,
    SummaryPage,
    SummaryPosition,
    TotalFigures,
    day_change,
    nights_ahead,
)
from dashboard.bookings.queries.summary import NIGHTS_LISTED, select_hotel_figures, select_latest_today


async def compute_summary(
    db: Executor, query: SummaryQuery, after: SummaryPosition | None, now: datetime
) -> FoundSummary:
    """The page of hotels that starts after the position, and the total of all hotels found.

    Raises Invalid for an `as_of` that is in the future at every hotel.
    """
    if query.as_of is not None:
        service.require_not_future(query.as_of, await select_latest_today(db, now))
    found = await select_hotel_figures(db, AskedSummary(query.as_of, query.match, now, query.search))
    page = SummaryPage(query.sort, query.limit, after)
    items, next_after = page_of(found, page)
    return FoundSummary(items, next_after, total_of(found))


def page_of(hotels: Iterable[HotelFigures], page: SummaryPage) -> tuple[list[HotelFigures], SummaryPosition | None]:
    """The hotels of the page, and the position of the last of them if there are more."""
    placed = sorted((position_of(hotel, page.sort), hotel) for hotel in hotels)
    ahead = [each for each in placed if page.after is None or each[0] > page.after]
    items = ahead[: page.limit]
    return [hotel for _, hotel in items], items[-1][0] if len(ahead) > page.limit else None


def position_of(hotel: HotelFigures, sort: SummarySort) -> SummaryPosition:
    """Where the hotel is in that order."""
    if sort == "name":
        return SummaryPosition(hotel.name is None, (hotel.name or "").casefold(), hotel.hotel_id)
    value = -hotel.yesterday.net if sort == "pickup" else hotel.next_30.difference
    return SummaryPosition(value is None, value or 0, hotel.hotel_id)


def total_of(hotels: Sequence[HotelFigures]) -> TotalFigures:
    """The sums over these hotels. Of last year, and of rooms, there is none unless each hotel's value is known."""
    return TotalFigures(
        len(hotels),
        sum_known(hotel.rooms for hotel in hotels),
        sum(hotel.last_night for hotel in hotels),
        _sum_nights(hotels, lambda hotel: hotel.tonight),
        _sum_nights(hotels, lambda hotel: hotel.next_7),
        _sum_nights(hotels, lambda hotel: hotel.next_30),
        _sum_nights(hotels, lambda hotel: hotel.next_90),
        day_change(
            sum(hotel.yesterday.bookings for hotel in hotels), sum(hotel.yesterday.cancellations for hotel in hotels)
        ),
        day_change(sum(hotel.today.bookings for hotel in hotels), sum(hotel.today.cancellations for hotel in hotels)),
        [sum(hotel.next_30_nights[ahead] for hotel in hotels) for ahead in range(NIGHTS_LISTED)],
        [sum_known(hotel.next_30_nights_last_year[ahead] for hotel in hotels) for ahead in range(NIGHTS_LISTED)],
    )


def _sum_nights(hotels: Sequence[HotelFigures], nights_of: Callable[[HotelFigures], NightsAhead]) -> NightsAhead:
    return nights_ahead(
        sum(nights_of(hotel).on_the_books for hotel in hotels),
        sum_known(nights_of(hotel).same_time_last_year for hotel in hotels),
    )


def sum_known(values: Iterable[int | None]) -> int | None:
    """The sum; None if one of the values is not known, or if there is none."""
    known = list(values)
    return None if not known or None in known else sum(value for value in known if value is not None)
