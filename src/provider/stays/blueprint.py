"""The slice `stays`: the storefront where guests search and reserve properties."""

from common.web.openapi.security import bearer_scheme
from common.web.resources import Application
from provider.stays.routes import conflicts, storefront

TAGS = {"stays": "The storefront: availability, reservations, properties"}
SECURITY_SCHEMES = {
    storefront.SECURITY: bearer_scheme(
        "Any UUID, which the guest's program makes itself; it alone can read and cancel the reservations made with it.",
        bearer_format="UUID",
    ),
    conflicts.ADMIN_SECURITY: bearer_scheme(
        "The value of `PROVIDER_STAYS_ADMIN_TOKEN`, which the operator sets. It sees what concerns all properties."
    ),
}


def install(app: Application) -> None:
    """Serve the storefront."""
    app.register_blueprint(storefront.blueprint)
    app.register_blueprint(conflicts.blueprint)
