"""Whose properties and reservations they are."""

from uuid import UUID

from common.db.pool import Executor
from common.web.errors import Forbidden, Invalid, NotFound
from provider.stays.queries import properties


async def require_own_property(db: Executor, property_id: str, holder: UUID | None) -> None:
    """Raises NotFound, or Forbidden for a property of another holder. holder: None for the administrator."""
    owner = await properties.select_holder(db, property_id)
    if owner is None:
        raise unknown_property(property_id)
    if holder is not None and owner != (holder,):
        raise Forbidden("The property was created with another token.", code="not_holder")


def unknown_property_field() -> Invalid:
    return Invalid.field("property_id", "is not a known property")


def unknown_property(property_id: str) -> NotFound:
    return NotFound(f"There is no property {property_id!r}.")
