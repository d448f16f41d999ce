"""Creating, changing, blocking and deleting properties."""

from uuid import UUID

import asyncpg

from common.db.pool import Connection, transaction
from common.web.errors import Conflict
from provider.hotel_rooms import BOOKING
from provider.stays.inputs.properties import BlockInput, PropertyChange, PropertyInput
from provider.stays.models.properties import Block, Property
from provider.stays.queries import blocks, calendar_sources, properties
from provider.stays.service.feed_events import AppendEvents, night_events
from provider.stays.service.rights import require_own_property, unknown_property


async def block(connection: Connection, property_id: str, new: BlockInput, holder: UUID | None) -> Block:
    """Take nights off sale, inside the caller's transaction. holder: None for the administrator.

    Raises NotFound, Forbidden for a property of another holder, Conflict when one of the nights is reserved.
    """
    await require_own_property(connection, property_id, holder)
    try:
        return await blocks.insert_block(connection, property_id, new)
    except asyncpg.ExclusionViolationError:
        raise Conflict("A guest has reserved one of these nights.", code="not_available") from None
    except asyncpg.ForeignKeyViolationError:  # deleted at the same moment
        raise unknown_property(property_id) from None


async def create_property(connection: Connection, new: PropertyInput, holder: UUID) -> Property:
    """Store a property inside the caller's transaction. Raises Conflict when its id or its room is taken."""
    if new.hotel_id is not None:
        await properties.lock_room_links(connection)
    try:
        created = await properties.insert_property(connection, new, holder)
    except asyncpg.UniqueViolationError:
        raise room_is_linked() from None
    if created is None:
        raise Conflict(f"Property {new.property_id!r} exists already.", code="property_exists")
    return created


async def change_property(
    db: asyncpg.Pool, append: AppendEvents, property_id: str, change: PropertyChange, holder: UUID | None
) -> Property:
    """Change a property; a new room gets the events of the stays that are not in the feed.

    holder: None for the administrator. Raises NotFound, Forbidden for a property of another holder, and Conflict when
    the room belongs to another property, or when another has sold it for a night of these stays.
    """
    async with transaction(db) as connection:
        if change.changes_link:
            # Rights before the lock, for which all events and reservations of hotels' rooms would wait; again after it.
            await require_own_property(connection, property_id, holder)
            await properties.lock_room_links(connection)
        await properties.lock_properties(connection, property_id)
        await require_own_property(connection, property_id, holder)
        await properties.note_time_zone(connection, change.timezone)
        try:
            changed = await properties.update_property(connection, property_id, change)
            if change.changes_link and changed is not None:
                await properties.note_room_link(connection, property_id)
        except asyncpg.UniqueViolationError:
            raise room_is_linked() from None
        if changed is None:
            raise unknown_property(property_id)
        if "timezone" in change.model_fields_set:  # it decides which nights the events in calendars of other sites have
            await calendar_sources.update_sources_to_read_anew(connection, property_id)
        if change.changes_link and changed.hotel_id is not None:
            night = await properties.select_night_sold_by_another(connection, property_id)
            if night is not None:
                raise Conflict(f"Another property has sold this room for the night of {night}.", code="room_sold")
            stays = await properties.update_linked_stays(connection, property_id)
            await append(connection, [event for stay in stays for event in night_events(stay, BOOKING)])
    return changed


async def delete_property(db: asyncpg.Pool, property_id: str, holder: UUID | None) -> None:
    """Delete a property that never had a reservation: reservations, cancelled ones included, are never deleted.

    holder: None for the administrator. Raises NotFound, Forbidden for a property of another holder, and Conflict for a
    property with reservations.
    """
    await require_own_property(db, property_id, holder)
    is_linked = await properties.select_is_linked(db, property_id)
    if not await _delete_property(db, property_id, holder, locks_links=is_linked):
        await _delete_property(db, property_id, holder, locks_links=True)


async def _delete_property(db: asyncpg.Pool, property_id: str, holder: UUID | None, *, locks_links: bool) -> bool:
    """Delete a property; False, and nothing is deleted, if it has a room and `locks_links` is False.

    Only a property that has a room needs the lock: all events and reservations of hotels' rooms wait for it.
    """
    async with transaction(db) as connection:
        if locks_links:
            # Events of a linked room are noted under its property: no link changes meanwhile.
            await properties.lock_room_links(connection)
        await properties.lock_properties(connection, property_id)
        await require_own_property(connection, property_id, holder)
        if not locks_links and await properties.select_is_linked(connection, property_id):
            return False
        if await properties.select_has_reservations(connection, property_id):
            raise Conflict(
                "The property has reservations, which are kept, also past and cancelled ones. To stop selling it, send "
                f'PATCH /properties/{property_id} with {{"on_sale": false}}.',
                code="has_stays",
            )
        await properties.delete_room_link(connection, property_id)
        await properties.delete_property(connection, property_id)
    return True


def room_is_linked() -> Conflict:
    return Conflict("The room belongs to another property; remove that link first.", code="room_linked")
