"""Where any host is allowed, calendars are not a way into the network of the provider."""

import asyncpg
import pytest

from tests.provider.stays.calendars.conftest import Read
from tests.support.calendar_site import CalendarSite
from tests.support.storefront import Guest

PATH = "/properties/hut/calendar-sources/site"


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    return {**environment, "PROVIDER_CALENDAR_HOSTS": "*"}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST.", "[::1]", "[::ffff:127.0.0.1]", "10.0.0.1"])
async def test_a_private_address_is_refused_by_its_number_and_by_its_name(
    guest: Guest, site: CalendarSite, host: str
) -> None:
    await guest.create_property("hut")
    port = site.url.rpartition(":")[2]

    answer, problem = await guest.call("PUT", PATH, json={"url": f"http://{host}:{port}/a.ics"})

    assert (answer.status_code, [each["field"] for each in problem["errors"]]) == (400, ["url"])
    assert site.requests == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_source_whose_host_became_private_later_is_not_called(
    guest: Guest, site: CalendarSite, read: Read, provider_db: asyncpg.Pool, host: str
) -> None:
    """The address is checked again by each reading, where the connection is made."""
    await guest.create_property("hut")
    port = site.url.rpartition(":")[2]
    await provider_db.execute(
        "INSERT INTO calendar_source (property_id, name, url) VALUES ('hut', 'site', $1)", f"http://{host}:{port}/"
    )

    assert (await read())["failed"] == 1

    assert site.requests == []
    _, found = await guest.get(PATH)
    assert "not public" in found["last_error"] or "does not allow" in found["last_error"]
