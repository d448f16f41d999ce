"""The slice `stays`: the storefront where guests search and reserve properties."""

from typing import Any

from common.web.bearer import token_scheme
from common.web.resources import Application
from provider.stays.routes import conflicts, storefront

TAGS = {"stays": "The storefront: availability, reservations, properties"}
SECURITY_SCHEMES: dict[str, Any] = {
    storefront.SECURITY: {"type": "http", "scheme": "bearer", "bearer_format": "UUID"},
    conflicts.ADMIN_SECURITY: token_scheme("PROVIDER_STAYS_ADMIN_TOKEN", "It sees what concerns all properties."),
}


def install(app: Application) -> None:
    """Serve the storefront."""
    app.register_blueprint(storefront.blueprint)
    app.register_blueprint(conflicts.blueprint)
