"""What the API's document shows, and the browser tries out."""

from provider.stays.models import SOON

EXAMPLE_PROPERTY = {
    "property_id": "xE6vqTqA6LTwpE",
    "description": "Spacious 1-bedroom villa overlooking a lake!",
    "turnover_days": 0,
    "hotel_id": None,
    "room_id": None,
}
EXAMPLE_WISH = {"property_id": "xE6vqTqA6LTwpE", "start_date": SOON, "nights": 3}
EXAMPLE_RESERVATION = {
    "reservation_id": "0197a2b4-5c6d-7e8f-9a0b-1c2d3e4f5a6b",
    **EXAMPLE_WISH,
    "created_at": "2026-01-01T12:00:00Z",
}
EXAMPLE_CALENDAR = {
    "property_id": "xE6vqTqA6LTwpE",
    "from": "2021-01-05",
    "to": "2021-01-08",
    "nights": [
        {"night": "2021-01-05", "status": "taken"},
        {"night": "2021-01-06", "status": "turnover"},
        {"night": "2021-01-07", "status": "free"},
    ],
}
