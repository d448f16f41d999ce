"""The slice `alerts`: what needs attention, on pages and by signed requests to a receiver."""

from common.web.resources import Application
from dashboard.alerts import routes

TAGS = {routes.TAG: "Alerts that fire, and resolved ones: stores, feeds, jobs, prices, audits and messages"}


def install(app: Application) -> None:
    """Serve the list of alerts."""
    app.register_blueprint(routes.blueprint)
