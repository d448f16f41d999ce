"""The slice `offers`: a stand-in for the external offers service."""

from common.web.errors import set_error_format
from common.web.resources import Application
from provider.offers import routes

TAGS = {"offers": "Stand-in for the external offers service, in that service's own formats"}
SECURITY_SCHEMES = routes.SECURITY_SCHEMES


def install(app: Application) -> None:
    """Serve the stand-in under `routes.PREFIX`, with errors in the service's own format."""
    app.register_blueprint(routes.blueprint)
    set_error_format(app, f"{routes.PREFIX}/", routes.render_problem)
