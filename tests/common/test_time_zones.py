"""Names of time zones."""

import pytest

from common.time_zones import parse_time_zone


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "America/Argentina/Ushuaia", "Etc/GMT+5"])
def test_the_time_zone_of_a_region_is_taken(name: str) -> None:
    assert parse_time_zone(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "utc", "CET", "EST5EDT", "Europe", "Europe/", "Europe/Atlantis", "posix/Europe/Berlin", "right/UTC", "../UTC",
     "/etc/localtime", "Europe/Berlin\0", "UTC+1", "+01:00", 300 * "a/"],
)  # fmt: skip
def test_what_postgresql_takes_for_a_fixed_distance_and_what_is_not_a_zone_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="must be UTC or the time zone of a region"):
        parse_time_zone(name)
