"""Times as guests read them: by the clocks of the restaurant."""

from datetime import datetime

from common.time_zones import format_local
from provider.dining.settings import DiningSettings


def format_start(start: datetime | None, settings: DiningSettings) -> str:
    """Return the start of a booking as text. An order without one is for the next time that suits."""
    return "the next time that suits" if start is None else format_local(start, settings.zone)
