"""The slice `board`: pages that show several slices. It may import their queries and services; no slice imports it."""

from common.web.page_frame import Frame
from common.web.resources import Application
from dashboard.board import routes
from dashboard.board.frame_state import read_frame_state
from dashboard.board.routes_page import alerts, hotel, hotels, month, morning, night, system, wall

LINKS = {
    "/": "Morning",
    "/board/hotels": "Hotels",
    "/board/prices": "Prices",
    "/board/stores": "Stores",
    "/front-desk": "Front desk",
    "/board/alerts": "Alerts",
    "/board/system": "System",
}

LABELS = {
    "as_of": "Books as of",
    "match": "Beside last year",
    "from": "First month",
    "sort": "Order",
    "search": "Search",
    "day": "Day",
    "week": "Last day of the week",
    "range": "Range of the chart",
    "period": "Period",
    "target": "Target",
    "state": "Now",
    "band": "Share of open time up",
    "cursor": "Page",
    "theme": "Colours",
}


def install(app: Application) -> None:
    """Serve the pages, and put the frame around them."""
    app.frame = Frame("Nightaudit", LINKS, read_frame_state, LABELS)
    for page in (morning, hotels, hotel, month, night, alerts, system, wall):
        app.register_blueprint(page.blueprint)
    app.register_blueprint(system.session_blueprint)
    app.register_blueprint(routes.blueprint)
