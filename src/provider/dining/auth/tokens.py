"""JSON Web Tokens for staff. The algorithm is fixed here and never taken from the token."""

import hmac
import secrets as random_secrets
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import jwt
import msgspec

from common.config import Secret, Secrets
from common.web.bearer import challenge, invalid_token
from common.web.errors import Unauthorized
from provider.dining.settings import Role, User

ALGORITHM = "HS256"
REALM = "restaurant"
TokenType = Literal["access", "refresh"]
LIFETIMES: dict[TokenType, timedelta] = {"access": timedelta(minutes=30), "refresh": timedelta(days=1)}
LEEWAY = timedelta(seconds=10)
"""How much the clocks of two replicas may differ."""
REQUIRED_CLAIMS = ["exp", "iat", "sub", "role", "token_type", "jti"]


class Claims(msgspec.Struct, frozen=True):
    """The claims of a valid token.

    exp: when it expires, in seconds since 1970. seal: of a refresh token, made from the password of its login.
    """

    sub: str
    role: Role
    token_type: TokenType
    exp: int
    jti: str
    seal: str = ""

    @property
    def expires_at(self) -> datetime:
        return datetime.fromtimestamp(self.exp, UTC)


def issue(secret: Secret, user: User, token_type: TokenType, now: datetime) -> str:
    """Return a new token for a user, valid from `now` for the lifetime of its type."""
    token_id = random_secrets.token_hex(16)
    claims = {
        "sub": user.username,
        "role": user.role,
        "token_type": token_type,
        "iat": int(now.timestamp()),
        "exp": int((now + LIFETIMES[token_type]).timestamp()),
        "jti": token_id,
    }
    if token_type == "refresh":  # noqa: S105 - the kind of the token
        claims["seal"] = password_seal(secret, user, token_id)
    return jwt.encode(claims, secret.reveal(), algorithm=ALGORITHM)


def password_seal(secret: Secret, user: User, token_id: str) -> str:
    """Return an HMAC of the user's password for a refresh token: without the secret, no guess can be checked by it."""
    text = "\0".join(("refresh token", token_id, user.username, user.password.reveal()))
    return hmac.digest(secret.reveal().encode(), text.encode("utf-8", "surrogatepass"), "sha256").hex()


def has_password_of(secrets: Secrets, claims: Claims, user: User) -> bool:
    """Return whether the user's password is still the one with which the login of a refresh token was made."""
    seals = [password_seal(secret, user, claims.jti) for secret in secrets]
    matches = [hmac.compare_digest(claims.seal.encode("utf-8", "surrogatepass"), seal.encode()) for seal in seals]
    return any(matches)


class ForgedTokenError(Unauthorized):
    """The token was not signed with one of the secrets."""

    def __init__(self) -> None:
        super().__init__(
            "The token is invalid or has expired.",
            challenge=challenge(REALM, error="invalid_token"),
            code="invalid_token",
        )


def verify(secrets: Secrets, token: str, token_type: TokenType) -> Claims:
    """Return the claims of a token.

    Raises ForgedTokenError, or Unauthorized when it has expired or is of another type.
    """
    try:
        claims = msgspec.convert(decode(secrets, token), Claims)
    except (jwt.InvalidTokenError, msgspec.ValidationError):
        raise invalid("The token is invalid or has expired.") from None
    if claims.token_type != token_type:
        raise invalid(f'The token is not of type "{token_type}".')
    return claims


def decode(secrets: Secrets, token: str) -> dict[str, Any]:
    """Return the payload of a token signed with one of the secrets. Raises ForgedTokenError or InvalidTokenError."""
    for secret in secrets:
        with suppress(jwt.DecodeError, jwt.InvalidAlgorithmError):  # not signed, or not with this secret
            return jwt.decode(
                token,
                secret.reveal(),
                algorithms=[ALGORITHM],
                leeway=LEEWAY,
                options={"require": REQUIRED_CLAIMS},
            )
    raise ForgedTokenError


def invalid(detail: str) -> Unauthorized:
    return invalid_token(REALM, detail)
