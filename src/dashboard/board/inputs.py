"""Query strings of the pages. A page ignores parameters that it does not know."""

from common.web.input_types import Cursor, PageInput
from dashboard.bookings.inputs import AsOf, HotelSearch, PaceMatch, SummarySort


class BoardQuery(PageInput):
    """The date up to which events are counted, and how a year before is compared."""

    as_of: AsOf = None
    match: PaceMatch = "weekday"


class MorningQuery(BoardQuery):
    """The order of the hotels."""

    sort: SummarySort = "name"


class HotelsPageQuery(MorningQuery):
    """A page of the hotels that are searched for."""

    search: HotelSearch = ""
    cursor: Cursor | None = None
