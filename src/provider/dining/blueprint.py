"""The slice `dining`: restaurant tables, orders for them, and messages about the orders."""

from common.web import signature
from common.web.resources import Application
from provider.dining.routes import access, accounting, bookings, customer, inbox, outbox, tables
from provider.dining.routes.book_page import order, search
from provider.dining.settings import DiningSettings

TAGS = {
    customer.TAG: "Restaurant tables: finding, ordering, cancelling",
    access.ADMIN_TAG: "Restaurant tables: administration, with an admin's access token",
    access.TAG: "Restaurant tables: access and refresh tokens",
    accounting.TAG: "Restaurant tables: signed decisions of the accounting program",
}
INBOX_TAGS = {inbox.TAG: "Emails that the demo has sent"}
SECURITY_SCHEMES = {"admin": access.ADMIN_SCHEME, "signature": signature.SIGNATURE_SCHEME}


def install(app: Application, settings: DiningSettings) -> None:
    """Serve dining, and the demo's inbox where the settings enable it."""
    for part in (access, customer, search, order, tables, bookings, outbox, accounting):
        app.register_blueprint(part.blueprint)
    if settings.inbox:
        app.register_blueprint(inbox.blueprint)
