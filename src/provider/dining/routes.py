"""All of dining's HTTP, by who uses it."""

from quart import Quart

from common import signature
from provider.dining import routes_access, routes_accounting, routes_admin, routes_customer, routes_inbox
from provider.dining.passwords import Passwords
from provider.dining.settings import Settings

TAGS = {
    routes_customer.TAG: "Restaurant tables: finding, ordering, cancelling",
    routes_admin.TAG: "Restaurant tables: what staff do, with an admin's access token",
    routes_access.TAG: "Restaurant tables: access and refresh tokens",
    routes_accounting.TAG: "Restaurant tables: decisions of the accounting program, signed",
}
INBOX_TAGS = {routes_inbox.TAG: "Mails that the demo has sent"}
SECURITY_SCHEMES = {"admin": routes_access.ADMIN_SCHEME, "signature": signature.SCHEME}


def install(app: Quart, settings: Settings) -> None:
    """Serve dining, and the inbox where the settings have one."""
    app.extensions["dining"] = settings
    app.extensions["dining_passwords"] = Passwords(settings.users)
    for part in (routes_access, routes_customer, routes_admin, routes_accounting):
        app.register_blueprint(part.blueprint)
    if settings.inbox:
        app.register_blueprint(routes_inbox.blueprint)
