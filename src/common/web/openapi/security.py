"""Security schemes of the OpenAPI document: how a caller proves its rights, and where it gets the proof."""

from collections.abc import Mapping


def bearer_scheme(description: str, *, bearer_format: str | None = None) -> Mapping[str, str]:
    """A token in the header `Authorization: Bearer …`. description: where the token comes from."""
    scheme = {"type": "http", "scheme": "bearer", "description": description}
    return scheme | ({"bearerFormat": bearer_format} if bearer_format else {})


def header_scheme(name: str, description: str) -> Mapping[str, str]:
    """A value in a header of this name. description: where the value comes from."""
    return {"type": "apiKey", "in": "header", "name": name, "description": description}
