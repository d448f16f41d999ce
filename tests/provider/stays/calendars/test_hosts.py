"""Which hosts calendars may be read from, and to which addresses a session connects."""

import socket

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from provider.stays.calendars.hosts import AddressNotPublicError, CheckedResolver, calendar_hosts


class Names(AbstractResolver):
    """Resolves a name to one address after the other, as a server does that rebinds it."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = list(addresses)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        address = self.addresses.pop(0)
        return [ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)]

    async def close(self) -> None:
        self.addresses.clear()


PRIVATE = ["127.0.0.1", "10.1.2.3", "192.168.0.7", "169.254.169.254", "100.64.0.1", "0.0.0.0", "::1", "fd00::1"]
EMBEDDED = ["::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"]


@pytest.mark.parametrize("address", PRIVATE + EMBEDDED)
async def test_a_name_that_a_pattern_allows_must_not_have_a_private_address(address: str) -> None:
    for allowed in ("*", "*.example.org"):
        resolver = CheckedResolver(calendar_hosts(allowed), Names(address))
        with pytest.raises(AddressNotPublicError):
            await resolver.resolve("calendars.example.org", 443)


async def test_a_name_that_is_bound_to_a_private_address_later_is_refused_then() -> None:
    resolver = CheckedResolver(calendar_hosts("*"), Names("93.184.215.14", "127.0.0.1"))

    assert (await resolver.resolve("rebound.example.org", 443))[0]["host"] == "93.184.215.14"
    with pytest.raises(AddressNotPublicError):
        await resolver.resolve("rebound.example.org", 443)


async def test_a_listed_host_may_have_a_private_address() -> None:
    hosts = calendar_hosts("calendars.example.org, 127.0.0.1")
    resolver = CheckedResolver(hosts, Names("10.1.2.3"))

    assert (await resolver.resolve("calendars.example.org", 80))[0]["host"] == "10.1.2.3"
    assert hosts.allows("127.0.0.1")
    assert not hosts.allows("127.0.0.2")


@pytest.mark.parametrize(
    ("setting", "host", "is_allowed"),
    [
        ("example.org", "example.org", True),
        ("example.org", "EXAMPLE.ORG.", True),
        ("example.org", "calendars.example.org", False),
        ("*.example.org", "calendars.example.org", True),
        ("*.example.org", "example.org", False),
        ("*.example.org", "badexample.org", False),
        ("*", "anything.example", True),
        ("*", "10.0.0.1", False),
        ("*", "93.184.215.14", True),
    ],
)
def test_which_hosts_a_setting_allows(setting: str, host: str, is_allowed: bool) -> None:
    assert calendar_hosts(setting).allows(host) is is_allowed


@pytest.mark.parametrize("setting", ["", "example.org:80", "http://example.org", "a b", "*.", "*example.org", ","])
def test_a_setting_that_is_no_list_of_hosts_is_refused(setting: str) -> None:
    with pytest.raises(ValueError, match="must be names of hosts"):
        calendar_hosts(setting)
