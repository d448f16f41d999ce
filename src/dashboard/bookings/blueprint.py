"""The slice `bookings`: figures of hotel bookings, counted from the booking feed."""

from common.web.resources import Application
from dashboard.bookings.routes import figures, nights, summary

TAGS = {"bookings": "Hotel bookings: counts by month and day, pickup, pace, booking curves and lead times"}


def install(app: Application) -> None:
    """Serve the booking figures."""
    for routes in (figures, nights, summary):
        app.register_blueprint(routes.blueprint)
