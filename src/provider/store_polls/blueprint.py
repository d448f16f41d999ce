"""The slice `store_polls`: a stand-in for the source of the hourly polls of a fleet of stores."""

from common.web.resources import Application
from provider.store_polls import routes

TAGS = {routes.TAG: "Stand-in for the source of store polls: polls, business hours and time zones as CSV files"}


def install(app: Application) -> None:
    """Serve the three CSV files."""
    app.register_blueprint(routes.blueprint)
