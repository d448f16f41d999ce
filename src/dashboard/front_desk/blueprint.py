"""The slice `front_desk`: the accounting program, where staff decide orders for restaurant tables."""

from common.web import signature
from common.web.resources import Application
from dashboard.front_desk import routes, routes_page

TAGS = {routes.TAG: "The accounting program: orders for restaurant tables, confirmed or declined by staff"}
SECURITY_SCHEMES = {"staff": routes.STAFF_SCHEME, "signature": signature.SIGNATURE_SCHEME}


def install(app: Application) -> None:
    """Serve the front desk, for programs and for people."""
    app.register_blueprint(routes.blueprint)
    app.register_blueprint(routes_page.blueprint)
