"""Requests of the test client from addresses that a test chooses."""

from typing import Any


def sent_from(address: str) -> dict[str, Any]:
    """The `scope_base` of a request whose connection comes from the address."""
    return {"client": (address, 50_000)}
