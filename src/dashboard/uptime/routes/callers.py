"""Who asks for a change."""

from quart import request

from common.web.caller import caller_address


def changed_by() -> str:
    """Who makes the change of the current request, as far as it can be told: the kind of credential, and the address."""
    credential = "API token" if request.headers.get("Authorization") else "no token"
    return f"request from {caller_address()}, {credential}"
