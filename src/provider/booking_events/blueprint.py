"""The slice `booking_events`: the append-only feed of bookings and cancellations."""

from common.web.resources import Application
from provider.booking_events import routes

TAGS = {"booking events": "The append-only feed of bookings and cancellations"}


def install(app: Application) -> None:
    """Serve the feed."""
    app.register_blueprint(routes.blueprint)
