"""Names of time zones, as people configure them."""

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


def parse_time_zone(name: str) -> str:
    """Return the name of a region's time zone, or UTC. Raises ValueError.

    PostgreSQL takes a short name such as CET, which zoneinfo knows too, for a fixed distance from UTC; the files below
    posix and right are copies.
    """
    if name == "UTC":
        return name
    if "/" in name and not name.startswith(("posix/", "right/")):
        try:
            return ZoneInfo(name).key
        except (ZoneInfoNotFoundError, ValueError, OSError):  # a path outside the zones is a ValueError
            pass
    raise ValueError("must be UTC or the time zone of a region, such as Europe/Berlin")
