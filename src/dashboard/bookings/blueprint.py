"""The slice `bookings`: the counters of hotel bookings."""

from common.web.resources import Application
from dashboard.bookings import routes

TAGS = {"bookings": "The numbers that the house is run by"}


def install(app: Application) -> None:
    """Serve the counters."""
    app.register_blueprint(routes.blueprint)
