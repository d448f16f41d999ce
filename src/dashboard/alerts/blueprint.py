"""The slice `alerts`: what somebody must hear of, on pages and by a signed request to a receiver."""

from common.web.resources import Application
from dashboard.alerts import routes

TAGS = {routes.TAG: "What fires now, and what is over: stores, feeds, jobs, prices, audits and messages"}


def install(app: Application) -> None:
    """Serve the list of alerts."""
    app.register_blueprint(routes.blueprint)
