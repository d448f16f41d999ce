"""The slice `booking_events`: the append-only feed of bookings and cancellations."""

from common.web.bearer import scheme_of, token_scheme
from common.web.resources import Application
from provider.booking_events import routes

TAGS = {"booking events": "The append-only feed of bookings and cancellations"}

SECURITY_SCHEMES = {scheme_of(routes.FEED): token_scheme("PROVIDER_FEED_TOKEN", "It permits writing events.")}


def install(app: Application) -> None:
    """Serve the feed."""
    app.register_blueprint(routes.blueprint)
