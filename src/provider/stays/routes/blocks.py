"""HTTP of the nights that the holder of a property does not sell."""

from datetime import date
from uuid import UUID

from quart import Blueprint, Response, g
from quart_schema import document_response

from common.db.pool import Connection
from common.web import responses
from common.web.errors import NotFound
from common.web.idempotency import StoredResponse, run_once_per_key
from common.web.input_types import PageQuery
from common.web.openapi.document import LINK_HEADER
from common.web.pagination import decode_cursor, page_and_link
from common.web.query_string import validate_querystring
from common.web.request_body import json_body
from common.web.resources import pool
from common.web.table_response import table
from provider.hotel_rooms import UUID_PATTERN
from provider.stays.inputs.properties import BlockInput
from provider.stays.models.properties import Block
from provider.stays.queries import blocks
from provider.stays.routes.access import OWN_PROPERTY_PATH_EXAMPLE, holder_operation, require_token
from provider.stays.routes.storefront import no_content
from provider.stays.service.properties import block
from provider.stays.service.rights import require_own_property

blueprint = Blueprint("property_blocks", __name__)

require_token(blueprint)

EXAMPLE_BLOCK = {
    "block_id": "0197a2b4-5c6d-7e8f-9a0b-1c2d3e4f5a6b",
    "property_id": OWN_PROPERTY_PATH_EXAMPLE["property_id"],
    "start_date": "2026-07-01",
    "nights": 3,
    "note": "The roof is mended",
}
BLOCK_PATH_EXAMPLE = {**OWN_PROPERTY_PATH_EXAMPLE, "block_id": EXAMPLE_BLOCK["block_id"]}


@blueprint.post("/properties/<property:property_id>/blocks")
@holder_operation(
    409,
    headers={201: {"Location": "The path of the block"}},
    descriptions={201: "Blocked", 409: "A guest has reserved one of the nights (`not_available`)"},
    example=EXAMPLE_BLOCK,
    idempotent=True,
)
@document_response(Block, 201)
@json_body(BlockInput)
async def create_block(property_id: str, data: BlockInput) -> Response:
    """Take nights of a property off sale, by the token that created it or the administrator's.

    Blocks may overlap one another. Nights that are blocked keep no turnover free.
    """
    data.require_sane()
    holder: UUID | None = g.holder

    async def create(connection: Connection) -> StoredResponse:
        created = await block(connection, property_id, data, holder)
        location = f"/properties/{property_id}/blocks/{created.block_id}"
        return StoredResponse(201, responses.encode_json(created), {"Location": location})

    return await run_once_per_key(pool(), "POST /properties/{property_id}/blocks", create, caller=str(g.maker))


@blueprint.get("/properties/<property:property_id>/blocks")
@holder_operation(
    headers={200: LINK_HEADER},
    example=[EXAMPLE_BLOCK],
)
@table("blocks", Block)
@validate_querystring(PageQuery)
@document_response(list[Block])
async def list_blocks(property_id: str, query_args: PageQuery) -> Response:
    """The blocks of a property, by first night; for the token that created it and the administrator's."""
    await require_own_property(pool(), property_id, g.holder)
    after = decode_position(query_args.cursor)
    found = await blocks.select_blocks(pool(), property_id, after, query_args.limit + 1)
    page, headers = page_and_link(found, query_args.limit, lambda last: (last.start_date, last.block_id))
    return responses.json_response(page, headers=headers)


@blueprint.delete("/properties/<property:property_id>/blocks/<block_id>")
@holder_operation(descriptions={204: "The nights are for sale again"}, path_examples=BLOCK_PATH_EXAMPLE)
async def delete_block(property_id: str, block_id: str) -> Response:
    """Sell the nights of a block again, where no other block has them too."""
    await require_own_property(pool(), property_id, g.holder)
    if not UUID_PATTERN.fullmatch(block_id) or not await blocks.delete_block(pool(), property_id, UUID(block_id)):
        raise NotFound("There is no such block.")
    return no_content()


def decode_position(cursor: str | None) -> tuple[date, UUID]:
    """Decode the first night and the block after which a page begins. Raises Invalid."""
    return (date.min, UUID(int=0)) if cursor is None else decode_cursor(cursor, tuple[date, UUID])
