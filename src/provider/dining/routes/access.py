"""HTTP of the logins, and access control of the admin paths."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Any

from quart import Blueprint, Response, g
from quart_schema import document_response, security_scheme, tag

from common.web.bearer import bearer_token, count_wrong_token
from common.web.caller import caller_address
from common.web.errors import Forbidden, document_problems
from common.web.openapi.document import operation
from common.web.openapi.security import bearer_scheme
from common.web.request_body import json_body
from common.web.resources import pool
from common.web.responses import json_response
from provider.dining.auth import tokens
from provider.dining.auth.tokens import Claims, TokenType
from provider.dining.inputs import Credentials, RefreshInput
from provider.dining.models import Actor, RefreshedToken, TokenPair
from provider.dining.queries import revoked_tokens
from provider.resources import resources

blueprint = Blueprint("dining_access", __name__)

TAG = "dining: access"
ADMIN_TAG = "dining: administration"
ADMIN_SCHEME = bearer_scheme(
    "An access token from `POST /api/token/` with the name and password of the restaurant's admin.", bearer_format="JWT"
)
NO_STORE = {"Cache-Control": "no-store"}

View = Callable[..., Awaitable[Any]]


def admin_only(view: View) -> View:
    """Require an admin's access token. Raises Unauthorized, Forbidden or TooManyRequests."""

    @security_scheme([{"admin": []}])
    @wraps(view)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        claims = await require_claims(bearer_token(tokens.REALM), "access")
        if claims.role != "admin":
            raise Forbidden("Requires the admin role.")
        g.dining_actor = Actor("admin", claims.sub)
        return await view(*args, **kwargs)

    return document_problems(wrapper, 429)


async def require_claims(token: str, token_type: TokenType) -> Claims:
    """Return the claims of a token. Raises Unauthorized, or TooManyRequests after several forged tokens."""
    try:
        return tokens.verify(resources().dining.jwt_secret, token, token_type)
    except tokens.ForgedTokenError:
        await count_wrong_token(f"{tokens.REALM} {token_type}")
        raise


def current_actor() -> Actor:
    """Return the admin who sent the current request."""
    return g.dining_actor


@blueprint.post("/api/token/")
@operation(401, 429, request_example={"username": "admin", "password": "1"})
@tag([TAG])
@document_response(TokenPair)
@json_body(Credentials)
async def log_in(data: Credentials) -> Response:
    """Log in: returns an access token valid for half an hour and a refresh token valid for a day.

    After repeated failures for a username from one address, further attempts get 429 with Retry-After.
    """
    user = await resources().authenticator.log_in(pool(), data.username, data.password, caller_address())
    now, secret = datetime.now(UTC), resources().dining.jwt_secret.current
    pair = TokenPair(
        access=tokens.issue(secret, user, "access", now),
        refresh=tokens.issue(secret, user, "refresh", now),
    )
    return json_response(pair, headers=NO_STORE)


@blueprint.post("/api/token/refresh/")
@operation(401, 429)
@tag([TAG])
@document_response(RefreshedToken)
@json_body(RefreshInput)
async def refresh_access_token(data: RefreshInput) -> Response:
    """Return a new access token, which carries the user's current role.

    401 when the user does not exist any more or has another password now, and when the refresh token was revoked.
    """
    claims = await require_claims(data.refresh, "refresh")
    user = resources().authenticator.find_user(claims.sub)
    if user is None:
        raise tokens.invalid("The user does not exist any more.")
    if not tokens.has_password_of(resources().dining.jwt_secret, claims, user):
        raise tokens.invalid("The password was changed; log in again.")
    if await revoked_tokens.select_is_revoked(pool(), claims.jti):
        raise tokens.invalid("The token was revoked; log in again.")
    access = tokens.issue(resources().dining.jwt_secret.current, user, "access", datetime.now(UTC))
    return json_response(RefreshedToken(access), headers=NO_STORE)


@blueprint.post("/api/token/revoke/")
@operation(401, 429, descriptions={204: "The refresh token gives no more access tokens"})
@tag([TAG])
@json_body(RefreshInput)
async def revoke_refresh_token(data: RefreshInput) -> Response:
    """Log out: revoke a refresh token. Repeating it changes nothing. Access tokens end by themselves."""
    claims = await require_claims(data.refresh, "refresh")
    await revoked_tokens.upsert_revoked_token(pool(), claims.jti, claims.expires_at)
    return Response(status=204, headers=NO_STORE)
