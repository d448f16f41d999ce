"""The page on which guests find a table: a form that works without scripts, and the search of the API."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from quart import Blueprint, Response, request
from quart_schema import hide

from common.web.errors import FieldError, Invalid
from common.web.html import html_page
from common.web.resources import pool
from provider.dining import page_views
from provider.dining.inputs import DEFAULT_MINUTES, TableFilter
from provider.dining.models import OpeningHours
from provider.dining.order_rules import MAX_AHEAD
from provider.dining.page_views import CHOICES_SHOWN, TABLES_READ, Choice, Wish
from provider.dining.queries import opening_hours, tables
from provider.dining.routes.book_page.frame import ORDER_PATH, PATH, book_page, context_at, wish_of
from provider.dining.routes.customer import require_orderable_criteria
from provider.dining.wording import TABLE_TYPE_NAMES
from provider.resources import resources

blueprint = Blueprint("dining_book_search", __name__)

OTHER_TIMES_SHOWN = 3


@dataclass(frozen=True)
class Found:
    """What a search found.

    choices: those that fit best. is_more: whether there are more. other_times: addresses and times nearby with a free
    table, where there is none for the time asked for. is_too_large: whether no table that can be ordered is as wanted,
    whatever the time.
    """

    words: str
    choices: Sequence[Choice]
    is_more: bool
    other_times: Sequence[tuple[str, str]]
    is_too_large: bool


@blueprint.get(PATH)
@html_page
@hide
async def show_tables() -> Response:
    """The form of the search, and the tables that fit and are free; without a search, those for the next evening."""
    hours = await opening_hours.select_opening_hours(pool())
    wish = wish_of(request.args, suggestion(hours))
    try:
        found = await find_tables(wish, hours)
    except Invalid as error:
        page = search_page(wish, hours, None, error.errors)
        page.status_code = 400 if set(request.args) & set(wish.__dict__) else 200
        return page
    return search_page(wish, hours, found, ())


def suggestion(hours: Sequence[OpeningHours]) -> Wish:
    """What the form says before a guest types: two guests at the next usual time."""
    start = page_views.suggested_start(resources().dining, hours, datetime.now(UTC))
    return Wish("2", "", "") if start is None else Wish("2", f"{start:%Y-%m-%d}", f"{start:%H:%M}")


async def find_tables(wish: Wish, hours: Sequence[OpeningHours]) -> Found:
    """The tables that fit and are free. Raises Invalid for a wish with faults."""
    now, settings = datetime.now(UTC), resources().dining
    criteria = page_views.parse_criteria(wish, context_at(now))
    await require_orderable_criteria(criteria)
    found = await tables.select_bookable_tables(pool(), criteria, 0, TABLES_READ + 1)
    is_more = len(found) > TABLES_READ
    choices = page_views.choices_of(found[:TABLES_READ], settings)
    start, local_now = (instant.astimezone(settings.zone) for instant in (start_of(criteria), now))
    words = page_views.found_words(
        len(choices), is_more=is_more, guests=criteria.guests or 0, start=start, now=local_now
    )
    others = [] if found else await find_other_times(wish, criteria, hours, now)
    at_any_time = criteria.model_copy(update={"starts_at": None})
    is_too_large = not found and not others and not await tables.select_bookable_tables(pool(), at_any_time, 0, 1)
    return Found(words, choices[:CHOICES_SHOWN], is_more or len(choices) > CHOICES_SHOWN, others, is_too_large)


async def find_other_times(
    wish: Wish, criteria: TableFilter, hours: Sequence[OpeningHours], now: datetime
) -> list[tuple[str, str]]:
    """The addresses of searches for times nearby for which a table is free, and these times, in their order."""
    settings = resources().dining
    starts = page_views.other_starts(settings, hours, start_of(criteria), now)
    found = await asyncio.gather(
        *(
            tables.select_bookable_tables(pool(), criteria.model_copy(update={"starts_at": each}), 0, 1)
            for each in starts
        )
    )
    free = sorted([start for start, table in zip(starts, found, strict=True) if table][:OTHER_TIMES_SHOWN])
    local = [start.astimezone(settings.zone) for start in free]
    return [(wish.at(each).address(PATH), f"{each:%H:%M}") for each in local]


def start_of(criteria: TableFilter) -> datetime:
    assert criteria.starts_at is not None  # the page has no search without a time
    return criteria.starts_at


def search_page(
    wish: Wish, hours: Sequence[OpeningHours], found: Found | None, faults: Sequence[FieldError]
) -> Response:
    settings, now = resources().dining, datetime.now(UTC)
    return book_page(
        "book.html",
        wish=wish,
        found=found,
        faults=page_views.sentences_of(faults),
        hours=page_views.hours_lines(hours),
        kinds=TABLE_TYPE_NAMES,
        first_day=now.astimezone(settings.zone).date(),
        last_day=page_views.last_day(now, MAX_AHEAD, settings.zone),
        order_path=ORDER_PATH,
        hours_kept=DEFAULT_MINUTES // 60,
    )
