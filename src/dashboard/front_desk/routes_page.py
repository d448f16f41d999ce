"""The front desk's page for staff: forms without scripts, a session cookie, a CSRF token in every form."""

import asyncio
import hashlib
import hmac
import secrets
from datetime import UTC, datetime, timedelta
from typing import cast

from quart import Blueprint, Response, request
from quart_schema import hide
from werkzeug.datastructures import MultiDict

from common.db.pool import transaction
from common.web import login_throttle
from common.web.bearer import login_key
from common.web.caller import caller_address
from common.web.errors import Conflict, Forbidden, Invalid, NotFound, TooManyRequests
from common.web.html import PRIVATE_HEADERS, Templates, html_page
from common.web.input_types import MAX_ID, parse_notes
from common.web.request_body import require_media_type
from common.web.resources import pool
from dashboard.front_desk import service
from dashboard.front_desk.models import Decision, Order
from dashboard.front_desk.queries import lists, sessions
from dashboard.front_desk.routes import STAFF
from dashboard.resources import resources

blueprint = Blueprint("front_desk_page", __name__, url_prefix="/front-desk")

SESSION_COOKIE = "front_desk"
SESSION_LIFETIME = timedelta(hours=12)
MAX_WAITING_SHOWN = 200
MAX_SETTLED_SHOWN = 30
MAX_FREED_SHOWN = 30

NOTICES = {
    "confirmed": ("good", "Sent to the restaurant: the table is confirmed. The order shows whether it was accepted."),
    "declined": ("good", "Sent to the restaurant: the order is declined. The order shows whether it was accepted."),
    "already_settled": ("bad", "This order is no longer waiting."),
    "too_late": ("bad", "The time of this order has passed. It cannot be confirmed any more."),
    "invalid_token": ("bad", "Invalid staff token."),
    "throttled": ("bad", "Too many attempts. Wait a minute and try again."),
    "logged_out": ("good", "You are logged out."),
    "session_expired": ("", "The session has expired. Please log in again."),
}

templates = Templates("dashboard.front_desk")


def hash_session_token(token: str) -> bytes:
    """The hash under which the database stores a session."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def csrf_token_of(token: str) -> str:
    """The CSRF token of a session; the session's token cannot be derived from it."""
    return hmac.new(token.encode("utf-8", "surrogatepass"), b"csrf", hashlib.sha256).hexdigest()


async def session_token() -> str | None:
    """The session token in the request's cookie; None if it is missing, unknown or expired."""
    token = request.cookies.get(SESSION_COOKIE, "")
    if token and await sessions.select_session(pool(), hash_session_token(token)):
        return token
    return None


async def read_form() -> MultiDict[str, str]:
    """The request's form. Raises Invalid, UnsupportedMedia, or Forbidden if another site sent it."""
    require_media_type("application/x-www-form-urlencoded")
    if request.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
        raise Forbidden("This form was sent from another site.")
    return await request.form


def require_csrf(fields: MultiDict[str, str], token: str) -> None:
    if not hmac.compare_digest(fields.get("csrf", "").encode(), csrf_token_of(token).encode()):
        raise Forbidden(
            "This page was opened before the last log-in. Nothing was changed; open the front desk again.", code="csrf"
        )


def redirect_with_notice(notice: str) -> Response:
    """Redirect to the page, so that a reload does not send the form again."""
    return Response(status=303, headers={"Location": f"/front-desk?notice={notice}", **PRIVATE_HEADERS})


@blueprint.get("", strict_slashes=False)
@html_page
@hide
async def page() -> Response:
    """The page with the waiting orders and the most recently settled ones; without a session, the login form."""
    notice = NOTICES.get(request.args.get("notice", ""))
    token = await session_token()
    if token is None:
        return templates.page("login.html", notice=notice, shown_token=resources().front_desk.shown_token)
    now = datetime.now(UTC)
    waiting, freed, settled = await asyncio.gather(
        lists.select_waiting(pool(), now, MAX_WAITING_SHOWN + 1),
        lists.select_freed(pool(), now, MAX_FREED_SHOWN),
        lists.select_settled(pool(), MAX_SETTLED_SHOWN),
    )
    shown = {order.id for order in freed}
    return templates.page(
        "front_desk.html",
        notice=notice,
        csrf=csrf_token_of(token),
        now=now,
        waiting=waiting[:MAX_WAITING_SHOWN],
        more_waiting=len(waiting) > MAX_WAITING_SHOWN,
        freed=freed,
        settled=[order for order in settled if order.id not in shown],
    )


@blueprint.post("/login")
@html_page
@hide
async def log_in() -> Response:
    """Begin a session if the staff token is right."""
    token_sent = (await read_form()).get("token", "")
    staff, address = login_key(STAFF), caller_address()
    try:
        await login_throttle.begin_attempt(pool(), staff, address)
    except TooManyRequests:
        return redirect_with_notice("throttled")
    if not resources().front_desk.staff_token.accepts(token_sent):
        return redirect_with_notice("invalid_token")
    await login_throttle.delete_failures(pool(), staff, address)
    token = secrets.token_urlsafe(32)
    await sessions.insert_session(pool(), hash_session_token(token), SESSION_LIFETIME)
    response = Response(status=303, headers={"Location": "/front-desk", **PRIVATE_HEADERS})
    response.set_cookie(
        SESSION_COOKIE,
        token,
        max_age=int(SESSION_LIFETIME.total_seconds()),
        path="/front-desk",
        secure=request.is_secure,
        httponly=True,
        samesite="Strict",
    )
    return response


@blueprint.post("/logout")
@html_page
@hide
async def log_out() -> Response:
    """End the session, in the database too."""
    fields = await read_form()
    token = await session_token()
    if token is not None:
        require_csrf(fields, token)
        await sessions.delete_session(pool(), hash_session_token(token))
    response = redirect_with_notice("logged_out")
    response.delete_cookie(SESSION_COOKIE, path="/front-desk", httponly=True, samesite="Strict")
    return response


@blueprint.get("/decline")
@html_page
@hide
async def decline_page() -> Response:
    """The page to decline an order with a reason."""
    token = await session_token()
    if token is None:
        return redirect_with_notice("session_expired")
    number = request.args.get("order", "")
    order = await lists.select_order(pool(), int(number)) if is_order_id(number) else None
    if order is None or order.status != "waiting":
        return redirect_with_notice("already_settled")
    return decline_form(order, token)


def decline_form(order: Order, token: str, reason: str = "", fault: str | None = None) -> Response:
    """The page with the form. reason: what was typed; fault: why it is refused."""
    response = templates.page("decline.html", order=order, csrf=csrf_token_of(token), reason=reason, fault=fault)
    if fault is not None:
        response.status_code = 400
    return response


def is_order_id(number: str) -> bool:
    digits = number.isascii() and number.isdigit() and len(number) <= len(str(MAX_ID))
    return digits and 1 <= int(number) <= MAX_ID


@blueprint.post("/decide")
@html_page
@hide
async def decide() -> Response:
    """Confirm or decline an order, as its button says."""
    fields = await read_form()
    token = await session_token()
    if token is None:
        return redirect_with_notice("session_expired")
    require_csrf(fields, token)
    number, decision = fields.get("order", ""), fields.get("decision", "")
    if not is_order_id(number) or decision not in ("confirm", "decline"):
        raise Invalid("The form is not valid.")
    decline_reason = None
    if decision == "decline":
        try:
            decline_reason = parse_notes(fields.get("reason", ""))
        except ValueError as error:
            order = await lists.select_order(pool(), int(number))
            if order is None or order.status != "waiting":
                return redirect_with_notice("already_settled")
            return decline_form(order, token, fields["reason"], str(error))
    try:
        async with transaction(pool()) as connection:
            order = await service.decide(
                connection, int(number), cast("Decision", decision), "front desk", datetime.now(UTC), decline_reason
            )
    except Conflict as conflict:
        too_late = conflict.problem_code in ("time_passed", "order_expired")
        return redirect_with_notice("too_late" if too_late else "already_settled")
    except NotFound:
        return redirect_with_notice("already_settled")
    return redirect_with_notice("confirmed" if order.decision == "confirm" else "declined")
