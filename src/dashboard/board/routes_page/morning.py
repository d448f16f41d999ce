"""The page at `/`: what changed since yesterday, and where to look first."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from quart import Blueprint, Response, redirect
from quart.typing import ResponseReturnValue
from quart_schema import hide

from common.config import shown_url
from common.web.charts.number_text import share_text
from common.web.html import html_page
from common.web.page_frame import Alternate, framed_page, page_tag, unchanged
from common.web.query_string import validate_querystring
from common.web.replica import reads_replica
from common.web.resources import pool
from dashboard.board.board_templates import templates
from dashboard.board.inputs import MorningQuery
from dashboard.board.morning_parts import OperationsState, read_moves, read_spread, read_state
from dashboard.board.page_views import look_here
from dashboard.board.page_views.hotels_table import hotels_table, sort_links, without_last_year
from dashboard.board.page_views.look_here import Line
from dashboard.board.page_views.morning import (
    checked_words,
    headline,
    largest_moves,
    last_event_words,
)
from dashboard.board.page_views.question import Question
from dashboard.board.parts import FailedPart, read_part, value_or_none
from dashboard.bookings import service
from dashboard.bookings.inputs import SummaryQuery
from dashboard.bookings.models.feed_progress import ReadingProgress
from dashboard.bookings.models.morning import AskedMorning, MorningMark
from dashboard.bookings.models.notable_nights import NotableNight
from dashboard.bookings.models.summary import FoundSummary
from dashboard.bookings.queries.feed_progress import select_feed_states, select_reading_progress
from dashboard.bookings.queries.morning import select_last_correction, select_morning_mark
from dashboard.bookings.queries.notable_nights import select_notable_nights
from dashboard.bookings.summary import compute_summary
from dashboard.catalog.models import PriceMove
from dashboard.catalog.page_views.words import price_text
from dashboard.resources import resources
from dashboard.uptime.models.fleet import Spread

blueprint = Blueprint("board_morning", __name__)

HOTELS_SHOWN = 25
LIVE_SECONDS = 10
READING_SECONDS = 2
"""How often the page asks for news until the past is read, which is visible within the first minute."""


@blueprint.get("/board")
@html_page
@hide
async def redirect_to_morning() -> ResponseReturnValue:
    """The addresses of pages begin with `/board`; the first page is at `/`."""
    return redirect("/", 308)


@blueprint.get("/")
@html_page
@hide
@validate_querystring(MorningQuery)
@reads_replica
async def get_morning(query_args: MorningQuery) -> Response:
    """Show what changed since yesterday, and the nights that need a look first."""
    now = datetime.now(UTC)
    morning = await read_morning(query_args, now)
    tag = await page_tag(morning, morning.current_hour(now))
    if (answer := unchanged(tag)) is not None:
        return answer
    figures = await read_figures(morning, query_args, now)
    if figures.has_failed_part:
        tag = tag.uncached()
    question, sorts = morning.question, sort_links("/", morning.question, query_args.sort)
    summary = value_or_none(figures.hotels)
    if summary is not None and morning.is_reading:
        summary = without_last_year(summary)
    lines = lines_of(morning, figures, now)
    if (
        morning.state is not None
        and tag.state.through is not None
        and tag.state.is_late(now)
        and not morning.is_reading
    ):
        lines.append(look_here.late_feed_line(tag.state.through, tag.state.behind(now), now))
    feeds = resources().config.feeds
    return framed_page(
        templates,
        "morning.html",
        tag,
        alternates=alternates_of(question, query_args),
        live_seconds=morning.live_seconds,
        question=question,
        sort=query_args.sort,
        mark=morning.mark,
        cut_offs=morning.cut_offs,
        feeds=[] if morning.mark.hotels else [shown_url(source.url) for source in feeds],
        reading=morning.reading if morning.is_reading else None,
        found=figures.hotels,
        nights=figures.nights,
        fleet=figures.fleet,
        moves=figures.moves,
        operations=morning.state,
        headline=headline_of(morning, summary),
        table=None if summary is None else hotels_table(summary, question, sorts),
        lines=look_here.ranked(lines),
        checked=checked(morning),
        largest=largest_moves(value_or_none(figures.moves) or []),
        all_hotels=question.address("/board/hotels", sort=None if query_args.sort == "name" else query_args.sort),
        last_event=None if morning.state is None else event_words(morning.state),
        price_text=price_text,
        share_text=share_text,
    )


@dataclass(frozen=True)
class Morning:
    """What is cheap to read, and different when anything on the page is.

    corrected_at: when the ledger was last corrected. cut_offs: instants of which a feed may have cut off events. state:
    None for a past date.
    """

    question: Question
    mark: MorningMark
    corrected_at: datetime | None
    reading: ReadingProgress
    cut_offs: int
    state: OperationsState | None

    @property
    def is_reading(self) -> bool:
        """Whether the past of the feed is still being read, so that nothing can be compared."""
        return self.reading.is_reading_the_past

    def current_hour(self, now: datetime) -> datetime | None:
        """The hour, with which what is said of the last 24 hours and 30 days grows old; None for a past date."""
        return None if self.question.is_past else now.replace(minute=0, second=0, microsecond=0)

    @property
    def live_seconds(self) -> int | None:
        """How often the page asks for news; None for a past date."""
        if self.question.is_past:
            return None
        return READING_SECONDS if self.is_reading else LIVE_SECONDS


@dataclass(frozen=True)
class Figures:
    """What the page shows, each part or why it could not be read; None for a part that is not on this page."""

    hotels: FoundSummary | FailedPart | None
    nights: list[NotableNight] | FailedPart | None
    fleet: Spread | FailedPart | None
    moves: list[PriceMove] | FailedPart | None

    @property
    def has_failed_part(self) -> bool:
        """Whether a part is missing on the page that will be there when it is asked for again."""
        return any(isinstance(each, FailedPart) for each in (self.hotels, self.nights, self.fleet, self.moves))


async def read_morning(query: MorningQuery, now: datetime) -> Morning:
    """What the page's tag is made of. Raises Invalid for a date that is in the future at every hotel."""
    config = resources().config
    mark, corrected_at, reading, feeds = await asyncio.gather(
        select_morning_mark(pool(), now),
        select_last_correction(pool()),
        select_reading_progress(pool(), config.feed_names),
        select_feed_states(pool(), config.feed_names),
    )
    question = question_of(query, mark, now)
    state = None
    if not question.is_past:
        state = await read_state(
            pool(), resources().jobs, resources().fleet, now, shows_prices=config.api_token is None
        )
    return Morning(question, mark, corrected_at, reading, sum(feed.cut_off for feed in feeds), state)


async def read_figures(morning: Morning, query: MorningQuery, now: datetime) -> Figures:
    """The figures, each part on a connection of its own."""
    question, state = morning.question, morning.state
    has_hotels = morning.mark.hotels > 0
    shows_prices = state is not None and state.catalog is not None
    asked = AskedMorning(question.asked_date, question.match, now)
    summary = SummaryQuery(as_of=question.asked_date, match=question.match, sort=query.sort, limit=HOTELS_SHOWN)
    hotels, nights, fleet, moves = await asyncio.gather(
        read_part("hotels", compute_summary(pool(), summary, None, now)) if has_hotels else _nothing(),
        read_part("nights", select_notable_nights(pool(), asked))
        if has_hotels and not morning.is_reading
        else _nothing(),
        read_part("stores", read_spread(resources().report_runner, resources().fleet, now))
        if state is not None
        else _nothing(),
        read_part("prices", read_moves(pool(), now)) if shows_prices else _nothing(),
    )
    return Figures(hotels, nights, fleet, moves)


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


def headline_of(morning: Morning, summary: FoundSummary | None) -> str | None:
    """The first sentences of the page; None without hotels, and where their figures could not be read."""
    first_event_date = morning.mark.first_event_date
    if summary is None or first_event_date is None:
        return None
    return headline(summary.total, morning.question, first_event_date)


def lines_of(morning: Morning, figures: Figures, now: datetime) -> list[Line]:
    """The lines about nights and, unless the date is past, about everything else but the feed."""
    nights = value_or_none(figures.nights) or []
    lines = look_here.lines_of_nights(nights, morning.question)
    if morning.state is not None:
        lines += state_lines(morning.state, value_or_none(figures.fleet), value_or_none(figures.moves) or [], now)
    return lines


def state_lines(state: OperationsState, fleet: Spread | None, moves: Sequence[PriceMove], now: datetime) -> list[Line]:
    """The lines about orders, jobs, stores, the quarantine and prices."""
    lines = []
    desk, jobs, quarantined = value_or_none(state.desk), value_or_none(state.jobs), value_or_none(state.quarantined)
    if desk is not None and desk.oldest is not None and desk.late:
        lines.append(look_here.late_orders_line(desk.late, desk.oldest, now))
    if jobs is not None and jobs.failing:
        lines.append(look_here.failing_jobs_line(jobs.failing))
    if fleet is not None and fleet.down_now:
        lines.append(look_here.stores_down_line(fleet.down_now))
    if quarantined:
        lines.append(look_here.quarantine_line(quarantined))
    if lowest := [each for each in moves if each.is_lowest]:
        address = f"/board/prices/{lowest[0].product_id}" if len(lowest) == 1 else "/board/prices"
        lines.append(look_here.low_prices_line([each.name for each in lowest], address))
    return lines


def checked(morning: Morning) -> str:
    """What was looked at, for a morning on which nothing is unusual."""
    fleet = None if morning.state is None else value_or_none(morning.state.fleet)
    catalog = None if morning.state is None else value_or_none(morning.state.catalog)
    return checked_words(
        morning.mark.hotels,
        None if fleet is None else fleet.mark.stores,
        None if catalog is None else catalog.products,
    )


def event_words(state: OperationsState) -> tuple[datetime, str] | None:
    """When the last event was, and what; None without one, and where that could not be read."""
    news = value_or_none(state.news)
    return None if news is None or news.last is None else (news.last.at, last_event_words(news.last))
