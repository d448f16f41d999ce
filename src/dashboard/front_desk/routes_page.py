"""The front desk's page for staff: who waits for an answer, and the day by table. Its forms work without scripts."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast
from urllib.parse import urlencode

from quart import Blueprint, Response, request
from quart_schema import hide

from common.db.pool import transaction
from common.time_zones import end_of_day, start_of_day
from common.web.errors import Conflict, Invalid, NotFound
from common.web.html import Templates, html_page
from common.web.input_types import CALENDAR_ENDS, MAX_ID, parse_night, parse_notes
from common.web.page_frame import Alternate, framed_page, page_tag, unchanged
from common.web.page_session import current_session, read_form, redirect, redirect_with_notice, session_required
from common.web.query_string import validate_querystring
from common.web.resources import pool
from common.web.words import counted, long_day
from dashboard.front_desk import service
from dashboard.front_desk.house import KNOWN_TABLES, House, house_at
from dashboard.front_desk.inputs import DeskPageQuery
from dashboard.front_desk.models import DayOrder, Decision, DeskTable, Order
from dashboard.front_desk.page_views import words
from dashboard.front_desk.page_views.cards import microseconds, state_of, waiting_cards
from dashboard.front_desk.page_views.timetable import day_sentence, listed_orders, timetable, unsettled
from dashboard.front_desk.queries import desk, lists
from dashboard.front_desk.search import search_terms
from dashboard.front_desk.staff import REALM

blueprint = Blueprint("front_desk_page", __name__, url_prefix=REALM.path)

LIVE_SECONDS = 2.8
"""A browser looks every second whether so much time has passed, so it asks every three seconds."""
RENEWED_SECONDS = 20
"""A page without a changed order is renewed so often, since its minutes and the present in its timetable move on."""
RECENT = timedelta(minutes=5)
"""Longer than any transaction lasts."""
# Filled to each of these limits, the page is not larger than every page may be.
MAX_WAITING_SHOWN = 20
MAX_SETTLED_SHOWN = 30
MAX_FREED_SHOWN = 10
MAX_FOUND_SHOWN = 10
MAX_DAY_SHOWN = 100

NOTICES = {
    "confirmed": ("good", "Sent to the restaurant: your confirmation. The order shows whether it was accepted."),
    "declined": ("good", "Sent to the restaurant: your refusal. The order shows whether it was accepted."),
    "already_settled": ("bad", "This order is no longer waiting."),
    "too_late": ("bad", "The time of this order has passed. It cannot be confirmed any more."),
}

templates = Templates(
    "dashboard.front_desk",
    state_of=state_of,
    counted=counted,
    kind_of_table=words.kind_of_table,
    long_day=long_day,
    day_name=words.day_name,
    clock=words.clock,
    span=words.span,
    unsettled=unsettled,
)


@blueprint.get("", strict_slashes=False)
@html_page
@hide
@session_required(REALM)
@validate_querystring(DeskPageQuery)
async def page(query_args: DeskPageQuery) -> Response:
    """The page with the waiting orders, a day by table, and the orders settled last."""
    now = datetime.now(UTC)
    renewed = datetime.fromtimestamp(now.timestamp() // RENEWED_SECONDS * RENEWED_SECONDS, UTC)
    tag = await page_tag(renewed, await desk.select_desk_mark(pool(), renewed - RECENT))
    if (answer := unchanged(tag)) is not None:
        return answer
    house = house_at(await desk.select_newest_zone(pool()), now)
    search, day = query_args.search.strip(), query_args.day or house.today
    tables = await desk.select_tables(pool(), now - KNOWN_TABLES)
    of_orders, of_day = await asyncio.gather(order_content(search, tables, house), day_content(day, tables, house))
    day_query = {"day": day.isoformat()} if query_args.day else {}
    return framed_page(
        templates,
        "front_desk.html",
        tag,
        alternates=alternates(day, search),
        live_seconds=LIVE_SECONDS,
        address=address_with(day_query),
        refreshed=address_with(day_query | ({"search": search} if search else {})),
        notice=NOTICES.get(request.args.get("notice", "")),
        csrf=current_session().csrf,
        house=house,
        asked_day=query_args.day,
        search=search,
        **of_orders,
        **of_day,
    )


def address_with(query: dict[str, str]) -> str:
    """The address of the page with a query."""
    return f"{REALM.path}?{urlencode(query)}" if query else REALM.path


async def find_orders(search: str) -> list[Order]:
    """The orders that a search finds, newest first, one more than are shown; none without a search.

    The order whose number was typed comes first: newer orders may have the same digits in an email address.
    """
    if not search:
        return []
    terms = search_terms(search)
    found = await lists.select_orders(pool(), None, None, None, MAX_FOUND_SHOWN + 1, terms)
    numbered = await lists.select_order(pool(), terms.number) if terms.number is not None else None
    return found if numbered is None else [numbered, *(order for order in found if order.id != numbered.id)]


async def order_content(search: str, tables: list[DeskTable], house: House) -> dict[str, Any]:
    """What the template shows of the orders that wait, that are settled, and that a search finds."""
    now = house.now
    waiting, totals, freed, settled, found = await asyncio.gather(
        lists.select_waiting(pool(), now, MAX_WAITING_SHOWN),
        desk.select_desk_totals(pool(), now),
        lists.select_freed(pool(), now, MAX_FREED_SHOWN + 1),
        lists.select_settled(pool(), MAX_SETTLED_SHOWN),
        find_orders(search),
    )
    found_waiting = [order for order in found if order.status == "waiting" and not order.has_ended(now)]
    asked = list({order.id for order in (*waiting, *found_waiting)})
    taken, rivals = await asyncio.gather(
        desk.select_taken_tables(pool(), asked), desk.select_rivals(pool(), asked, now)
    )
    # The two statements may see different orders: only a full list can have more than it shows.
    is_cut_off = len(waiting) == MAX_WAITING_SHOWN and totals.waiting > len(waiting)
    freed_ids = {order.id for order in freed[:MAX_FREED_SHOWN]}
    return {
        "cards": waiting_cards(waiting, taken, rivals, tables, house),
        "waiting_count": totals.waiting if is_cut_off else len(waiting),
        "newest": microseconds(totals.newest) if is_cut_off and totals.newest is not None else "",
        "freed": freed[:MAX_FREED_SHOWN],
        "more_freed": len(freed) > MAX_FREED_SHOWN,
        "settled": [order for order in settled if order.id not in freed_ids],
        "undelivered": totals.undelivered,
        "found": found[:MAX_FOUND_SHOWN],
        "found_more": len(found) > MAX_FOUND_SHOWN,
        "found_cards": {card.order.id: card for card in waiting_cards(found_waiting, taken, rivals, tables, house)},
    }


async def day_content(day: date, tables: list[DeskTable], house: House) -> dict[str, Any]:
    """What the template shows of a day. Of more orders than it shows, those of today that are over are left out."""
    orders = await select_day(day, house)
    are_over_left_out = len(orders) > MAX_DAY_SHOWN and day == house.today
    if are_over_left_out:
        orders = await select_day(day, house, lasts_beyond=house.now)
    shown = orders[:MAX_DAY_SHOWN]
    near = [day + timedelta(days=step) if date(1, 1, 3) < day < date(9999, 12, 29) else day for step in (-1, 1)]
    return {
        "day": day,
        "day_before": near[0],
        "day_after": near[1],
        "sentence": day_sentence(shown, day, house),
        "timetable": timetable(day, shown, tables, house),
        "orders": listed_orders(shown, day, house),
        "more_orders": len(orders) > MAX_DAY_SHOWN,
        "are_over_left_out": are_over_left_out,
        "day_limit": MAX_DAY_SHOWN,
    }


async def select_day(day: date, house: House, lasts_beyond: datetime | None = None) -> list[DayOrder]:
    """The orders of a day, one more than are shown. lasts_beyond: without those whose time has passed then."""
    ends = start_of_day(day, house.zone), end_of_day(day, house.zone)
    return await desk.select_day(pool(), day, *ends, None, MAX_DAY_SHOWN + 1, lasts_beyond)


def alternates(day: date, search: str) -> list[Alternate]:
    """The same figures for programs: of the search if there is one, else of the day."""
    address, query = f"{REALM.path}/day", {"day": day.isoformat()}
    if search:
        address, query = f"{REALM.path}/orders", {"search": search}
    return [
        Alternate("JSON", "application/json", f"{address}?{urlencode(query)}"),
        Alternate("CSV", "text/csv", f"{address}?{urlencode({**query, 'format': 'csv'})}"),
        Alternate(
            "XLSX",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            f"{address}?{urlencode({**query, 'format': 'xlsx'})}",
        ),
    ]


@blueprint.get("/decline")
@html_page
@hide
@session_required(REALM)
async def decline_page() -> Response:
    """The page to decline an order with a reason."""
    number = request.args.get("order", "")
    order = await lists.select_order(pool(), int(number)) if is_order_id(number) else None
    if order is None or order.status != "waiting":
        return redirect_with_notice(REALM, "already_settled")
    return await decline_form(order)


async def decline_form(order: Order, reason: str = "", fault: str | None = None) -> Response:
    """The page with the form. reason: what was typed; fault: why it is refused."""
    house = house_at(order.timezone, datetime.now(UTC))
    tag = (await page_tag()).uncached()
    response = framed_page(
        templates,
        "decline.html",
        tag,
        order=order,
        when=words.when(order, house),
        csrf=current_session().csrf,
        reason=reason,
        fault=fault,
    )
    if fault is not None:
        response.status_code = 400
    return response


def is_order_id(number: str) -> bool:
    digits = number.isascii() and number.isdigit() and len(number) <= len(str(MAX_ID))
    return digits and 1 <= int(number) <= MAX_ID


@blueprint.post("/decide")
@html_page
@hide
@session_required(REALM)
async def decide() -> Response:
    """Confirm or decline an order, as its button says."""
    fields = await read_form(current_session())
    number, decision = fields.get("order", ""), fields.get("decision", "")
    if not is_order_id(number) or decision not in ("confirm", "decline"):
        raise Invalid("The form is not valid.")
    day = fields.get("day", "")
    decline_reason = None
    if decision == "decline":
        try:
            decline_reason = parse_notes(fields.get("reason", ""))
        except ValueError as error:
            order = await lists.select_order(pool(), int(number))
            if order is None or order.status != "waiting":
                return redirect_to_day(day, "already_settled")
            return await decline_form(order, fields["reason"], str(error))
    try:
        async with transaction(pool()) as connection:
            order = await service.decide(
                connection, int(number), cast("Decision", decision), "front desk", datetime.now(UTC), decline_reason
            )
    except Conflict as conflict:
        too_late = conflict.problem_code in ("time_passed", "order_expired")
        return redirect_to_day(day, "too_late" if too_late else "already_settled")
    except NotFound:
        return redirect_to_day(day, "already_settled")
    return redirect_to_day(day, "confirmed" if order.decision == "confirm" else "declined")


def redirect_to_day(day: str, notice: str) -> Response:
    """Redirect to the page of the day that the form was on."""
    try:
        shown = parse_night(day)
    except ValueError:
        return redirect_with_notice(REALM, notice)
    query = {"notice": notice} if shown in CALENDAR_ENDS else {"day": shown.isoformat(), "notice": notice}
    return redirect(address_with(query))
