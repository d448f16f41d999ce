"""The slice `uptime`: reports on when stores were online within their business hours."""

from common.web.resources import Application
from dashboard.uptime.routes import corrections, fleet, imports, reports, stores
from dashboard.uptime.routes_page import store as store_page

TAGS = {reports.TAG: "When stores were online within their business hours: reports, timelines, incidents, targets"}


def install(app: Application) -> None:
    """Serve reports, imports, the figures of single stores, and the page of a store."""
    for part in (reports, imports, fleet, stores, corrections):
        app.register_blueprint(part.blueprint)
    app.register_blueprint(store_page.blueprint)
