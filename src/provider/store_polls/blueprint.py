"""The slice `store_polls`: a stand-in for the source of store polls."""

from common.web.resources import Application
from provider.store_polls import routes

TAGS = {routes.TAG: "Stand-in for the source of store polls: the answers of a fleet of stores, as three CSV files"}


def install(app: Application) -> None:
    """Serve the three files."""
    app.register_blueprint(routes.blueprint)
