"""HTTP of the nights of a hotel beside those of the year before."""

from quart import Blueprint, Response
from quart_schema import document_response, tag_blueprint

from common.web.openapi.document import PAGE_LINK_HEADER, operation
from common.web.query_string import validate_querystring
from common.web.replica import reads_replica
from common.web.resources import pool
from common.web.responses import json_response, page_link
from common.web.table_response import table
from dashboard.bookings import service
from dashboard.bookings.inputs import NightsQuery
from dashboard.bookings.models.nights import NightFigures, Nights
from dashboard.bookings.routes.figures import HOTEL_PATH, now

blueprint = Blueprint("nights", __name__)
tag_blueprint(blueprint, ["bookings"])


@blueprint.get(f"{HOTEL_PATH}/nights")
@operation(headers={200: PAGE_LINK_HEADER})
@table("nights", NightFigures, "items")
@validate_querystring(NightsQuery)
@document_response(Nights)
@reads_replica
async def get_nights(hotel_id: int, query_args: NightsQuery) -> Response:
    """Rooms on the books, pickup and the same time last year for each night; at most 400 nights."""
    found = await service.compute_nights(pool(), hotel_id, query_args, now())
    return json_response(found, 200, {"Link": page_link(f"/board/hotels/{hotel_id}")})
