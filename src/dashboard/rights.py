"""Rights that several slices of the dashboard ask for at their routes."""

from common.web.bearer import OPERATIONS, scheme_of, token_required, token_scheme
from common.web.page_session import Realm
from dashboard.resources import resources

API = "API"

api_token_required = token_required(API, lambda: resources().config.api_token)
"""Restrict a view to callers with DASHBOARD_API_TOKEN, if it is set."""

SECURITY_SCHEMES = {
    scheme_of(API): token_scheme(
        "DASHBOARD_API_TOKEN", "It permits the catalogue, uploads of store files, and changes of hotels' profiles."
    )
}

PRICES = Realm(
    API,
    "/board/prices",
    "Prices",
    "The catalogue is open to those who have the token DASHBOARD_API_TOKEN.",
    tokens=lambda: resources().config.api_token,
)
"""The pages of the catalogue."""

SYSTEM = Realm(
    OPERATIONS,
    "/board/system",
    "System",
    "Operators see here what works and what does not. The token is DASHBOARD_OPERATIONS_TOKEN.",
    tokens=lambda: resources().operations_tokens,
)
"""The pages of operators."""
