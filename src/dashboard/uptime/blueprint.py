"""The slice `uptime`: reports on when stores were online within their business hours."""

from common.web.resources import Application
from dashboard.uptime.routes import corrections, fleet, imports, reports, spread, stores
from dashboard.uptime.routes_page import fleet as fleet_page

TAGS = {reports.TAG: "When stores were online within their business hours: reports, timelines, incidents, targets"}


def install(app: Application) -> None:
    """Serve reports, imports and the figures of single stores."""
    app.register_blueprint(fleet_page.blueprint)
    for part in (reports, imports, fleet, spread, stores, corrections):
        app.register_blueprint(part.blueprint)
