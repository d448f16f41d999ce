"""Who asks for a change."""

from common.web.caller import caller_address
from dashboard.resources import resources


def changed_by() -> str:
    """Who makes the change of the current request: its address, and whether it needed the API token."""
    credential = "no token" if resources().config.api_token is None else "API token"
    return f"request from {caller_address()}, {credential}"
