"""SQL of the nights that the holders of properties do not sell."""

from datetime import date
from uuid import UUID

from common.db.pool import Connection, Executor
from provider.stays.inputs.properties import BlockInput
from provider.stays.models.properties import Block

_COLUMNS = "block_id, property_id, first_night, end_date - first_night, note"


async def insert_block(connection: Connection, property_id: str, new: BlockInput) -> Block:
    """Block the nights. Raises ExclusionViolationError when one of them is reserved.

    The caller has checked that the property exists.
    """
    row = await connection.fetchrow(
        f"""
        INSERT INTO property_block (property_id, first_night, end_date, note)
        VALUES ($1, $2, $3, $4)
        RETURNING {_COLUMNS}
        """,  # noqa: S608 - only the literal above
        property_id, new.start_date, new.end, new.note,
    )  # fmt: skip
    assert row is not None
    return Block(*row)


async def select_blocks(db: Executor, property_id: str, after: tuple[date, UUID], limit: int) -> list[Block]:
    """Up to `limit` blocks by first night, after a position: a first night and a block's id."""
    rows = await db.fetch(
        f"""
        SELECT {_COLUMNS}
          FROM property_block
         WHERE property_id = $1
           AND (first_night, block_id) > ($2, $3)
         ORDER BY first_night, block_id
         LIMIT $4
        """,  # noqa: S608 - only the literal above
        property_id, *after, limit,
    )  # fmt: skip
    return [Block(*row) for row in rows]


async def delete_block(db: Executor, property_id: str, block_id: UUID) -> bool:
    """Sell the nights of a block again; returns whether it existed."""
    deleted = await db.fetchval(
        "DELETE FROM property_block WHERE property_id = $1 AND block_id = $2 RETURNING true", property_id, block_id
    )
    return deleted is not None
