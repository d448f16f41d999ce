"""JSON Web Tokens for staff. The algorithm is fixed here and never taken from the token."""

import secrets
from datetime import datetime, timedelta
from typing import Literal

import jwt
import msgspec

from common.config import Secret
from common.web.bearer import invalid_token
from common.web.errors import Unauthorized
from provider.dining.settings import Role, User

ALGORITHM = "HS256"
REALM = "restaurant"
TokenType = Literal["access", "refresh"]
LIFETIMES: dict[TokenType, timedelta] = {"access": timedelta(minutes=30), "refresh": timedelta(days=1)}
REQUIRED_CLAIMS = ["exp", "iat", "sub", "role", "token_type"]


class Claims(msgspec.Struct, frozen=True):
    """The claims of a valid token."""

    sub: str
    role: Role
    token_type: TokenType


def issue(secret: Secret, user: User, token_type: TokenType, now: datetime) -> str:
    """Return a new token for a user, valid from `now` for the lifetime of its type."""
    claims = {
        "sub": user.username,
        "role": user.role,
        "token_type": token_type,
        "iat": int(now.timestamp()),
        "exp": int((now + LIFETIMES[token_type]).timestamp()),
        "jti": secrets.token_hex(8),
    }
    return jwt.encode(claims, secret.reveal(), algorithm=ALGORITHM)


def verify(secret: Secret, token: str, token_type: TokenType) -> Claims:
    """Return the claims of a token. Raises Unauthorized when it is forged, expired, or of another type."""
    try:
        decoded = jwt.decode(token, secret.reveal(), algorithms=[ALGORITHM], options={"require": REQUIRED_CLAIMS})
        claims = msgspec.convert(decoded, Claims)
    except (jwt.InvalidTokenError, msgspec.ValidationError):
        raise invalid("The token is invalid or has expired.") from None
    if claims.token_type != token_type:
        raise invalid(f'The token is not of type "{token_type}".')
    return claims


def invalid(detail: str) -> Unauthorized:
    return invalid_token(REALM, detail)
