"""Sessions of pages that ask for a token: a login form, a cookie, and a CSRF token in every form.

A link cannot carry a bearer token, so a browser sends the token once, and gets a cookie that scripts cannot read. The
database has a hash of the session's token alone, keyed with the token that began it: without that one in the
configuration the session is over. Every instance of an application accepts the session.
"""

import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import wraps
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

from quart import Blueprint, Response, g, request
from quart_schema import hide
from werkzeug.datastructures import MultiDict

from common.config import Secret, Secrets
from common.db.pool import Executor
from common.web import login_throttle
from common.web.bearer import login_key
from common.web.caller import caller_address
from common.web.errors import Forbidden, TooManyRequests
from common.web.html import PRIVATE_HEADERS, Templates, html_page
from common.web.page_frame import framed_page, page_tag
from common.web.request_body import require_media_type
from common.web.resources import pool

View = TypeVar("View", bound=Callable[..., Awaitable[Any]])

LIFETIME = timedelta(hours=12)

NOTICES = {
    "invalid_token": ("bad", "This token is not valid."),
    "throttled": ("bad", "Too many attempts. Wait a minute and try again."),
    "logged_out": ("good", "You are logged out."),
    "session_expired": ("", "The session has expired. Nothing was changed. Please log in again."),
}
"""What a login form says after an attempt, by the value of `notice` in the address: the kind of notice and its text."""

_templates = Templates("common.web")


@dataclass(frozen=True)
class Realm:
    """Pages that ask for the same token.

    kind: the right that the token gives, which counts wrong tokens. path: the pages are there and below; the cookie is
    sent there alone. title, purpose: of the login form. tokens: None means that the pages are open to everybody.
    shown_token: the token, if the login form may show it.
    """

    kind: str
    path: str
    title: str
    purpose: str
    tokens: Callable[[], Secrets | None]
    shown_token: Callable[[], str | None] = lambda: None

    @property
    def cookie(self) -> str:
        return f"{self.kind.lower()}_session"


@dataclass(frozen=True)
class Session:
    """The session of a request. token: None where the pages are open to everybody."""

    token: str | None

    @property
    def csrf(self) -> str:
        """The value of the field `csrf` of its forms; the session's token cannot be derived from it."""
        if self.token is None:
            return ""
        return hmac.new(self.token.encode("utf-8", "surrogatepass"), b"csrf", hashlib.sha256).hexdigest()


def hash_session(token: str, began_with: Secret) -> bytes:
    """The hash under which the database stores a session. began_with: the token of the realm that was sent."""
    key = began_with.reveal().encode("utf-8", "surrogatepass")
    return hmac.digest(key, token.encode("utf-8", "surrogatepass"), "sha256")


def current_session() -> Session:
    """The session of the current request; for views with `session_required`."""
    found = g.page_session
    assert isinstance(found, Session)
    return found


async def find_session(realm: Realm) -> Session | None:
    """The session of the current request in a realm; None without one that is valid."""
    tokens = realm.tokens()
    if tokens is None:
        return Session(None)
    token = request.cookies.get(realm.cookie, "")
    if token and await select_is_valid(pool(), [hash_session(token, each) for each in tokens], realm.kind):
        return Session(token)
    return None


def session_required(realm: Realm) -> Callable[[View], View]:
    """Restrict a page to the sessions of a realm; without one, a browser gets the login form.

    A form that is sent without a session changes nothing.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            is_form = request.method == "POST"
            if is_form:
                await read_form()  # its faults come before those of the session
            session = await find_session(realm)
            if session is None:
                return redirect_with_notice(realm, "session_expired") if is_form else await login_page(realm)
            g.page_session = session
            return await view(*args, **kwargs)

        return wrapper  # type: ignore[return-value]  # wraps() keeps the signature, which mypy cannot see

    return decorate


async def login_page(realm: Realm) -> Response:
    """The login form of a realm, which leads back to the requested page."""
    is_of_form = not {"notice", "target"}.isdisjoint(request.args)
    response = framed_page(
        _templates,
        "login.html",
        (await page_tag()).uncached(),
        realm=realm,
        notice=NOTICES.get(request.args.get("notice", "")),
        shown_token=realm.shown_token(),
        target=_target(realm, request.args.get("target", "")) if is_of_form else request.full_path.rstrip("?"),
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def redirect_with_notice(realm: Realm, notice: str, target: str = "") -> Response:
    """Redirect to the first page of a realm, so that a reload does not send the form again.

    target: where the next login leads, if it is a page of the realm.
    """
    query = {"target": target} if _is_target(realm, target) else {}
    query["notice"] = notice  # last, since a script drops it and what follows from the address
    return redirect(f"{realm.path}?{urlencode(query)}")


def redirect(address: str) -> Response:
    """A redirect after a form."""
    return Response(status=303, headers={"Location": address, **PRIVATE_HEADERS})


async def read_form(session: Session | None = None) -> MultiDict[str, str]:
    """The form of the request. session: the one whose CSRF token it must have; None for a form without a session.

    Raises UnsupportedMedia, or Forbidden if another site sent the form or its page is from another session.
    """
    require_media_type("application/x-www-form-urlencoded")
    if not _is_from_here():
        raise Forbidden("This form was sent from another site.")
    fields = await request.form
    if session is not None and not hmac.compare_digest(fields.get("csrf", "").encode(), session.csrf.encode()):
        raise Forbidden(
            "This page was opened before the last log-in. Nothing was changed; open the page again.", code="csrf"
        )
    return fields


def _is_from_here() -> bool:
    """Whether a page of this application, or no page, sent the request, by what browsers say of it.

    Sec-Fetch-Site is absent where neither the connection nor the host is trusted; Origin is there with every form.
    """
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is not None:
        return site in ("same-origin", "none")
    return origin is None or urlsplit(origin).netloc == request.host


def session_routes(realm: Realm) -> Blueprint:
    """The routes of a realm's login form: `login` and `logout` below its path."""
    blueprint = Blueprint(f"session_of_{realm.kind.lower()}", __name__, url_prefix=realm.path)

    @blueprint.post("/login")
    @html_page
    @hide
    async def log_in() -> Response:
        """Begin a session if the token is right."""
        fields, tokens = await read_form(), realm.tokens()
        target = fields.get("target", "")
        key, address = login_key(realm.kind), caller_address()
        try:
            await login_throttle.begin_attempt(pool(), key, address)
        except TooManyRequests:
            return redirect_with_notice(realm, "throttled", target)
        sent = Secret(fields.get("token", ""))
        if tokens is not None and not tokens.accepts(sent.reveal()):
            return redirect_with_notice(realm, "invalid_token", target)
        await login_throttle.delete_failures(pool(), key, address)
        response = redirect(_target(realm, target))
        if tokens is not None:
            await _begin_session(realm, sent, response)
        return response

    @blueprint.post("/logout")
    @html_page
    @hide
    async def log_out() -> Response:
        """End the session, in the database too."""
        session, tokens = await find_session(realm), realm.tokens()
        await read_form(session)
        if session is not None and session.token is not None and tokens is not None:
            await delete_session(pool(), [hash_session(session.token, each) for each in tokens])
        response = redirect_with_notice(realm, "logged_out")
        response.delete_cookie(realm.cookie, path=realm.path, httponly=True, samesite="Strict")
        return response

    return blueprint


async def _begin_session(realm: Realm, sent: Secret, response: Response) -> None:
    token = secrets.token_urlsafe(32)
    await insert_session(pool(), hash_session(token, sent), realm.kind, LIFETIME)
    response.set_cookie(
        realm.cookie,
        token,
        max_age=int(LIFETIME.total_seconds()),
        path=realm.path,
        secure=request.is_secure,
        httponly=True,
        samesite="Strict",
    )


def _target(realm: Realm, target: str) -> str:
    """Where a login leads: the page that was asked for, if it is one of the realm."""
    return target if _is_target(realm, target) else realm.path


def _is_target(realm: Realm, target: str) -> bool:
    return target.startswith((f"{realm.path}/", f"{realm.path}?")) and target.isascii() and target.isprintable()


async def insert_session(db: Executor, token_hash: bytes, realm: str, lifetime: timedelta) -> None:
    await db.execute(
        "INSERT INTO page_session (token_hash, realm, expires_at) VALUES ($1, $2, now() + $3::interval)",
        token_hash, realm, lifetime,
    )  # fmt: skip


async def select_is_valid(db: Executor, token_hashes: Sequence[bytes], realm: str) -> bool:
    """Whether a realm has a session with one of these hashes that has not expired."""
    return await db.fetchval(
        """
        SELECT EXISTS (
            SELECT FROM page_session WHERE token_hash = ANY($1::bytea[]) AND realm = $2 AND expires_at > now()
        )
        """,
        token_hashes, realm,
    )  # fmt: skip


async def delete_session(db: Executor, token_hashes: Sequence[bytes]) -> None:
    await db.execute("DELETE FROM page_session WHERE token_hash = ANY($1::bytea[])", token_hashes)


async def delete_old_sessions(db: Executor, keep: timedelta, limit: int) -> int:
    """Delete up to `limit` sessions that expired longer ago than `keep`; returns how many."""
    return await db.fetchval(
        """
        WITH deleted AS (
            DELETE FROM page_session
             WHERE token_hash IN (
                SELECT token_hash
                  FROM page_session
                 WHERE expires_at < now() - $1::interval
                 LIMIT $2
             )
            RETURNING 1
        )
        SELECT count(*) FROM deleted
        """,
        keep, limit,
    )  # fmt: skip
