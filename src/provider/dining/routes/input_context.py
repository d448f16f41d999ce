"""What the validators of requests about orders need to know of the restaurant."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from common.web.idempotency import earliest_possible_send_time
from provider.resources import resources


def restaurant_context() -> Mapping[str, Any]:
    """Return the time zone, the region of phone numbers, and the earliest time at which the request may be sent."""
    settings = resources().dining
    now = earliest_possible_send_time(datetime.now(UTC))
    return {"now": now, "zone": settings.zone, "region": settings.phone_region}
