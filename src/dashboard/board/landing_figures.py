"""The figures of the dashboard's landing page: events counted, and how full the hotels are."""

from collections.abc import Sequence
from datetime import UTC, datetime

from common.web.landing_page import Figure, FigureTable, LinkCell, instant_figure
from common.web.replica import reads_replica
from common.web.resources import pool
from dashboard.bookings.queries import counters
from dashboard.bookings.queries.feed_progress import select_feed_states
from dashboard.bookings.service import counted_through
from dashboard.resources import resources

NIGHTS_AHEAD = 30
HOTELS_SHOWN = 20
MONTHS_OF_HOTEL = "/dashboard?hotel_id={}&period=month&year={}"


@reads_replica
async def landing_figures() -> tuple[Sequence[Figure], Sequence[FigureTable]]:
    """Live counts, and the next 30 nights of the hotels with the latest events, compared with the busiest of them.

    Hidden hotels are left out.
    An event dated ahead of now is counted from its date on, as in the figures that the page links to.
    """
    now = datetime.now(UTC)
    totals = await counters.select_ledger_totals(pool())
    states = await select_feed_states(pool(), resources().config.feed_names)
    through = counted_through(states)
    outlooks = await counters.select_outlook(pool(), now, NIGHTS_AHEAD, HOTELS_SHOWN)
    figures = [
        Figure("events counted", f"{totals.events:,}"),
        Figure("hotels", f"{totals.hotels:,}"),
        instant_figure("counted through", through),
        Figure("behind", f"{max(0.0, (now - through).total_seconds()):.0f} s" if through else "-"),
    ]
    if cut_offs := sum(state.cut_off for state in states):
        figures.append(Figure("instants of which a feed may have cut off events", f"{cut_offs:,}"))
    busiest = max((outlook.on_the_books for outlook in outlooks), default=0)
    rows = [
        (
            LinkCell(f"{outlook.hotel_id}", MONTHS_OF_HOTEL.format(outlook.hotel_id, now.year)),
            outlook.on_the_books,
            f"{outlook.today:+d}",
            max(0.0, outlook.on_the_books / busiest) if busiest > 0 else 0.0,
        )
        for outlook in outlooks
    ]
    head = ("hotel", "room nights on the books", "today", "compared with the busiest")
    title = f"The next {NIGHTS_AHEAD} nights"
    if totals.hotels > len(outlooks):
        title += f" of the {len(outlooks)} hotels with the latest events"
    return figures, [FigureTable(title, head, rows)]
