"""The slice `front_desk`: the accounting program, where staff decide orders for restaurant tables."""

from common.web import signature
from common.web.page_session import session_routes
from common.web.resources import Application
from dashboard.front_desk import routes, routes_page
from dashboard.front_desk.staff import REALM

TAGS = {routes.TAG: "The accounting program: staff confirm or decline orders for restaurant tables"}
SECURITY_SCHEMES = {"staff": routes.STAFF_SCHEME, "signature": signature.SIGNATURE_SCHEME}


def install(app: Application) -> None:
    """Serve the API and the page of the front desk."""
    app.register_blueprint(routes.blueprint)
    app.register_blueprint(routes_page.blueprint)
    app.register_blueprint(session_routes(REALM))
