"""Tokens behind the cancel buttons in emails. Only their hashes are stored."""

import base64
import hashlib
import hmac

from common.config import Secret


def derive_token(secret: Secret, message_id: str) -> str:
    """Return the token of an email: the same at each attempt to send it, and unknown without the secret."""
    digest = hmac.digest(secret.reveal().encode(), b"cancel button of " + message_id.encode(), "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def token_hash(token: str) -> bytes:
    """Return the SHA-256 by which a token is stored and looked up."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
