"""Bearer tokens of requests (RFC 6750), and the rights that they give.

A right is switched off while its token is not configured. Wrong tokens are slowed down like failed logins, for each
address and kind of token. A right token is accepted at once even from an address that is slowed down, so that a caller
behind the same proxy or router as an attacker is not locked out; tokens have at least 16 characters, so the brake is
not what keeps them from being guessed.
"""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import Any
from uuid import UUID

from quart import request
from quart_schema import security_scheme

from common.config import Secrets
from common.web import login_throttle
from common.web.caller import caller_address
from common.web.errors import Unauthorized, document_problems
from common.web.openapi.security import bearer_scheme
from common.web.resources import current_application, pool

View = Callable[..., Awaitable[Any]]


def bearer_token(realm: str) -> str:
    """The token of the header `Authorization: Bearer …`, never empty. Raises Unauthorized without one."""
    scheme, _, token = request.headers.get("Authorization", "").strip().partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthorized("The header Authorization: Bearer <token> is required.", challenge=challenge(realm))
    return token.strip()


def holder_digest(token: bytes) -> UUID:
    """The digest of a token under which what it makes is stored: the database never holds the token itself."""
    return UUID(bytes=hashlib.sha256(token).digest()[:16])


def invalid_token(realm: str, detail: str) -> Unauthorized:
    """The error for a bearer token that is not accepted."""
    return Unauthorized(detail, challenge=challenge(realm, error="invalid_token"), code="invalid_token")


def challenge(realm: str, *, error: str | None = None) -> str:
    """The value of the header WWW-Authenticate."""
    return f'Bearer realm="{realm}"' + (f', error="{error}"' if error else "")


def login_key(kind: str) -> str:
    """The key under which the wrong tokens of a kind are counted."""
    return f"token {kind}"


async def count_wrong_token(kind: str) -> None:
    """Count a wrong token of the current caller. Raises TooManyRequests while the caller has to wait."""
    await login_throttle.begin_attempt(pool(), login_key(kind), caller_address())


async def require_token(kind: str, tokens: Secrets | None) -> None:
    """Return if the request has one of the tokens, or if none is configured.

    kind: the name of the right, in the challenge and in the message. Raises Unauthorized, or TooManyRequests after
    several wrong tokens of that kind from the caller's address.
    """
    if tokens is None:
        return
    token = bearer_token(kind)
    if not tokens.accepts(token):
        await count_wrong_token(kind)
        raise invalid_token(kind, f"Invalid {kind} token.")


def scheme_of(kind: str) -> str:
    """The name of the security scheme in the OpenAPI document."""
    return f"{kind.lower()}Token"


def token_scheme(variable: str, use: str) -> Mapping[str, str]:
    """The security scheme of a token for the OpenAPI document. use: what the token permits."""
    return bearer_scheme(
        f"The value of `{variable}`, which the operator sets. {use} Without that variable none is needed."
    )


def token_required(kind: str, tokens: Callable[[], Secrets | None]) -> Callable[[View], View]:
    """Restrict a view to callers with a token of that kind, if one is configured; goes above the body's decorator."""

    def decorate(view: View) -> View:
        @security_scheme([{}, {scheme_of(kind): []}])
        @wraps(view)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            await require_token(kind, tokens())
            return await view(*args, **kwargs)

        return document_problems(wrapper, 401, 429)

    return decorate


OPERATIONS = "operations"

operations_token_required = token_required(OPERATIONS, lambda: current_application().resources.operations_tokens)
"""Restrict a view to operators, if *_OPERATIONS_TOKEN is set."""
