"""The slice `stays`: the storefront where guests search and reserve properties."""

from typing import Any

from common.web.resources import Application
from provider.stays import routes

TAGS = {"stays": "The storefront: availability, reservations, properties"}
SECURITY_SCHEMES: dict[str, Any] = {routes.SECURITY: {"type": "http", "scheme": "bearer", "bearer_format": "UUID"}}


def install(app: Application) -> None:
    """Serve the storefront."""
    app.register_blueprint(routes.blueprint)
