"""The page of all hotels."""

import asyncio
from datetime import UTC, datetime

from quart import Blueprint, Response
from quart_schema import hide

from common.web.html import html_page
from common.web.page_frame import Alternate, framed_page, page_tag, unchanged
from common.web.query_string import validate_querystring
from common.web.replica import reads_replica
from common.web.resources import pool
from dashboard.board.board_templates import templates
from dashboard.board.inputs import HotelsPageQuery
from dashboard.board.page_views.hotels_table import hotels_headline, hotels_table, sort_links, without_last_year
from dashboard.board.page_views.question import Question
from dashboard.bookings import service
from dashboard.bookings.inputs import SummaryQuery
from dashboard.bookings.models.morning import AskedMorning
from dashboard.bookings.queries.feed_progress import select_reading_progress
from dashboard.bookings.queries.months_ahead import select_months_ahead
from dashboard.bookings.queries.morning import select_last_correction, select_morning_mark
from dashboard.bookings.summary import compute_summary
from dashboard.bookings.summary_cursor import decode_position, encode_position
from dashboard.resources import resources

blueprint = Blueprint("board_hotels", __name__)

PATH = "/board/hotels"
SUMMARY = "/summary"
"""Where the figures of the page are."""
HOTELS_SHOWN = 50
MONTHS = 12
LIVE_SECONDS = 10


@blueprint.get(PATH)
@html_page
@hide
@validate_querystring(HotelsPageQuery)
@reads_replica
async def get_hotels(query_args: HotelsPageQuery) -> Response:
    """Show the hotels found, each with the nights and the months ahead beside the same time last year."""
    now = datetime.now(UTC)
    mark, corrected_at, reading = await asyncio.gather(
        select_morning_mark(pool(), now),
        select_last_correction(pool()),
        select_reading_progress(pool(), resources().config.feed_names),
    )
    today = max(mark.dates, default=now.date())
    service.require_not_future(query_args.as_of, today)
    question = Question(query_args.as_of or today, today, query_args.match)
    summary_query = SummaryQuery(
        as_of=question.asked_date,
        match=question.match,
        sort=query_args.sort,
        search=query_args.search,
        limit=HOTELS_SHOWN,
        cursor=query_args.cursor,
    )
    after = decode_position(summary_query)
    tag = await page_tag(mark, corrected_at, reading)
    if (answer := unchanged(tag)) is not None:
        return answer
    found = await compute_summary(pool(), summary_query, after, now)
    asked = AskedMorning(question.asked_date, question.match, now)
    months = await select_months_ahead(pool(), asked, [hotel.hotel_id for hotel in found.items], MONTHS)
    if reading.is_reading_the_past:
        found, months = without_last_year(found), [month._replace(same_time_last_year=None) for month in months]
    shown = {"search": query_args.search, "sort": None if query_args.sort == "name" else query_args.sort}
    page = {**shown, "cursor": encode_position(summary_query, after, SUMMARY) if after is not None else None}
    next_page = None
    if found.next_after is not None:
        cursor = encode_position(summary_query, found.next_after)
        next_page = question.address(PATH, **shown, cursor=cursor)
    return framed_page(
        templates,
        "hotels.html",
        tag,
        alternates=[
            Alternate("JSON", "application/json", question.address(SUMMARY, **page)),
            Alternate("CSV", "text/csv", question.address(SUMMARY, **page, format="csv")),
        ],
        live_seconds=None if question.is_past else LIVE_SECONDS,
        reading=reading if reading.is_reading_the_past else None,
        question=question,
        headline=None if reading.is_reading_the_past or not found.items else hotels_headline(found.total, question),
        search=query_args.search,
        sort=query_args.sort,
        table=hotels_table(
            found, question, sort_links(PATH, question, query_args.sort, search=query_args.search), months
        ),
        first_page=question.address(PATH, **shown) if after is not None else None,
        next_page=next_page,
        back_to_today=Question(today, today, question.match).address(PATH, **shown),
    )
