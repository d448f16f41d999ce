"""HTTP of what people change by hand: closures, groups, wrong polls."""

from datetime import UTC, date, datetime

from quart import Blueprint, Response
from quart_schema import document_response, tag_blueprint

from common.instants import format_instant
from common.web.input_types import TableQuery
from common.web.openapi.document import operation
from common.web.query_string import validate_querystring
from common.web.request_body import json_body
from common.web.resources import pool
from common.web.responses import json_response
from common.web.table_response import table
from dashboard.resources import resources
from dashboard.rights import api_token_required
from dashboard.uptime import corrections
from dashboard.uptime.corrections import Change
from dashboard.uptime.inputs import ClosuresInput, PollsToDelete, StoreInput
from dashboard.uptime.models.stores import Closure, DeletedPolls, StoredClosure, StoreNow
from dashboard.uptime.queries.corrections import select_closures
from dashboard.uptime.routes.callers import changed_by
from dashboard.uptime.routes.stores import (
    ONE_STORE,
    STORE,
    STORE_EXAMPLE,
    STORE_NOW_EXAMPLE,
    get_store,
    require_known_store,
)

blueprint = Blueprint("uptime_corrections", __name__)
tag_blueprint(blueprint, ["uptime"])

CLOSURES = [
    {"from": "2026-12-25", "to": "2026-12-26", "reason": "Christmas"},
    {"from": "2026-12-31", "to": "2026-12-31", "reason": "Stocktaking"},
]


def shown(closures: list[StoredClosure]) -> list[Closure]:
    return [Closure(_text(each.start), _text(each.end), each.reason) for each in closures]


def _text(at: date | datetime) -> str:
    return format_instant(at) if isinstance(at, datetime) else at.isoformat()


def change_of(store_id: str) -> Change:
    return Change(store_id, changed_by(), datetime.now(UTC))


@blueprint.put(ONE_STORE)
@operation(404, example=STORE_NOW_EXAMPLE, path_examples=STORE_EXAMPLE, request_example={"group": "north"})
@api_token_required
@json_body(StoreInput)
@document_response(StoreNow)
async def change_store(store_id: str, data: StoreInput) -> Response:
    """Set the group of a store, by which reports choose stores."""
    await require_known_store(store_id)
    await corrections.set_group(pool(), change_of(store_id), data.group)
    return await get_store(store_id)


@blueprint.get(f"{STORE}/closures")
@operation(404, example=CLOSURES, path_examples=STORE_EXAMPLE)
@table("closures", Closure)
@validate_querystring(TableQuery)
@document_response(list[Closure])
async def list_closures(store_id: str, query_args: TableQuery) -> Response:
    """The closures of a store: holidays and maintenance, which are not open time."""
    await require_known_store(store_id)
    return json_response(shown(await select_closures(pool(), store_id)))


@blueprint.put(f"{STORE}/closures")
@operation(404, example=CLOSURES, path_examples=STORE_EXAMPLE, request_example=CLOSURES)
@api_token_required
@json_body(ClosuresInput)
@document_response(list[Closure])
async def replace_closures(store_id: str, data: ClosuresInput) -> Response:
    """Replace the closures of a store. They are not open time in any figure, past ones included.

    Days are those of the store's time zone, the last one included. Days whose polls were deleted by their age keep
    their figures.
    """
    await require_known_store(store_id)
    closures = [StoredClosure(each.from_, each.to, each.reason) for each in data.root]
    await corrections.replace_closures(pool(), change_of(store_id), closures)
    return json_response(shown(closures))


@blueprint.delete(f"{STORE}/polls")
@operation(404, example={"deleted": 24}, path_examples=STORE_EXAMPLE)
@api_token_required
@validate_querystring(PollsToDelete)
@document_response(DeletedPolls)
async def delete_polls(store_id: str, query_args: PollsToDelete) -> Response:
    """Delete the polls of a store in `[from, to)`, which were wrong.

    Pulls do not bring them back; an upload or `import-stores` may store other ones.
    """
    await require_known_store(store_id)
    db = resources().report_runner.db  # its time-outs allow for a long span
    return json_response(
        DeletedPolls(await corrections.delete_polls(db, change_of(store_id), query_args.from_, query_args.to))
    )
