"""The front desk's page for people: forms without a script, a session in a cookie, a CSRF token on every form."""

import asyncio
import hashlib
import hmac
import secrets
from datetime import timedelta
from typing import cast

from quart import Blueprint, Response, request
from quart_schema import hide, validate_querystring
from werkzeug.datastructures import MultiDict

from common.db.pool import transaction
from common.web import login_throttle
from common.web.errors import Conflict, Forbidden, Invalid, NotFound, TooManyRequests
from common.web.html import PRIVATE_HEADERS, Pages
from common.web.input_types import Input
from common.web.request_body import require_media_type
from common.web.resources import pool
from dashboard.front_desk import queries, service
from dashboard.front_desk.models import Decision
from dashboard.resources import resources

blueprint = Blueprint("front_desk_page", __name__, url_prefix="/front-desk")

SESSION_COOKIE = "front_desk"
SESSION_LIFETIME = timedelta(hours=12)
MAX_WAITING_SHOWN = 200
MAX_SETTLED_SHOWN = 30

NOTICES = {
    "confirmed": ("good", "Confirmed. The guest will be told."),
    "declined": ("good", "Declined. The guest will be told."),
    "late": ("bad", "That order was settled in the meantime."),
    "wrong": ("bad", "That is not the staff token."),
    "slow": ("bad", "Too many attempts. Wait a minute and try again."),
    "out": ("good", "You are logged out."),
    "again": ("", "The session is over. Please log in again."),
}

pages = Pages("dashboard.front_desk")


def hash_session_token(token: str) -> bytes:
    """What the database keeps of a session's token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def csrf_token_of(token: str) -> str:
    """The CSRF token of a session; who has one does not know the other."""
    return hmac.new(token.encode("utf-8", "surrogatepass"), b"csrf", hashlib.sha256).hexdigest()


async def session_token() -> str | None:
    """The token of the session that the request's cookie names; None without a session that lives."""
    token = request.cookies.get(SESSION_COOKIE, "")
    if token and await queries.select_session(pool(), hash_session_token(token)):
        return token
    return None


async def read_form() -> MultiDict[str, str]:
    """The request's form. Raises Invalid, UnsupportedMedia, or Forbidden for one that another site sends."""
    require_media_type("application/x-www-form-urlencoded")
    if request.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
        raise Forbidden("This form was sent from another site.")
    return await request.form


def require_csrf(fields: MultiDict[str, str], token: str) -> None:
    if not hmac.compare_digest(fields.get("csrf", "").encode(), csrf_token_of(token).encode()):
        raise Forbidden("The form's CSRF token is missing or of another session.", code="csrf")


def redirect_with_notice(notice: str) -> Response:
    """To the page by GET, so that a reload sends nothing twice."""
    return Response(status=303, headers={"Location": f"/front-desk?notice={notice}", **PRIVATE_HEADERS})


class PageQuery(Input):
    notice: str | None = None


@blueprint.get("", strict_slashes=False)
@hide
@validate_querystring(PageQuery)
async def page(query_args: PageQuery) -> Response:
    """Waiting orders with two buttons each, and what became of the last others; or the login."""
    notice = NOTICES.get(query_args.notice or "")
    token = await session_token()
    if token is None:
        return pages.answer("login.html", notice=notice)
    waiting, settled = await asyncio.gather(
        queries.select_waiting(pool(), MAX_WAITING_SHOWN + 1), queries.select_settled(pool(), MAX_SETTLED_SHOWN)
    )
    return pages.answer(
        "front_desk.html",
        notice=notice,
        csrf=csrf_token_of(token),
        waiting=waiting[:MAX_WAITING_SHOWN],
        more_wait=len(waiting) > MAX_WAITING_SHOWN,
        settled=settled,
    )


@blueprint.post("/login")
@hide
async def log_in() -> Response:
    """A session for whoever has the staff token."""
    given = (await read_form()).get("token", "")
    address = request.remote_addr or ""
    try:
        await login_throttle.require_not_throttled(pool(), "staff", address)
    except TooManyRequests:
        return redirect_with_notice("slow")
    if not hmac.compare_digest(given.encode(), resources().front_desk.staff_token.reveal().encode()):
        await login_throttle.upsert_failure(pool(), "staff", address)
        return redirect_with_notice("wrong")
    await login_throttle.delete_failures(pool(), "staff", address)
    token = secrets.token_urlsafe(32)
    await queries.insert_session(pool(), hash_session_token(token), SESSION_LIFETIME)
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
@hide
async def log_out() -> Response:
    """The session ends, on this side too."""
    fields = await read_form()
    token = await session_token()
    if token is not None:
        require_csrf(fields, token)
        await queries.delete_session(pool(), hash_session_token(token))
    response = redirect_with_notice("out")
    response.delete_cookie(SESSION_COOKIE, path="/front-desk", httponly=True, samesite="Strict")
    return response


@blueprint.post("/decide")
@hide
async def decide() -> Response:
    """The two buttons of an order."""
    fields = await read_form()
    token = await session_token()
    if token is None:
        return redirect_with_notice("again")
    require_csrf(fields, token)
    number, decision = fields.get("order", ""), fields.get("decision", "")
    if not (number.isascii() and number.isdigit() and len(number) < 19) or decision not in ("confirm", "decline"):
        raise Invalid("The form is not valid.")
    try:
        async with transaction(pool()) as connection:
            order = await service.decide(connection, int(number), cast("Decision", decision), "front desk")
    except (Conflict, NotFound):
        return redirect_with_notice("late")
    return redirect_with_notice("confirmed" if order.decision == "confirm" else "declined")
