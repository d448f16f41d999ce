"""The slice `uptime`: reports on when stores were online within their business hours."""

from common.web.resources import Application
from dashboard.uptime.routes import corrections, fleet, imports, reports, spread, stores
from dashboard.uptime.routes_page import fleet as fleet_page
from dashboard.uptime.routes_page import store as store_page

TAGS = {reports.TAG: "When stores were online within their business hours: reports, timelines, incidents, targets"}


def install(app: Application) -> None:
    """Serve reports, imports, the figures of single stores, and the pages of the fleet and of a store."""
    app.register_blueprint(fleet_page.blueprint)
    for part in (reports, imports, fleet, spread, stores, corrections):
        app.register_blueprint(part.blueprint)
    app.register_blueprint(store_page.blueprint)
