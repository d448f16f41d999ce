"""Where the tables of the provider are on a Citus cluster; docs/scaling.md says why."""

from common.db.distribution import Distribution

DISTRIBUTION = Distribution(
    spread=(
        {"booking_event": "id"},
        {
            "property": "property_id",
            "reservation": "property_id",
            "property_block": "property_id",
            "calendar_link": "property_id",
            "calendar_source": "property_id",
            "held_nights": "property_id",
            "free_stretch": "property_id",
        },
    ),
    copied=("watched_room", "watched_event", "linked_room", "property_segment", "property_time_zone"),
    node_triggers=frozenset({"booking_event_watched", "property_room_linked", "property_room_changed"}),
    node_functions={
        "reserve_nights(text,date,date,uuid,smallint,boolean)": ("wanted", "property"),
        "calendar_nights(text,date,date)": ("shown", "property"),
        "shown_nights(text,date,text)": ("shown", "property"),
    },
)
