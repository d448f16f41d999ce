"""Query strings of the pages. A page ignores parameters that it does not know."""

from common.web.input_types import PageInput
from dashboard.bookings.inputs import AsOf, PaceMatch


class BoardQuery(PageInput):
    """The date up to which events are counted, and how a year before is compared."""

    as_of: AsOf = None
    match: PaceMatch = "weekday"
