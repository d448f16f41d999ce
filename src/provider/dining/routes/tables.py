"""HTTP of the restaurant's staff: tables, their prices, and opening hours."""

from quart import Blueprint, Response
from quart_schema import document_response, tag

from common.db.pool import Connection, transaction
from common.web import responses
from common.web.idempotency import StoredResponse, run_once_per_key
from common.web.input_types import PageQuery, TableQuery
from common.web.openapi.document import LINK_HEADER, operation
from common.web.pagination import decode_cursor, page_and_link
from common.web.query_string import validate_querystring
from common.web.request_body import json_body
from common.web.resources import pool
from common.web.responses import json_response
from common.web.table_response import table
from provider.dining import service
from provider.dining.inputs import (
    BulkInput,
    OpeningHoursList,
    PricesQuery,
    TableChange,
    TableInput,
)
from provider.dining.models import (
    EXAMPLE_BULK,
    EXAMPLE_HOURS,
    EXAMPLE_TABLE,
    BulkResult,
    OpeningHours,
    Table,
    TablePrice,
)
from provider.dining.queries import opening_hours, tables
from provider.dining.routes.access import ADMIN_TAG, admin_only, current_actor

blueprint = Blueprint("dining_tables", __name__, url_prefix="/api/admin")


@blueprint.post("/add_table/")
@operation(401, request_example={"table_type": "cabin", "seats": 4, "price": 25.5}, example=EXAMPLE_TABLE,
           idempotent=True)  # fmt: skip
@tag([ADMIN_TAG])
@admin_only
@document_response(Table, 201)
@json_body(TableInput, empty=True)
async def add_table(data: TableInput) -> Response:
    """Add a table. By default it is regular, has 2 seats, costs nothing and is open for booking."""

    async def create(connection: Connection) -> StoredResponse:
        [table] = await tables.insert_tables(connection, [data])
        return StoredResponse(201, responses.encode_json(table))

    return await run_once_per_key(pool(), "POST /api/admin/add_table/", create, caller=str(current_actor()))


@blueprint.patch("/update_table/")
@operation(401, 404, request_example={"id": 1, "price": 30, "can_be_booked": True}, example=EXAMPLE_TABLE)
@tag([ADMIN_TAG])
@admin_only
@document_response(Table)
@json_body(TableChange)
async def update_table(data: TableChange) -> Response:
    """Change a table's price, type or seats, or close it for booking. Omitted fields stay as they are."""
    changed = await tables.update_tables(pool(), [data])
    if data.id not in changed:
        raise service.unknown_table(data.id)
    return json_response(changed[data.id])


@blueprint.post("/tables/bulk")
@operation(
    401, 404,
    descriptions={200: "Tables were changed", 201: "Tables were added"},
    example=EXAMPLE_BULK,
    request_example={"add": [{"table_type": "room", "seats": 8}], "update": [{"id": 1, "price": 27.5}]},
    idempotent=True,
)  # fmt: skip
@tag([ADMIN_TAG])
@admin_only
@document_response(BulkResult, 200)
@document_response(BulkResult, 201)
@json_body(BulkInput)
async def change_tables(data: BulkInput) -> Response:
    """Add and change many tables, all or none. 404 names the tables that do not exist."""
    data.require_consistent()

    async def create(connection: Connection) -> StoredResponse:
        result = await service.change_tables(connection, data)
        return StoredResponse(201 if result.added else 200, responses.encode_json(result))

    return await run_once_per_key(pool(), "POST /api/admin/tables/bulk", create, caller=str(current_actor()))


@blueprint.get("/view_tables/")
@operation(401, 403, headers={200: LINK_HEADER}, example=[EXAMPLE_TABLE])
@tag([ADMIN_TAG])
@admin_only
@table("tables", Table)
@validate_querystring(PageQuery)
@document_response(list[Table])
async def list_all_tables(query_args: PageQuery) -> Response:
    """List all tables, including those closed for booking."""
    after = decode_cursor(query_args.cursor, tuple[int])[0] if query_args.cursor else 0
    found = await tables.select_tables(pool(), after, query_args.limit + 1)
    page, headers = page_and_link(found, query_args.limit, lambda last: (last.id,))
    return json_response(page, headers=headers)


@blueprint.get("/view_prices/")
@operation(401, 403, 404, example=[{"price": 25.5, "valid_from": "2026-01-01T12:00:00Z"}])
@tag([ADMIN_TAG])
@admin_only
@table("prices", TablePrice)
@validate_querystring(PricesQuery)
@document_response(list[TablePrice])
async def list_prices(query_args: PricesQuery) -> Response:
    """List every price that a table has had, oldest first."""
    prices = await tables.select_prices(pool(), query_args.id)
    if not prices:
        raise service.unknown_table(query_args.id)
    return json_response(prices)


@blueprint.get("/opening_hours")
@operation(401, 403, example=EXAMPLE_HOURS)
@tag([ADMIN_TAG])
@admin_only
@table("opening_hours", OpeningHours)
@validate_querystring(TableQuery)
@document_response(list[OpeningHours])
async def list_opening_hours(query_args: TableQuery) -> Response:
    """List the hours in which guests may order tables. An empty list: always."""
    return json_response(await opening_hours.select_opening_hours(pool()))


@blueprint.put("/opening_hours")
@operation(401, request_example=EXAMPLE_HOURS, example=EXAMPLE_HOURS)
@tag([ADMIN_TAG])
@admin_only
@document_response(list[OpeningHours])
@json_body(OpeningHoursList)
async def set_opening_hours(data: OpeningHoursList) -> Response:
    """Replace all opening hours. An empty list: guests may order at any time. Bookings stay as they are.

    Hours that do not close after they open on the same day close on the next one; equal times are a whole day.
    """
    hours = data.opening_hours()
    async with transaction(pool()) as connection:
        return json_response(await service.replace_opening_hours(connection, hours))
