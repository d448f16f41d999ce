"""The hosts whose calendars the provider may read, and a client session that connects to no other address.

Holders of properties choose the addresses, so a calendar must not be a way into the network of the provider. A host is
allowed by its name; one that only a pattern allows must have public addresses alone. These are checked where a
connection is made, on the very addresses that it uses: a name that resolves to another address by then gains nothing.
"""

import asyncio
import ipaddress
import re
import socket
from dataclasses import dataclass, field

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

MAX_URL_LENGTH = 2000
ANY_HOST = "*"
RESOLVE_SECONDS = 5.0

_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_]([a-z0-9_-]{0,62}))*")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class AddressNotPublicError(OSError):
    """A host that only a pattern allows has an address of a private network."""


def normalised_host(host: str) -> str:
    return host.lower().rstrip(".")


def is_public(text: str) -> bool:
    """Whether an address can be reached in the public network, and nothing that it stands for is private."""
    try:
        address: Address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return all(each.is_global and not each.is_multicast for each in (address, *embedded_addresses(address)))


def embedded_addresses(address: Address) -> list[Address]:
    """The IPv4 addresses to which an IPv6 address leads by a gateway."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    found: list[Address | None] = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64:
        found.append(ipaddress.IPv4Address(address.packed[-4:]))
    return [each for each in found if each is not None]


def as_address(host: str) -> str | None:
    """The host if it is an IP address; None if it is a name."""
    try:
        return str(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        return None


@dataclass(frozen=True)
class CalendarHosts:
    """The allowed hosts: by name or address, by the domain that their names end with, or any host."""

    listed: frozenset[str] = field(default_factory=frozenset)
    domains: tuple[str, ...] = ()
    any_host: bool = False

    def lists(self, host: str) -> bool:
        """Whether the host itself is listed; then its addresses may be private."""
        return normalised_host(host) in self.listed

    def allows(self, host: str) -> bool:
        """Whether the host is listed, or a pattern allows it. A pattern allows no private address."""
        name = normalised_host(host)
        if name in self.listed:
            return True
        if as_address(name) is not None:
            return self.any_host and is_public(name)
        return self.any_host or name.endswith(self.domains)

    def require_url(self, text: str) -> URL:
        """Parse the address of a calendar. Raises ValueError when it is invalid, or its host is not allowed."""
        if not 1 <= len(text) <= MAX_URL_LENGTH or not text.isprintable() or not text.isascii() or " " in text:
            raise ValueError(f"must be a URL of 1 to {MAX_URL_LENGTH} printable ASCII characters")
        try:
            url = URL(text)
            host, port = url.raw_host, url.port
        except ValueError:
            raise ValueError("is not a valid URL") from None
        if url.scheme not in ("http", "https") or not host or port is None:
            raise ValueError("must be a URL with scheme https or http (for webcal: write https instead)")
        if url.raw_user is not None or url.raw_password is not None:
            raise ValueError("must not contain a user or a password")
        if not self.allows(host):
            raise ValueError(f"is on the host {host[:100]!r}, which the operator does not allow")
        return url.with_fragment(None)


def calendar_hosts(value: str) -> CalendarHosts:
    """Parse PROVIDER_CALENDAR_HOSTS: hosts without ports, `*.domain` or `*`, separated by commas."""
    listed, domains, any_host = set(), [], False
    for given in map(str.strip, value.split(",")):
        part = normalised_host(given)
        address = as_address(part)
        if given == ANY_HOST:
            any_host = True
        elif address is not None:
            listed.add(address)
        elif part.startswith("*.") and _NAME.fullmatch(part[2:]):
            domains.append(part[1:])
        elif _NAME.fullmatch(part):
            listed.add(part)
        else:
            raise ValueError("must be names of hosts without ports, *.domain or *, separated by commas")
    return CalendarHosts(frozenset(listed), tuple(domains), any_host)


class CheckedResolver(AbstractResolver):
    """Resolves the names of allowed hosts. The connection uses the addresses that were checked here."""

    def __init__(self, hosts: CalendarHosts, resolver: AbstractResolver) -> None:
        self._hosts = hosts
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Raises AddressNotPublicError, and OSError when the name cannot be resolved."""
        found = await self._resolver.resolve(host, port, family)
        if not self._hosts.lists(host) and not all(is_public(each["host"]) for each in found):
            raise AddressNotPublicError("the host has an address that is not public")
        return found

    async def close(self) -> None:
        await self._resolver.close()


async def require_public_host(hosts: CalendarHosts, url: URL) -> None:
    """Raises ValueError when the host of an allowed URL cannot be resolved, or has an address that is not public."""
    host = url.raw_host or ""
    if hosts.lists(host) or as_address(host) is not None:
        return
    try:
        async with asyncio.timeout(RESOLVE_SECONDS):
            await CheckedResolver(hosts, aiohttp.ThreadedResolver()).resolve(host, url.port or 0, socket.AF_UNSPEC)
    except AddressNotPublicError as error:
        raise ValueError(f"cannot be read: {error}") from None
    except (OSError, UnicodeError):
        raise ValueError("is on a host whose name cannot be resolved") from None


def create_calendar_session(hosts: CalendarHosts) -> aiohttp.ClientSession:
    """Create the client session for calendars of other sites, which uses no proxy, no cookies and no other address."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=50, limit_per_host=4, ttl_dns_cache=10, resolver=CheckedResolver(hosts, aiohttp.ThreadedResolver())
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "nightaudit"},
        trust_env=False,
    )
