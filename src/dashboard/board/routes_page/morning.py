"""The page at `/`."""

from quart import Blueprint, Response
from quart_schema import hide

from common.web.html import html_page
from common.web.page_frame import framed_page, page_tag, unchanged
from common.web.resources import pool
from dashboard.board.board_templates import templates
from dashboard.bookings.queries.counters import select_ledger_totals

blueprint = Blueprint("board_morning", __name__)


@blueprint.get("/")
@html_page
@hide
async def get_morning() -> Response:
    """Show what changed since yesterday."""
    totals = await select_ledger_totals(pool())
    tag = await page_tag(totals)
    return unchanged(tag) or framed_page(templates, "morning.html", tag, live_seconds=10, totals=totals)
