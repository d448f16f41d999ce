"""The page at `/`: what changed since yesterday, and where to look first."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from quart import Blueprint, Response
from quart_schema import hide

from common.config import shown_url
from common.web.html import html_page
from common.web.page_frame import Alternate, framed_page, page_tag, unchanged
from common.web.query_string import validate_querystring
from common.web.replica import reads_replica
from common.web.resources import pool
from dashboard import schedule
from dashboard.board.board_templates import templates
from dashboard.board.inputs import MorningQuery
from dashboard.board.morning_parts import Fleet, State, read_fleet, read_moves, read_state
from dashboard.board.page_views import look_here
from dashboard.board.page_views.hotels_table import hotels_table, sort_links, without_last_year
from dashboard.board.page_views.look_here import Line
from dashboard.board.page_views.morning import (
    at_lowest,
    checked_words,
    headline,
    largest_moves,
    last_event_words,
    price_text,
    share_text,
)
from dashboard.board.page_views.question import Question
from dashboard.board.parts import FailedPart, known, part
from dashboard.bookings import service
from dashboard.bookings.inputs import SummaryQuery
from dashboard.bookings.models.notable_nights import AskedMorning, MorningMark, NotableNight
from dashboard.bookings.queries.feed_progress import select_reading_progress
from dashboard.bookings.queries.morning import select_last_correction, select_morning_mark
from dashboard.bookings.queries.notable_nights import select_notable_nights
from dashboard.bookings.summary import compute_summary
from dashboard.catalog.models import PriceMove
from dashboard.resources import resources

blueprint = Blueprint("board_morning", __name__)

HOTELS_SHOWN = 25
LIVE_SECONDS = 10
READING_SECONDS = 2
"""How often the page asks for news until the past is read, which is visible within the first minute."""


@blueprint.get("/")
@html_page
@hide
@validate_querystring(MorningQuery)
@reads_replica
async def get_morning(query_args: MorningQuery) -> Response:
    """Show what changed since yesterday, and the nights that need a look first."""
    now = datetime.now(UTC)
    # 1. What is cheap, and different when anything on the page is.
    mark, corrected_at = await asyncio.gather(select_morning_mark(pool(), now), select_last_correction(pool()))
    question = question_of(query_args, mark, now)
    config = resources().config
    state = None
    if not question.is_past:
        shows_prices = config.api_token is None
        state = await read_state(pool(), schedule.jobs(resources()), now, shows_prices=shows_prices)
    reading = await select_reading_progress(pool(), config.feed_names)
    is_reading = reading.is_reading_the_past
    tag = await page_tag(mark, corrected_at, reading, state)
    if (answer := unchanged(tag)) is not None:
        return answer
    # 2. The figures.
    asked = AskedMorning(question.asked_date, question.match, now)
    summary_query = SummaryQuery(
        as_of=question.asked_date, match=question.match, sort=query_args.sort, limit=HOTELS_SHOWN
    )
    found, nights, fleet, moves = await asyncio.gather(
        part("hotels", compute_summary(pool(), summary_query, None, now)) if mark.hotels else _nothing(),
        part("nights", select_notable_nights(pool(), asked)) if mark.hotels and not is_reading else _nothing(),
        part("stores", read_fleet(pool(), now)) if state is not None else _nothing(),
        part("prices", read_moves(pool(), now)) if state is not None and state.catalog is not None else _nothing(),
    )
    # 3. The page.
    lines = night_lines(known(nights) or [], question)
    if state is not None:
        lines += state_lines(state, fleet, moves, now)
        if tag.state.through is not None and tag.state.is_late(now) and not is_reading:
            lines.append(look_here.late_feed_line(tag.state.through, tag.state.behind(now)))
    summary = known(found)
    if summary is not None and is_reading:
        summary = without_last_year(summary)
    stores, products = (None, None)
    if state is not None:
        stores = fleet_mark.stores if (fleet_mark := known(state.fleet)) is not None else None
        products = catalog.products if (catalog := known(state.catalog)) is not None else None
    sorts = sort_links("/", question, query_args.sort)
    return framed_page(
        templates,
        "morning.html",
        tag,
        alternates=alternates_of(question, query_args),
        live_seconds=None if question.is_past else READING_SECONDS if is_reading else LIVE_SECONDS,
        question=question,
        sort=query_args.sort,
        mark=mark,
        feeds=[] if mark.hotels else [shown_url(source.url) for source in config.feeds],
        reading=reading if is_reading else None,
        found=found,
        nights=nights,
        fleet=fleet,
        moves=moves,
        house=state,
        headline=None if summary is None else headline(summary.total, question),
        table=None if summary is None else hotels_table(summary, question, sorts),
        lines=look_here.ranked(lines),
        checked=checked_words(mark.hotels, stores, products, None if question.is_past else now),
        largest=largest_moves(known(moves) or []),
        all_hotels=question.address("/board/hotels", sort=None if query_args.sort == "name" else query_args.sort),
        last_event=None if state is None else event_words(state),
        price_text=price_text,
        share_text=share_text,
    )


async def _nothing() -> None:
    """A part that is not on this page."""


def question_of(query: MorningQuery, mark: MorningMark, now: datetime) -> Question:
    """The books that are asked for. Raises Invalid for a date that is in the future at every hotel."""
    today = max(mark.dates, default=now.date())
    service.require_not_future(query.as_of, today)
    return Question(query.as_of or today, today, query.match)


def alternates_of(question: Question, query: MorningQuery) -> list[Alternate]:
    """The same hotels as JSON and as CSV."""
    asked = {"sort": None if query.sort == "name" else query.sort, "limit": HOTELS_SHOWN}
    return [
        Alternate("JSON", "application/json", question.address("/summary", **asked)),
        Alternate("CSV", "text/csv", question.address("/summary", **asked, format="csv")),
    ]


def night_lines(nights: Sequence[NotableNight], question: Question) -> list[Line]:
    """The lines about nights."""
    return [line for night in nights for line in look_here.lines_of_night(night, question)]


def state_lines(
    state: State,
    fleet: Fleet | FailedPart | None,
    moves: Sequence[PriceMove] | FailedPart | None,
    now: datetime,
) -> list[Line]:
    """The lines about everything but bookings."""
    lines = []
    desk, jobs, quarantined = known(state.desk), known(state.jobs), known(state.quarantined)
    if desk is not None and desk.oldest is not None and desk.late:
        lines.append(look_here.late_orders_line(desk.late, desk.oldest))
    if jobs is not None and jobs.failing:
        lines.append(look_here.failing_jobs_line(jobs.failing))
    if isinstance(fleet, Fleet) and fleet.down:
        lines.append(look_here.stores_down_line(fleet.down))
    if quarantined:
        lines.append(look_here.quarantine_line(quarantined))
    if lowest := at_lowest(known(moves) or [], now):
        address = f"/products/{lowest[0].product_id}/trend" if len(lowest) == 1 else "/products"
        lines.append(look_here.low_prices_line([each.name for each in lowest], address))
    return lines


def event_words(state: State) -> tuple[datetime, str] | None:
    """When the last event was, and what; None without one, and where that could not be read."""
    news = known(state.news)
    return None if news is None or news.last is None else (news.last.at, last_event_words(news.last))
