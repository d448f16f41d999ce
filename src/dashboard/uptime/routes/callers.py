"""Who asks for a change."""

from quart import request

from common.web.caller import caller_address


def changed_by() -> str:
    """Who makes the change of the current request, as far as can be told: whether it has a token, and its address."""
    credential = "API token" if request.headers.get("Authorization") else "no token"
    return f"request from {caller_address()}, {credential}"
