"""JSON Web Tokens: who somebody is, for a while. One algorithm, named here and never taken from the token."""

import secrets
from datetime import datetime, timedelta
from typing import Literal

import jwt
import msgspec

from common.config import Secret
from common.web.bearer import invalid_token
from common.web.errors import Unauthorized
from provider.dining.settings import Role

ALGORITHM = "HS256"
REALM = "restaurant"
TokenType = Literal["access", "refresh"]
LIFETIMES: dict[TokenType, timedelta] = {"access": timedelta(minutes=30), "refresh": timedelta(days=1)}
REQUIRED_CLAIMS = ["exp", "iat", "sub", "role", "token_type"]


class Claims(msgspec.Struct, frozen=True):
    """What a valid token says of its bearer."""

    sub: str
    role: Role
    token_type: TokenType


def issue(secret: Secret, username: str, role: Role, kind: TokenType, now: datetime) -> str:
    """A token of the kind, good from `now` on for its life."""
    claims = {
        "sub": username,
        "role": role,
        "token_type": kind,
        "iat": int(now.timestamp()),
        "exp": int((now + LIFETIMES[kind]).timestamp()),
        "jti": secrets.token_hex(8),
    }
    return jwt.encode(claims, secret.reveal(), algorithm=ALGORITHM)


def verify(secret: Secret, token: str, kind: TokenType) -> Claims:
    """The claims of a token of the kind. Raises Unauthorized for any that is not ours, not of the kind, or over."""
    try:
        found = jwt.decode(token, secret.reveal(), algorithms=[ALGORITHM], options={"require": REQUIRED_CLAIMS})
        claims = msgspec.convert(found, Claims)
    except (jwt.InvalidTokenError, msgspec.ValidationError):
        raise invalid("The token is not valid, or not any more.") from None
    if claims.token_type != kind:
        raise invalid(f"The token is valid, but no {kind} token.")
    return claims


def invalid(detail: str) -> Unauthorized:
    return invalid_token(REALM, detail)
