"""The slice `catalog`: products, their offers and the trend of their prices."""

from common.web.resources import Application
from dashboard.catalog import routes

TAGS = {"catalog": "Products, their offers, and the history of prices"}
SECURITY_SCHEMES = routes.SECURITY_SCHEMES


def install(app: Application) -> None:
    """Serve the catalogue; where the configuration has a token, every request needs it."""
    app.register_blueprint(routes.blueprint)
