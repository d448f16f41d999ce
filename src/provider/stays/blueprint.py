"""The slice `stays`: the storefront where guests search and reserve properties."""

from common.web.openapi.security import bearer_scheme
from common.web.resources import Application
from provider.stays.routes import (
    access,
    blocks,
    calendar_links,
    calendar_sources,
    calendars,
    conflicts,
    reservations,
    storefront,
)

TAGS = {"stays": "The storefront: availability, reservations, properties"}
SECURITY_SCHEMES = {
    access.SECURITY: bearer_scheme(
        "Any UUID, which the guest's program makes itself; it alone can read and cancel the reservations, and change "
        "the properties, that were made with it.",
        bearer_format="UUID",
    ),
    access.ADMIN_SECURITY: bearer_scheme(
        "The value of `PROVIDER_STAYS_ADMIN_TOKEN`, which the operator sets. It reads, changes and "
        "cancels everything, and lists arrivals and departures."
    ),
}


def install(app: Application) -> None:
    """Serve the storefront."""
    app.register_blueprint(storefront.blueprint)
    app.register_blueprint(reservations.blueprint)
    app.register_blueprint(reservations.day_blueprint)
    app.register_blueprint(blocks.blueprint)
    app.register_blueprint(calendar_links.blueprint)
    app.register_blueprint(calendar_sources.blueprint)
    app.register_blueprint(calendars.blueprint)
    app.register_blueprint(conflicts.blueprint)
