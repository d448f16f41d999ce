"""The statements of the provider whose nodes docs/scaling.md names."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from provider.booking_events import queries as events
from provider.booking_events.inputs import EventsQuery
from provider.booking_events.models import NewEvent
from provider.stays.inputs.calendars import CalendarLinkInput
from provider.stays.inputs.properties import BlockInput, PropertyChange
from provider.stays.inputs.reservations import ReservationInput
from provider.stays.models.calendars import DueSource, HeldNights, ReadLink, Validators
from provider.stays.queries import (
    blocks,
    calendar_links,
    calendar_sources,
    properties,
    reservations,
    storefront,
)

Call = Callable[[Any], Awaitable[Any]]

AT = datetime(2030, 1, 1, tzinfo=UTC)
NIGHT = date(2030, 6, 1)
HOLDER = uuid4()

STAY = ReservationInput.model_construct(property_id="p1", start_date=NIGHT, nights=2)
BLOCK = BlockInput.model_construct(start_date=date(2031, 1, 1), nights=2, note=None)
EVENT = NewEvent(77, 5, AT, 1, "1", NIGHT, False)
HELD = [HeldNights(date(2032, 1, 1), date(2032, 1, 3), "an event")]


@dataclass(frozen=True)
class Stored:
    """What the statements are about; all of it belongs to the property p1."""

    reservation_id: UUID
    link: ReadLink
    source: DueSource


async def store(db: asyncpg.Connection) -> Stored:
    """Store properties, and what the statements are about."""
    for number in range(1, 40):
        await create_property(db, f"p{number}")
    first = ReservationInput.model_construct(property_id="p1", start_date=date(2030, 7, 1), nights=2)
    outcome = await storefront.insert_reservation(db, first, HOLDER, rooms=False)
    assert outcome is not None
    assert outcome.reservation_id is not None
    link = await calendar_links.insert_link(db, "p1", CalendarLinkInput(), bytes(32), 50)
    assert link is not None
    await calendar_sources.insert_source(db, "p1", "site", "https://calendars.example.org/1")
    (source,) = await calendar_sources.select_due_sources(db, AT, 10)
    return Stored(outcome.reservation_id, ReadLink("p1", link.link_id, None), source)


async def create_property(db: asyncpg.Connection | asyncpg.Pool, property_id: str, hotel_id: int | None = None) -> None:
    await db.execute(
        "SELECT create_property($1, 'a hut', 0::smallint, $2, $3, NULL)", property_id, hotel_id, hotel_id and "1"
    )


def statements(stored: Stored) -> Mapping[str, Call]:
    """Each statement of the document, in an order in which all of them succeed."""
    reservation_id, link, source = stored.reservation_id, stored.link, stored.source
    return {
        "insert_events_of_node": lambda db: events.insert_events_of_node(db, [EVENT]),
        "select_event": lambda db: events.select_event(db, 1),
        "select_page": lambda db: events.select_page(events.LineReader(db, True), EventsQuery(), "json", None, 10),
        "select_new_ids": lambda db: events.select_new_ids(db, 10),
        "insert_reservation": lambda db: storefront.insert_reservation(db, STAY, HOLDER, rooms=False),
        "select_reservation": lambda db: reservations.select_reservation(db, reservation_id, HOLDER),
        "select_reservations": lambda db: reservations.select_reservations(db, HOLDER, UUID(int=2**128 - 1), 10),
        "select_arrivals": lambda db: reservations.select_arrivals(db, NIGHT, "", 10),
        "select_departures": lambda db: reservations.select_departures(db, NIGHT, "", 10),
        "lock_reservation": lambda db: storefront.lock_reservation(db, reservation_id, HOLDER),
        "select_live_stay": lambda db: storefront.select_live_stay(db, "p1", reservation_id),
        "update_nights": lambda db: storefront.update_nights(
            db, "p1", reservation_id, date(2030, 7, 2), date(2030, 7, 4)
        ),
        "update_cut_short": lambda db: storefront.update_cut_short(db, "p1", reservation_id, date(2030, 7, 3)),
        "update_cancelled": lambda db: storefront.update_cancelled(db, "p1", reservation_id),
        "select_calendar": lambda db: storefront.select_calendar(db, "p1", NIGHT, date(2030, 7, 1)),
        **_calendar_statements(link, source),
        "select_property": lambda db: properties.select_property(db, "p1"),
        "select_time_zone": lambda db: properties.select_time_zone(db, "p1"),
        "update_property": lambda db: properties.update_property(db, "p1", PropertyChange(on_sale=False)),
        "select_properties": lambda db: properties.select_properties(db, "", 10),
        "select_conflicts": lambda db: properties.select_conflicts(db, HOLDER, ("", date.min, "", ""), NIGHT, 10),
        "select_is_linked": lambda db: properties.select_is_linked(db, "p39"),
        "select_has_reservations": lambda db: properties.select_has_reservations(db, "p39"),
        "delete_room_link": lambda db: properties.delete_room_link(db, "p39"),
        "delete_property": lambda db: properties.delete_property(db, "p39"),
        "insert_block": lambda db: blocks.insert_block(db, "p1", BLOCK),
        "select_available": lambda db: storefront.select_available(db, NIGHT, 2, "", 10),
        "select_available_start_dates": lambda db: storefront.select_available_start_dates(db, [NIGHT], 2),
    }


def _calendar_statements(link: ReadLink, source: DueSource) -> Mapping[str, Call]:
    new = CalendarLinkInput()
    return {
        "select_shown_nights": lambda db: calendar_links.select_shown_nights(db, "p1", NIGHT, None),
        "select_calendar_owner": lambda db: calendar_links.select_calendar_owner(db, "p1"),
        "insert_link": lambda db: calendar_links.insert_link(db, "p1", new, bytes(range(32)), 50),
        "select_links": lambda db: calendar_links.select_links(db, "p1", UUID(int=0), 10),
        "select_link": lambda db: calendar_links.select_link(db, bytes(32)),
        "update_link_read": lambda db: calendar_links.update_link_read(db, link, bytes(32), AT),
        "delete_link": lambda db: calendar_links.delete_link(db, "p1", link.link_id),
        "count_sources": lambda db: calendar_sources.count_sources(db, "p1"),
        "insert_source": lambda db: calendar_sources.insert_source(db, "p1", "other", source.url),
        "select_sources": lambda db: calendar_sources.select_sources(db, "p1", limit=1),
        "select_due_sources": lambda db: calendar_sources.select_due_sources(db, AT, 10),
        "select_calendar_tag": lambda db: calendar_sources.select_calendar_tag(db, "p1"),
        "update_read": lambda db: calendar_sources.update_read(db, source, AT, AT, None, success=True),
        "replace_held_nights": lambda db: calendar_sources.replace_held_nights(db, source, HELD),
        "select_held_by_events": lambda db: calendar_sources.select_held_by_events(db, source, ["an event"]),
        "update_content": lambda db: calendar_sources.update_content(db, source, Validators(), bytes(32), NIGHT),
        "select_source_states": lambda db: calendar_sources.select_source_states(db),
        "update_sources_to_read_anew": lambda db: calendar_sources.update_sources_to_read_anew(db, "p1"),
        "select_number_of_held_nights": lambda db: calendar_sources.select_number_of_held_nights(db),
        "update_source": lambda db: calendar_sources.update_source(db, "p1", "site", "https://calendars.example.org/2"),
        "delete_source": lambda db: calendar_sources.delete_source(db, "p1", "site"),
    }
