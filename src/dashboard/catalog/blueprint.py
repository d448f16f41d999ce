"""The slice `catalog`: products, their offers, and trends of their prices."""

from common.web.page_session import session_routes
from common.web.resources import Application
from dashboard.catalog.routes import marks, prices, products
from dashboard.catalog.routes_page import prices as prices_page
from dashboard.catalog.routes_page import product as product_page
from dashboard.rights import PRICES

TAGS = {"catalog": "Products, their offers, and trends of their prices"}


def install(app: Application) -> None:
    """Serve the catalogue. When DASHBOARD_API_TOKEN is set, every request needs that token, and pages ask for it."""
    for routes in (products, marks, prices, prices_page, product_page):
        app.register_blueprint(routes.blueprint)
    app.register_blueprint(session_routes(PRICES))
