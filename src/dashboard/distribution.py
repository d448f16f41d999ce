"""Where the tables of the dashboard are on a Citus cluster; docs/scaling.md says why."""

from common.db.distribution import Distribution

DISTRIBUTION = Distribution(
    spread=(
        {
            "hotel_summary": "hotel_id",
            "hotel_profile": "hotel_id",
            "ledger_event": "hotel_id",
            "night_counter": "hotel_id",
            "day_counter": "hotel_id",
        },
    ),
    # The first two columns identify an event, and every page looks for its events by them.
    keys={"ledger_event": ("feed_number", "id", "hotel_id")},
)
