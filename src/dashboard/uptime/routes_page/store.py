"""The page of a store, and its badge."""

import asyncio
import hashlib
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlencode

import asyncpg
from quart import Blueprint, Response
from quart_schema import hide

from common.instants import format_instant
from common.web.errors import Invalid, NotFound
from common.web.html import Templates, html_page
from common.web.page_frame import Alternate, framed_page, page_tag, unchanged
from common.web.query_string import validate_querystring
from common.web.replica import reads_replica
from common.web.resources import pool
from common.web.spooled import is_current, not_modified
from dashboard.uptime import service
from dashboard.uptime.inputs import StorePageQuery
from dashboard.uptime.models.stores import Window
from dashboard.uptime.page_views.badge import badge
from dashboard.uptime.page_views.store import (
    MOST_INCIDENTS,
    ChosenDay,
    StorePast,
    StorePresent,
    StoreRows,
    store_path,
    store_view,
)
from dashboard.uptime.page_views.store_hours import WEEK, ObservedHours, week_of
from dashboard.uptime.page_views.store_state import AHEAD
from dashboard.uptime.queries import imports, states, stores
from dashboard.uptime.queries.corrections import select_closures
from dashboard.uptime.queries.periods import select_kept_polls, select_open_spans
from dashboard.uptime.routes.stores import require_known_store
from dashboard.uptime.store_periods import STRIP_DAYS, StoreClock, read_clock, read_figures, read_month

blueprint = Blueprint("uptime_page_store", __name__)
templates = Templates("dashboard.uptime")

LIVE_SECONDS = 60
SILENCE = timedelta(minutes=90)
"""No poll of any store for so long: the collector is silent, as `/stores/gaps` has it by default."""
SVG = "image/svg+xml; charset=utf-8"
BADGE_POLICY = "default-src 'none'"
"""A picture needs nothing else, neither where it is embedded nor opened by itself."""
GAPS_OF_A_WEEK = 200
"""Seven days have no more gaps of that length."""
DELETED = "Polls of this time were deleted by their age: only the figures of its days are left."
TOO_MANY = "This time has more than {number:,} polls, which are too many to draw."


@blueprint.get("/board/stores/<path:store_id>")
@html_page
@hide
@validate_querystring(StorePageQuery)
async def get_store_page(store_id: str, query_args: StorePageQuery) -> Response:
    """Show whether a store is up now, how its last 90 days were, and what happened in a week, or on a day."""
    try:
        return await _known_store_page(store_id, query_args)
    except NotFound:
        page = framed_page(templates, "unknown_store.html", (await page_tag()).uncached(), store_id=store_id)
        page.status_code = 404
        return page


@reads_replica
async def _known_store_page(store_id: str, query: StorePageQuery) -> Response:
    """The page of a store. Raises NotFound for an unknown one, and Invalid for days to come."""
    now = datetime.now(UTC)
    timezone = await require_known_store(store_id)
    clock = await read_clock(pool(), timezone, now)
    _require_past(query, clock)
    tag = await page_tag(await imports.select_data_version(pool()), f"{now:%Y-%m-%dT%H:%M}")
    if (response := unchanged(tag)) is not None:
        return response
    rows = await _read(store_id, clock, query)
    incidents = _incidents_address(store_id, clock, rows.kept.since)
    return framed_page(
        templates,
        "store.html",
        tag,
        alternates=_alternates(store_id, clock, rows, incidents),
        live_seconds=LIVE_SECONDS,
        store_id=store_id,
        api=_api(store_id),
        incidents=incidents,
        badge_address=f"{store_path(store_id)}/badge.svg",
        view=store_view(rows, clock, query.week),
    )


def _require_past(query: StorePageQuery, clock: StoreClock) -> None:
    """Raises Invalid for a day that is still to come by the store's clock."""
    today = clock.local_day(clock.now)
    for name, day in (("day", query.day), ("week", query.week)):
        if day is not None and day > today:
            raise Invalid.field(name, f"must not be after {today}, the current day of the store")


async def _read(store_id: str, clock: StoreClock, query: StorePageQuery) -> StoreRows:
    """What the page shows, read on three connections at once."""
    db = pool()
    week = week_of(query.week, query.day, clock.today)
    kept = await select_kept_polls(db, store_id)
    now, past, hours = await asyncio.gather(
        _read_now(db, store_id, clock),
        _read_past(db, store_id, clock),
        _read_week_and_day(db, store_id, clock, (week, query.day), kept.since),
    )
    return StoreRows(kept, now, past, week, *hours)


async def _read_now(db: asyncpg.Pool, store_id: str, clock: StoreClock) -> StorePresent:
    """The state of a store, and what is planned for it."""
    now = clock.now
    store = await states.select_store_now(db, store_id, now, None)
    if store is None:
        raise NotFound("Unknown store.")
    last_moment = Window(now - timedelta(microseconds=1), now, now, now)
    gaps = await stores.select_gaps(db, last_moment, SILENCE, None, 1)
    return StorePresent(
        store,
        await select_open_spans(db, store_id, now, now + AHEAD),
        gaps[0] if gaps else None,
        await select_closures(db, store_id),
    )


async def _read_past(db: asyncpg.Pool, store_id: str, clock: StoreClock) -> StorePast:
    """The figures of 90 days, and the incidents in them."""
    whole = clock.window(clock.first_day, clock.today)
    return StorePast(
        await read_figures(db, store_id, clock),
        await stores.select_incidents(db, store_id, whole, None, MOST_INCIDENTS + 1, newest_first=True),
    )


async def _read_week_and_day(
    db: asyncpg.Pool, store_id: str, clock: StoreClock, chosen: tuple[date, date | None], kept_since: datetime | None
) -> tuple[ObservedHours | str, ChosenDay | None]:
    """The week that ends on the first of two days, and the second one, if there is one."""
    last, day = chosen
    week = await _read_hours(db, store_id, clock, (last - timedelta(days=WEEK - 1), last), kept_since)
    if day is None:
        return week, None
    is_in_strip = clock.has_in_strip(day)
    figures = [] if is_in_strip else await stores.select_days(db, store_id, 1, day, clock.now)
    return week, ChosenDay(
        day,
        figures[0] if figures else None,
        await _read_hours(db, store_id, clock, (day, day), kept_since),
        await stores.select_incidents(
            db, store_id, clock.window(day, day), None, MOST_INCIDENTS + 1, newest_first=True
        ),
    )


async def _read_hours(
    db: asyncpg.Pool, store_id: str, clock: StoreClock, days: tuple[date, date], kept_since: datetime | None
) -> ObservedHours | str:
    """The hours from one local day to another, or why they cannot be shown."""
    window = clock.window(*days)
    if kept_since is not None and window.start < kept_since:
        return DELETED
    if await stores.select_has_more_polls(db, store_id, window, service.MAX_TIMELINE_POLLS):
        return TOO_MANY.format(number=service.MAX_TIMELINE_POLLS)
    timeline = await stores.select_timeline(db, store_id, window)
    if timeline is None:
        raise NotFound("Unknown store.")
    coverage = await stores.select_coverage(db, store_id, window)
    is_open = await select_open_spans(db, store_id, window.start, clock.start_of(days[1] + timedelta(days=1)))
    return ObservedHours(
        timeline, coverage.no_data, is_open, await stores.select_gaps(db, window, SILENCE, None, GAPS_OF_A_WEEK)
    )


def _api(store_id: str) -> str:
    """The address of the figures of a store."""
    return store_path(store_id).removeprefix("/board")


def _incidents_address(store_id: str, clock: StoreClock, kept_since: datetime | None) -> str:
    """The address of the incidents of the strip, as far as the polls are kept."""
    window = clock.window(clock.first_day, clock.today)
    return _windowed(f"{_api(store_id)}/incidents", max(window.start, kept_since or window.start), window.end, clock)


def _windowed(path: str, start: datetime, end: datetime, clock: StoreClock) -> str:
    """The address of what is in a window. Without its end where that is now."""
    window = {"from": format_instant(start), **({} if end == clock.now else {"to": format_instant(end)})}
    return f"{path}?{urlencode(window, safe=':')}"


def _alternates(store_id: str, clock: StoreClock, rows: StoreRows, incidents: str) -> tuple[Alternate, ...]:
    """The strip's days in each format, the periods, the week of hours, and the incidents at an address."""
    path = _api(store_id)
    days = f"{path}/days?days={STRIP_DAYS}&to={clock.today}"
    return (
        Alternate("JSON", "application/json", days),
        Alternate("CSV", "text/csv", f"{days}&format=csv"),
        Alternate("XLSX", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", f"{days}&format=xlsx"),
        Alternate("The four figures", "application/json", f"{path}/uptime"),
        Alternate("Incidents", "application/json", incidents),
        *_hours_alternate(f"{path}/timeline", clock, rows),
        Alternate("Now", "application/json", path),
    )


def _hours_alternate(path: str, clock: StoreClock, rows: StoreRows) -> list[Alternate]:
    """The week of hours, if it is shown."""
    if isinstance(rows.hours, str):
        return []
    window = clock.window(rows.week - timedelta(days=WEEK - 1), rows.week)
    return [Alternate("Hours", "application/json", _windowed(path, window.start, window.end, clock))]


@blueprint.get("/board/stores/<path:store_id>/badge.svg")
@html_page
@hide
@reads_replica
async def get_badge(store_id: str) -> Response:
    """Show the state of a store and its share of 30 days as a small picture, for other pages too."""
    now = datetime.now(UTC)
    clock = await read_clock(pool(), await require_known_store(store_id), now)
    store = await states.select_store_now(pool(), store_id, now, None)
    if store is None:
        raise NotFound("Unknown store.")
    month = await read_month(pool(), store_id, clock)
    text = templates.render("badge.xml", badge=badge(store.state, month, clock.last_day_of_old_figures))
    tag = hashlib.sha256(text.encode()).hexdigest()[:20]
    headers = {
        "ETag": f'"{tag}"',
        "Cache-Control": f"public, max-age={LIVE_SECONDS}",
        "Content-Security-Policy": BADGE_POLICY,
        "Cross-Origin-Resource-Policy": "cross-origin",
    }
    return not_modified(headers) if is_current(tag) else Response(text, content_type=SVG, headers=headers)
