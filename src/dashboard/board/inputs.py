"""Query strings of the pages. A page ignores parameters that it does not know."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from common.web.input_types import Cursor, PageInput, parse_query_integer
from dashboard.bookings.inputs import AsOf, HotelSearch, Month, PaceMatch, SummarySort, require_sane


class BoardQuery(PageInput):
    """The date up to which events are counted, and how a year before is compared."""

    as_of: Annotated[AsOf, AfterValidator(require_sane)] = None
    match: PaceMatch = "weekday"


Shades = Literal["fill", "ahead", "pickup7"]


class HotelQuery(BoardQuery):
    """What the page of a hotel shows.

    show: what the shades of the calendar mean. nights: rows of the table of nights. from_: the first month of the
    calendar; None for that of `as_of`.
    """

    show: Shades = "fill"
    nights: Annotated[Literal[14, 30, 60, 90], BeforeValidator(parse_query_integer)] = 14
    from_: Annotated[Month | None, Field(alias="from")] = None


class NightQuery(BoardQuery):
    """What the page of a night shows. days: how long before the night its booking curve begins; None: by default."""

    days: Annotated[Literal[30, 90, 180, 365] | None, BeforeValidator(parse_query_integer)] = None


class MorningQuery(BoardQuery):
    """The order of the hotels."""

    sort: SummarySort = "name"


class HotelsPageQuery(MorningQuery):
    """A page of the hotels that are searched for."""

    search: HotelSearch = ""
    cursor: Cursor | None = None


class WallQuery(PageInput):
    """The colours of the wall; None: those that the device prefers."""

    theme: Literal["dark", "light"] | None = None
