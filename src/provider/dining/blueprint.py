"""All of dining's HTTP, by who uses it."""

from quart import Quart

from common.web import signature
from provider.dining.auth.passwords import Passwords
from provider.dining.routes import access, accounting, admin, customer, inbox
from provider.dining.settings import Settings

TAGS = {
    customer.TAG: "Restaurant tables: finding, ordering, cancelling",
    admin.TAG: "Restaurant tables: what staff do, with an admin's access token",
    access.TAG: "Restaurant tables: access and refresh tokens",
    accounting.TAG: "Restaurant tables: decisions of the accounting program, signed",
}
INBOX_TAGS = {inbox.TAG: "Mails that the demo has sent"}
SECURITY_SCHEMES = {"admin": access.ADMIN_SCHEME, "signature": signature.SCHEME}


def install(app: Quart, settings: Settings) -> None:
    """Serve dining, and the inbox where the settings have one."""
    app.extensions["dining"] = settings
    app.extensions["dining_passwords"] = Passwords(settings.users)
    for part in (access, customer, admin, accounting):
        app.register_blueprint(part.blueprint)
    if settings.inbox:
        app.register_blueprint(inbox.blueprint)
