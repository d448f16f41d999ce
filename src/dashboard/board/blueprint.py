"""The slice `board`: pages that show several slices. It may import their queries and services; no slice imports it."""

from common.web import landing_page
from common.web.resources import Application
from dashboard.board.landing_figures import landing_figures

LINKS = {
    "/docs": "API (Swagger)",
    "/hotels": "Hotels",
    "/products": "Products",
    "/stores?order=downtime": "Stores",
    "/reports": "Reports on stores",
    "/quarantine": "Quarantine",
    "/front-desk": "Front desk",
    "/jobs": "Jobs",
    "/metrics": "Metrics",
    "/readyz?verbose": "Health",
}


def install(app: Application, *, title: str, description: str) -> None:
    """Serve the landing page."""
    landing_page.install(app, title=title, description=description, links=LINKS, figures=landing_figures)
