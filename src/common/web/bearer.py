"""Credentials that a request brings."""

from quart import request

from common.web.errors import Unauthorized


def bearer_token(realm: str) -> str:
    """The token of `Authorization: Bearer …` (RFC 6750), never empty. Raises Unauthorized without one."""
    scheme, _, token = request.headers.get("Authorization", "").strip().partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthorized("This needs the header Authorization: Bearer <token>.", challenge=challenge(realm))
    return token.strip()


def invalid_token(realm: str, detail: str) -> Unauthorized:
    """What to raise for a bearer token that came and is not accepted."""
    return Unauthorized(detail, challenge=challenge(realm, error="invalid_token"), code="invalid_token")


def challenge(realm: str, *, error: str | None = None) -> str:
    """The value of WWW-Authenticate for bearer tokens."""
    return f'Bearer realm="{realm}"' + (f', error="{error}"' if error else "")
