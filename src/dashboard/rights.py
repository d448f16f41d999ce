"""Rights that several slices of the dashboard ask for at their routes."""

from common.web.bearer import scheme_of, token_required, token_scheme
from dashboard.resources import resources

API = "API"

api_token_required = token_required(API, lambda: resources().config.api_token)
"""Restrict a view to callers with DASHBOARD_API_TOKEN, if it is set."""

SECURITY_SCHEMES = {
    scheme_of(API): token_scheme(
        "DASHBOARD_API_TOKEN", "It permits the catalogue, uploads of store files, and changes of hotels' profiles."
    )
}
