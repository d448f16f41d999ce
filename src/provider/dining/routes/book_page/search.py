"""The page on which guests find a table: a form that works without scripts, and the search of the API."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from quart import Blueprint, Response, request
from quart_schema import hide

from common.web.errors import FieldError, Invalid
from common.web.html import html_page
from common.web.resources import pool
from provider.dining.inputs import DEFAULT_MINUTES, TableFilter
from provider.dining.models import OpeningHours
from provider.dining.order_rules import time_faults
from provider.dining.page_views.forms import Wish, parse_criteria, sentences_of
from provider.dining.page_views.times import other_starts, suggested_start
from provider.dining.page_views.words import Choice, advice, choice_of, found_words, hours_lines, other_words
from provider.dining.queries import opening_hours, tables
from provider.dining.routes.book_page.frame import ORDER_PATH, PATH, book_page, context_at, wish_of
from provider.dining.wording import TABLE_TYPE_NAMES
from provider.resources import resources

blueprint = Blueprint("dining_book_search", __name__)

CHOICES_SHOWN = 50
"""Tables shown for one time."""
OTHER_TIMES_SHOWN = 3


@dataclass(frozen=True)
class Found:
    """What a search found.

    words: the answer; empty if nobody can come at that time, as `faults` say. choices: the tables that fit best, of
    `number`. other_times: addresses and times nearby with a free table, where there is no choice. advice: what to try
    where there is none nearby either. any_table: the address of the same search for tables of any kind and price, if it
    may find what this one does not.
    """

    words: str = ""
    choices: Sequence[Choice] = ()
    number: int = 0
    other_times: Sequence[tuple[str, str]] = ()
    advice: str = ""
    any_table: str = ""
    faults: Sequence[FieldError] = ()


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
        is_asked = any(name in request.args for name in wish.__dict__)
        return search_page(wish, hours, faults=error.errors) if is_asked else search_page(wish, hours)
    return search_page(wish, hours, found, faults=found.faults)


def suggestion(hours: Sequence[OpeningHours]) -> Wish:
    """What the form says before a guest types: two guests at the next usual time."""
    start = suggested_start(resources().dining, hours, datetime.now(UTC))
    return Wish("2", "", "") if start is None else Wish("2", f"{start:%Y-%m-%d}", f"{start:%H:%M}")


async def find_tables(wish: Wish, hours: Sequence[OpeningHours]) -> Found:
    """The tables that fit and are free. Raises Invalid for a wish that is not valid."""
    now, settings = datetime.now(UTC), resources().dining
    criteria = parse_criteria(wish, context_at(now))
    assert criteria.starts_at is not None  # a wish without a time has a fault
    assert criteria.guests is not None
    if faults := time_faults(settings, hours, criteria.starts_at, criteria.minutes, now):
        return Found(faults=faults, other_times=await find_other_times(wish, criteria, criteria.starts_at, hours, now))
    found, number = await tables.select_best_tables(pool(), criteria, CHOICES_SHOWN)
    start, local_now = (instant.astimezone(settings.zone) for instant in (criteria.starts_at, now))
    words = found_words(number, criteria.guests, start, local_now)
    if found:
        return Found(words, [choice_of(each, settings) for each in found], number)
    others = await find_other_times(wish, criteria, criteria.starts_at, hours, now)
    largest, largest_wanted = await tables.select_largest_seats(pool(), criteria)
    any_wish = wish.of_any_table()
    any_table = any_wish.address(PATH) if any_wish != wish and criteria.guests <= (largest or 0) else ""
    return Found(
        words,
        other_times=others,
        advice="" if others else advice(wish, criteria.guests, largest, largest_wanted),
        any_table=any_table,
    )


async def find_other_times(
    wish: Wish, criteria: TableFilter, start: datetime, hours: Sequence[OpeningHours], now: datetime
) -> list[tuple[str, str]]:
    """The addresses of searches for times nearby for which a table is free, and these times, in their order.

    start: the wished time, in UTC.
    """
    settings = resources().dining
    near = other_starts(settings, hours, start, now)
    free = await tables.select_free_starts(pool(), criteria, near)
    shown = sorted([each for each in near if each in free][:OTHER_TIMES_SHOWN])  # by instant: in UTC
    wished, *others = (each.astimezone(settings.zone) for each in (start, *shown))
    return [(wish.at(each).address(PATH), other_words(each, wished)) for each in others]


def search_page(
    wish: Wish, hours: Sequence[OpeningHours], found: Found | None = None, *, faults: Sequence[FieldError] = ()
) -> Response:
    """The form with what was typed, and what was found; with faults it is an error of the request."""
    return book_page(
        "book.html",
        wish=wish,
        status=400 if faults else 200,
        found=found,
        faults=sentences_of(faults),
        hours=hours_lines(hours),
        kinds=TABLE_TYPE_NAMES,
        order_path=ORDER_PATH,
        hours_kept=DEFAULT_MINUTES // 60,
    )
