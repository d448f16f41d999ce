"""The slice `catalog`: products, their offers, and trends of their prices."""

from common.web.resources import Application
from dashboard.catalog.routes import marks, prices, products

TAGS = {"catalog": "Products, their offers, and trends of their prices"}


def install(app: Application) -> None:
    """Serve the catalogue. When DASHBOARD_API_TOKEN is set, every request needs that token."""
    for routes in (products, marks, prices):
        app.register_blueprint(routes.blueprint)
