"""Cross-origin requests (CORS): off, unless a setting names the sites whose pages may call the API."""

import re
from datetime import timedelta

import quart_cors

from common.web.resources import Application

ORIGIN = re.compile(r"https?://([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:]{2,45}\])(:[0-9]{1,5})?")
PREFLIGHT_LIFETIME = timedelta(minutes=10)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


def origins(value: str) -> frozenset[str]:
    """Parse `*`, or origins separated by commas. Raises ValueError."""
    found = frozenset(each.strip().lower() for each in value.split(","))
    if found != {"*"} and not all(ORIGIN.fullmatch(each) for each in found):
        raise ValueError("must be *, or origins such as https://app.example.org, separated by commas")
    return found


def install(app: Application, allowed: frozenset[str] | None) -> None:
    """Let pages of these origins call the API, without cookies. None: no page of another site may."""
    if not allowed:
        return
    app.cors_origins = allowed
    quart_cors.cors(
        app,
        allow_origin=sorted(allowed),
        allow_methods=METHODS,
        allow_headers=["*"],
        expose_headers=["*"],
        max_age=PREFLIGHT_LIFETIME,
    )
