"""The slice `stays`: the storefront where guests search and reserve properties."""

from common.web.openapi.security import bearer_scheme
from common.web.resources import Application
from provider.stays import routes

TAGS = {"stays": "The storefront: availability, reservations, properties"}
SECURITY_SCHEMES = {
    routes.SECURITY: bearer_scheme(
        "Any UUID, which the guest's program makes itself; it alone can read and cancel the reservations made with it.",
        bearer_format="UUID",
    )
}


def install(app: Application) -> None:
    """Serve the storefront."""
    app.register_blueprint(routes.blueprint)
