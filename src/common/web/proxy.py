"""The address of the client, the scheme and the host, as trusted reverse proxies forward them.

A proxy says them in Forwarded (RFC 7239) or in X-Forwarded-For, -Proto and -Host. Anybody can send these headers, so
only those of a trusted proxy are believed: the entry that it added, and those before it as long as they were added by
trusted proxies too.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from quart import Quart

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Scope = dict[str, Any]

HOST = re.compile(r"([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?")
PART = re.compile(r"""[ \t]*(?:([!#$%&'*+.^_`|~0-9A-Za-z-]+)=(?:"((?:[^"\\]|\\.)*)"|([^",;\\ \t]*))[ \t]*)?([,;]|\Z)""")
"""A parameter of Forwarded, its value quoted or bare, and the `;` or `,` after it; or none, between two of these."""
SCHEMES = frozenset({"http", "https"})
WEBSOCKET_SCHEMES = {"http": "ws", "https": "wss"}


@dataclass(frozen=True)
class TrustedProxies:
    """The proxies whose forwarded headers are believed.

    networks: their addresses. everyone: believe whoever connects, for platforms whose proxies have no fixed addresses
    and let nobody else in; then only the last entry counts.
    """

    networks: tuple[Network, ...] = ()
    everyone: bool = False

    def __contains__(self, address: Address | None) -> bool:
        if self.everyone:
            return True
        return address is not None and any(address in network for network in self.networks)


def trusted_proxies(value: str) -> TrustedProxies:
    """Parse `all`, or addresses and networks separated by commas. Raises ValueError."""
    if value == "all":
        return TrustedProxies(everyone=True)
    try:
        return TrustedProxies(tuple(ip_network(each.strip(), strict=False) for each in value.split(",")))
    except ValueError:
        raise ValueError("must be all, or addresses and networks such as 10.0.0.0/8, separated by commas") from None


@dataclass(frozen=True)
class Hop:
    """What one proxy says about the request that it received; None where it does not say it, or not validly."""

    client: Address | None = None
    scheme: str | None = None
    host: str | None = None


def install(app: Quart, trusted: TrustedProxies | None) -> None:
    """Replace the address, the scheme and the host of each request by those that trusted proxies forward."""
    if trusted is None:
        return
    inner: Callable[..., Any] = app.asgi_app

    async def with_forwarded(scope: Scope, receive: Any, send: Any) -> None:
        await inner(scope if scope["type"] == "lifespan" else forwarded_scope(scope, trusted), receive, send)

    app.asgi_app = with_forwarded  # type: ignore[method-assign, assignment]  # as Quart documents it


def forwarded_scope(scope: Scope, trusted: TrustedProxies) -> Scope:
    """The ASGI scope of the request that the outermost trusted proxy received."""
    peer = parse_address((scope.get("client") or ("", 0))[0])
    if peer not in trusted:
        return scope
    headers: list[tuple[bytes, bytes]] = list(scope["headers"])
    hop = believed_hop(hops_of(headers), trusted)
    changed = dict(scope)
    if hop.client is not None:
        changed["client"] = (str(hop.client), 0)
    if hop.scheme is not None:
        changed["scheme"] = hop.scheme if scope["type"] == "http" else WEBSOCKET_SCHEMES[hop.scheme]
    if hop.host is not None:
        others = [(name, value) for name, value in headers if name.lower() != b"host"]
        changed["headers"] = [(b"host", hop.host.encode()), *others]
    return changed


def believed_hop(hops: Sequence[Hop], trusted: TrustedProxies) -> Hop:
    """The hop of the outermost trusted proxy; an empty one if there is none. hops: the nearest proxy last."""
    believed = Hop()
    for hop in reversed(hops):
        believed = Hop(hop.client or believed.client, hop.scheme or believed.scheme, hop.host or believed.host)
        if trusted.everyone or hop.client not in trusted:
            break
    return believed


def hops_of(headers: Iterable[tuple[bytes, bytes]]) -> list[Hop]:
    """The hops that the headers name, the nearest proxy last.

    A proxy that sets one kind of header passes the other kind on as the client sent it. So a request with both kinds is
    believed only as far as they agree.
    """
    values: dict[bytes, str] = {}
    standard: list[Hop] = []
    for name, value in headers:
        key, text = name.lower(), value.decode("latin-1")
        if key == b"forwarded":
            standard += _standard_hops(text)
        values[key] = f"{values[key]}, {text}" if key in values else text
    usual = _usual_hops(values)
    if not standard or not usual:
        return standard or usual
    agreeing: list[Hop] = []
    for one, other in zip(reversed(standard), reversed(usual), strict=False):
        if one.client != other.client:
            break
        agreeing.insert(0, Hop(one.client, one.scheme or other.scheme, one.host or other.host))
    return agreeing


def _standard_hops(line: str) -> list[Hop]:
    """The hops of a line of Forwarded, such as `for="[2001:db8::1]:4711";proto=https;host=example.org`.

    Of a line that is not valid nothing is believed, not even its end: a client that leaves a quote open would make the
    entry of the proxy a part of its own.
    """
    hops: list[Hop] = []
    pairs: dict[str, str] = {}
    position = 0
    while (part := PART.match(line, position)) is not None:
        name, quoted, bare, delimiter = part.groups()
        if name is not None:
            if name.lower() in pairs:
                break
            pairs[name.lower()] = quoted or bare or ""
        if delimiter != ";" and pairs:
            client, scheme, host = (pairs.get(each, "") for each in ("for", "proto", "host"))
            hops.append(Hop(parse_address(client), _scheme(scheme), _host(host)))
            pairs = {}
        if not delimiter:
            return hops
        position = part.end()
    return [Hop()]


def _usual_hops(values: dict[bytes, str]) -> list[Hop]:
    """The hops of X-Forwarded-For, -Proto and -Host, whose entries correspond from the end; quotes mean nothing."""
    clients, schemes, hosts = (
        [entry for entry in map(str.strip, values.get(name, "").split(",")) if entry]
        for name in (b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host")
    )
    count = max(len(clients), 1 if schemes or hosts else 0)
    hops = [
        Hop(
            parse_address(clients[-place]) if place <= len(clients) else None,
            _scheme(schemes[-place]) if place <= len(schemes) else None,
            _host(hosts[-place]) if place <= len(hosts) else None,
        )
        for place in range(1, count + 1)
    ]
    return hops[::-1]


def parse_address(text: str) -> Address | None:
    """The IP address in `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1` or `[2001:db8::1]:80`; None for any other text."""
    bare = text.strip()
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        address = ip_address(bare)
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def _scheme(text: str) -> str | None:
    scheme = text.strip().lower()
    return scheme if scheme in SCHEMES else None


def _host(text: str) -> str | None:
    host = text.strip()
    return host if HOST.fullmatch(host) else None
