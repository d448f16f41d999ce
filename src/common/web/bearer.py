"""Bearer tokens of requests (RFC 6750)."""

from quart import request

from common.web.errors import Unauthorized


def bearer_token(realm: str) -> str:
    """The token of the header `Authorization: Bearer …`, never empty. Raises Unauthorized without one."""
    scheme, _, token = request.headers.get("Authorization", "").strip().partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthorized("The header Authorization: Bearer <token> is required.", challenge=challenge(realm))
    return token.strip()


def invalid_token(realm: str, detail: str) -> Unauthorized:
    """The error for a bearer token that is not accepted."""
    return Unauthorized(detail, challenge=challenge(realm, error="invalid_token"), code="invalid_token")


def challenge(realm: str, *, error: str | None = None) -> str:
    """The value of the header WWW-Authenticate."""
    return f'Bearer realm="{realm}"' + (f', error="{error}"' if error else "")
