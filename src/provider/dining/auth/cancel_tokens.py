"""Tokens behind the cancel buttons in emails. Beside the email itself, only their hashes are stored."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, repr=False)
class CancelToken:
    """The token of one email, and when it expires."""

    value: str
    expires_at: datetime


def new_token(expires_at: datetime) -> CancelToken:
    """Return a random token."""
    return CancelToken(secrets.token_urlsafe(32), expires_at)


def token_hash(token: str) -> bytes:
    """Return the SHA-256 by which a token is stored and looked up."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
