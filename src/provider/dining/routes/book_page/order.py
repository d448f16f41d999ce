"""The pages on which guests order a table: a form that is stored once, by the rules of the API, and what follows."""

import hashlib
import math
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import msgspec
from quart import Blueprint, Response, request
from quart_schema import hide
from werkzeug.datastructures import MultiDict

from common.db.errors import TRANSIENT_ERRORS, explain_unavailability
from common.db.pool import Connection
from common.instants import parse_local_instant
from common.web import responses
from common.web.errors import (
    Conflict,
    FieldError,
    HttpProblem,
    IdempotencyKeyReused,
    Invalid,
    NotFound,
    TooManyRequests,
    status_of,
)
from common.web.html import html_page
from common.web.idempotency import KEY_RETENTION, StoredResponse, decode_answer, run_once, scope_of, select_response
from common.web.page_session import read_form, redirect
from common.web.query_string import validate_querystring
from common.web.rate_limit import declare_rate_limit
from common.web.request_body import body_limit
from common.web.resources import pool
from provider.dining import service
from provider.dining.inputs import BookingInput, SentQuery, TableFilter
from provider.dining.local_times import format_start
from provider.dining.models import Table
from provider.dining.page_views.forms import Contact, Wish, parse_criteria, parse_order, sentences_of, start_text
from provider.dining.page_views.words import Choice, choice_of
from provider.dining.queries import bookings, opening_hours, tables
from provider.dining.routes import order_limits
from provider.dining.routes.book_page.frame import ORDER_PATH, PATH, book_page, context_at, wish_of
from provider.dining.routes.book_page.search import CHOICES_SHOWN, search_page
from provider.dining.routes.customer import require_orderable_criteria
from provider.dining.settings import ORDER_OPERATION
from provider.resources import resources

blueprint = Blueprint("dining_book_order", __name__)

MAX_FORM_BYTES = 16 * 1024
TOKEN_BYTES = 24
TOKEN = re.compile(r"[A-Za-z0-9_-]{32}")
"""What `secrets.token_urlsafe` makes of so many bytes."""

TAKEN = "This table is not free at that time any more."
LOST_TABLE = ("table_taken", "table_closed", "not_found")
"""What an order is refused with that another table may be chosen for."""


@dataclass(frozen=True)
class OrderForm:
    """The order that a guest is about to send.

    table, price: of the chosen table, as the guest was shown them; one field of the form. token: random; a form is
    stored once, however often it is sent.
    """

    table: str
    price: str
    token: str
    wish: Wish
    contact: Contact

    def fingerprint(self) -> bytes:
        """A hash of what is ordered."""
        return hashlib.sha256(repr((self.table, self.wish, self.contact)).encode("utf-8", "surrogatepass")).digest()


@blueprint.get(ORDER_PATH)
@html_page
@hide
async def show_order_form() -> Response:
    """The form that orders a table, if it is still free for the time; without a table it leads to the search."""
    wish, table = wish_of(request.args, Wish("", "", "")), request.args.get("table", "")
    if not is_table_id(table):
        return redirect(wish.address(PATH))
    form = OrderForm(table, "", secrets.token_urlsafe(TOKEN_BYTES), wish, Contact())
    try:
        criteria = await free_criteria(wish)
    except Invalid as error:
        return search_page(wish, await opening_hours.select_opening_hours(pool()), faults=error.errors)
    chosen = await find_choice(form, criteria)
    if chosen is None:
        others = await find_choices(criteria)
        known = await find_choice(form, TableFilter())
        return order_page(form, known, status=409, notices=[TAKEN], others=others, is_lost=True)
    return order_page(form, chosen)


async def free_criteria(wish: Wish) -> TableFilter:
    """The search for tables of any kind and price that are free. Raises Invalid for a wish with faults."""
    criteria = parse_criteria(wish.of_any_table(), context_at(datetime.now(UTC)))
    await require_orderable_criteria(criteria)
    return criteria


async def find_choices(criteria: TableFilter) -> list[Choice]:
    """Tables that match, the best first."""
    found, _ = await tables.select_best_tables(pool(), criteria, CHOICES_SHOWN)
    return [choice_of(each, resources().dining) for each in found]


async def find_choice(form: OrderForm, criteria: TableFilter) -> Choice | None:
    """The table of a form, if it matches."""
    found = await tables.select_bookable_tables(pool(), criteria, int(form.table) - 1, 1)
    return next((choice_of(each, resources().dining) for each in found if str(each.id) == form.table), None)


@blueprint.post(ORDER_PATH)
@html_page
@hide
@body_limit(MAX_FORM_BYTES)
@declare_rate_limit(order_limits.per_address, order_limits.per_recipient)
async def send_order() -> Response:
    """Order a table, once for each form, and lead to a page that a reload does not send again."""
    form = order_form(await read_form())
    try:
        return await answer_form(form)
    except TRANSIENT_ERRORS as error:
        again = "Send the form again: it is ordered once, however often you send it."
        page = order_page(form, None, status=503, notices=[explain_unavailability(error), again])
        page.headers["Retry-After"] = "2"
        return page


async def answer_form(form: OrderForm) -> Response:
    """Order the table of a form, or say why it is not ordered."""
    try:
        order = parse_order(form.wish, form.contact, context_at(datetime.now(UTC) - KEY_RETENTION))
        await store_once(form, order)
    except IdempotencyKeyReused:
        return redirect(f"{sent_address(form)}?changed=1")
    except (Invalid, NotFound, Conflict, TooManyRequests) as problem:
        return await refusal_page(form, problem)
    return redirect(sent_address(form))


def order_form(fields: MultiDict[str, str]) -> OrderForm:
    """The form that was sent. Raises Invalid if a field is missing, or not ours, that a guest does not type."""
    table, _, price = fields.get("table", "").partition("/")
    token = fields.get("token", "")
    if not TOKEN.fullmatch(token) or not is_table_id(table):
        raise Invalid("The form is not complete. Search for a table again; nothing was ordered.")
    contact = Contact(**{name: fields.get(name, "").strip() for name in Contact().__dict__})
    return OrderForm(table, price, token, wish_of(fields, Wish("", "", "")), contact)


def is_table_id(text: str) -> bool:
    """Whether a text can be the id of a table: digits, and a number that the database takes."""
    return text.isascii() and text.isdigit() and len(text) < 19


async def store_once(form: OrderForm, order: BookingInput) -> None:
    """Store an order, unless this form was stored before.

    Raises what the API raises, and Conflict when the table is not free any more, or has another price than was shown.
    """
    settings = resources().dining

    async def check_and_count(connection: Connection, table: Table) -> None:
        free = await tables.select_bookable_tables(connection, criteria_of(order), table.id - 1, 1)
        if [each.id for each in free] != [table.id]:
            raise Conflict(TAKEN, code="table_taken")
        if (price := choice_of(free[0], settings).price) != form.price:
            raise Conflict(f"The price of this table has changed: {price}.", code="price_changed")
        await order_limits.take_tokens(connection, order)

    async def create(connection: Connection) -> StoredResponse:
        now = datetime.now(UTC)
        booking = await service.place_order(connection, settings, int(form.table), order, now, check_and_count)
        return StoredResponse(201, responses.encode_json(booking))

    await run_once(pool(), scope_of_forms(), form.token, form.fingerprint(), create)


def criteria_of(order: BookingInput) -> TableFilter:
    """The search that finds the tables which are free for an order."""
    return TableFilter(guests=order.guests).model_copy(update={"starts_at": order.starts_at, "minutes": order.minutes})


def scope_of_forms() -> str:
    """The scope of the tokens of forms: of all guests, since the address of a telephone may change meanwhile."""
    return scope_of(ORDER_OPERATION, caller=f"forms of {PATH}")


async def refusal_page(form: OrderForm, problem: HttpProblem) -> Response:
    """The form with what was typed, and why nothing was ordered."""
    faults, notices = list(problem.errors), [] if problem.errors else [problem.detail]
    if isinstance(problem, TooManyRequests):
        minutes = math.ceil(float(problem.headers["Retry-After"]) / 60)
        notices = [f"Too many orders were sent from here, or to you, within an hour. Try again in {minutes} min."]
    others: list[Choice] = []
    chosen = await find_choice(form, TableFilter())
    is_lost = problem.problem_code in LOST_TABLE
    if is_lost:
        try:
            others = await find_choices(await free_criteria(form.wish))
        except Invalid as error:
            faults += error.errors
    status = status_of(problem)
    page = order_page(form, chosen, status=status, notices=notices, faults=faults, others=others, is_lost=is_lost)
    page.headers.update(problem.headers)
    return page


def order_page(
    form: OrderForm,
    chosen: Choice | None,
    *,
    status: int = 200,
    notices: Sequence[str] = (),
    faults: Sequence[FieldError] = (),
    others: Sequence[Choice] = (),
    is_lost: bool = False,
) -> Response:
    """The form of an order.

    chosen: its table, if it is known. others: tables from which another one is chosen instead. is_lost: whether the
    table cannot be ordered for the time; without others, the guest is asked for another time.
    """
    if others:
        chosen = None
    elif chosen is not None:
        form = replace(form, price=chosen.price)
    start, wrong = start_text(form.wish, resources().dining.zone)
    wish_faults = [fault for fault in faults if fault.field not in form.contact.__dict__]
    return book_page(
        "order.html",
        wish=form.wish,
        status=status,
        form=form,
        chosen=chosen,
        when="" if wrong else start_words(start),
        notices=notices,
        faults=sentences_of(faults),
        others=others,
        back=form.wish.address(PATH),
        order_path=ORDER_PATH,
        asks_wish=bool(wish_faults) or (is_lost and not others),
        is_unsure=status == 503,
    )


def start_words(start: str) -> str:
    """A start as people read it; empty for a time that does not exist."""
    settings = resources().dining
    try:
        return format_start(parse_local_instant(start, settings.zone), settings)
    except ValueError:
        return ""


def sent_address(form: OrderForm) -> str:
    return f"{PATH}/sent/{form.token}"


@blueprint.get(f"{PATH}/sent/<sent_token>")
@html_page
@hide
@validate_querystring(SentQuery)
async def show_sent(sent_token: str, query_args: SentQuery) -> Response:
    """How an order that was sent stands, without the guest's name and addresses."""
    is_ours = TOKEN.fullmatch(sent_token)  # the database does not take every text
    stored = await select_response(pool(), scope_of_forms(), sent_token) if is_ours else None
    if stored is None:
        raise NotFound("No order was sent here within two days. The restaurant's email says how an order stands.")
    settings = resources().dining
    booking = await bookings.select_booking(pool(), msgspec.json.decode(decode_answer(stored).body)["id"])
    assert booking is not None  # an order is stored together with the answer, and never deleted
    return book_page(
        "sent.html",
        wish=Wish("", "", ""),
        booking=booking,
        when=format_start(booking.starts_at, settings),
        is_changed=query_args.changed,
    )
