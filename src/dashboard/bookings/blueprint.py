"""The slice `bookings`: figures of hotel bookings, counted from the booking feed."""

from common.web.resources import Application
from dashboard.bookings.routes import curves, figures

TAGS = {
    "bookings": "Hotel bookings: counts by month and day, pickup, pace, booking curves, lead times and cancellations"
}


def install(app: Application) -> None:
    """Serve the booking figures."""
    app.register_blueprint(figures.blueprint)
    app.register_blueprint(curves.blueprint)
