"""Who may see the orders: staff, by their token or by a session of the page."""

from common.web.page_session import Realm
from dashboard.resources import resources

STAFF = "staff"
"""The kind of the staff's token: at the log-in of the page and as a bearer token it has one count of failures."""

REALM = Realm(
    STAFF,
    "/front-desk",
    "Front desk",
    "Staff confirm or decline orders for tables here.",
    tokens=lambda: resources().front_desk.staff_token,
    shown_token=lambda: resources().front_desk.shown_token,
)
