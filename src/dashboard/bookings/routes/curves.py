"""HTTP of the curves: how a month and a night filled up beside others, and what was cancelled."""

from typing import Any

import msgspec
from quart import Blueprint, Response
from quart_schema import document_response, tag_blueprint

from common.tables import Table, columns_of
from common.web.openapi.document import PAGE_LINK_HEADER, TABLE_MEDIA, operation
from common.web.query_string import validate_querystring
from common.web.replica import reads_replica
from common.web.resources import pool
from common.web.responses import json_response, page_link
from common.web.table_response import JSON, rendered, table, wanted_form
from dashboard.bookings import curves, service
from dashboard.bookings.inputs import BuildUpQuery, CancellationsQuery, UsualCurveQuery
from dashboard.bookings.models.curves import BuildUp, BuildUpDay, Cancellations, UsualCurve, UsualPoint
from dashboard.bookings.routes.figures import HOTEL_PATH, now

blueprint = Blueprint("curves", __name__)
tag_blueprint(blueprint, ["bookings"])


@blueprint.get(f"{HOTEL_PATH}/build-up")
@operation(headers={200: PAGE_LINK_HEADER})
@table("build-up", BuildUpDay, "items")
@validate_querystring(BuildUpQuery)
@document_response(BuildUp)
@reads_replica
async def get_build_up(hotel_id: int, query_args: BuildUpQuery) -> Response:
    """How the nights of a month were booked, day by day, beside those of the year before.

    The days are those from 180 days before the month to its last day. Earlier events count on the first day, and those
    after the month on the last.
    """
    as_of = await service.require_as_of(pool(), hotel_id, query_args.as_of, now())
    build_up = await curves.compute_build_up(pool(), hotel_id, query_args.month, as_of, query_args.match)
    return json_response(build_up, 200, {"Link": page_link(f"/board/hotels/{hotel_id}/months/{build_up.month}")})


@blueprint.get(f"{HOTEL_PATH}/booking-curve/usual")
@operation(headers={200: PAGE_LINK_HEADER})
@table("booking-curve-usual", UsualPoint, "items")
@validate_querystring(UsualCurveQuery)
@document_response(UsualCurve)
@reads_replica
async def get_usual_booking_curve(hotel_id: int, query_args: UsualCurveQuery) -> Response:
    """What is usual for a night, 365 to 0 days before it, and the booking curve of the year before.

    Usual is the range of the last nights of the same weekday that were slept before `as_of`.
    """
    as_of = await service.require_as_of(pool(), hotel_id, query_args.as_of, now())
    curve = await curves.compute_usual_curve(pool(), hotel_id, query_args, as_of)
    return json_response(curve, 200, {"Link": page_link(f"/board/hotels/{hotel_id}/nights/{curve.night}")})


@blueprint.get(f"{HOTEL_PATH}/cancellations")
@operation(headers={200: PAGE_LINK_HEADER}, media={200: TABLE_MEDIA})
@validate_querystring(CancellationsQuery)
@document_response(Cancellations)
@reads_replica
async def get_cancellations(hotel_id: int, query_args: CancellationsQuery) -> Response:
    """What was booked and cancelled of a year's nights, by days ahead and by month of stay."""
    as_of = await service.require_as_of(pool(), hotel_id, query_args.as_of, now())
    found = await curves.compute_cancellations(pool(), hotel_id, query_args.year, as_of)
    headers = {"Link": page_link(f"/board/hotels/{hotel_id}")}
    form = wanted_form()
    if form == JSON:
        return json_response(found, 200, {"Vary": "Accept", **headers})
    items: list[Any] = found.by_month if query_args.table == "by_month" else found.by_lead
    columns = [column.name for column in columns_of(type(items[0]))]
    name = f"cancellations-{query_args.table.replace('_', '-')}"
    return await rendered(Table(name, columns, map(msgspec.structs.astuple, items)), form, headers)
