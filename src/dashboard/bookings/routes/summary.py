"""HTTP of the summary: all hotels on one morning."""

from quart import Blueprint, Response
from quart_schema import document_response, tag_blueprint

from common.web.openapi.document import NEXT_AND_PAGE_LINK_HEADER, operation
from common.web.pagination import next_link
from common.web.query_string import validate_querystring
from common.web.replica import reads_replica
from common.web.resources import pool
from common.web.responses import json_response, page_link
from common.web.table_response import table
from dashboard.bookings.inputs import SummaryQuery
from dashboard.bookings.models.summary import HotelFigures, Summary
from dashboard.bookings.routes.figures import now
from dashboard.bookings.summary import compute_summary
from dashboard.bookings.summary_cursor import decode_position, encode_position

blueprint = Blueprint("summary", __name__)
tag_blueprint(blueprint, ["bookings"])


@blueprint.get("/summary")
@operation(headers={200: NEXT_AND_PAGE_LINK_HEADER})
@table("summary", HotelFigures, "items")
@validate_querystring(SummaryQuery)
@document_response(Summary)
@reads_replica
async def get_summary(query_args: SummaryQuery) -> Response:
    """The hotels on one morning: nights ahead beside the same time last year, and the change of the last two dates.

    `total` is over all hotels found, not only those of the page.
    """
    found = await compute_summary(pool(), query_args, decode_position(query_args), now())
    links = [page_link("/board/hotels")]
    if found.next_after:
        links.insert(0, next_link(encode_position(query_args, found.next_after)))
    summary = Summary(query_args.as_of, query_args.match, list(found.items), found.total)
    return json_response(summary, 200, {"Link": ", ".join(links)})
