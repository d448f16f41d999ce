"""The address of the caller, for limits per caller."""

from ipaddress import IPv4Address, IPv6Address, ip_address

from quart import request

IPV6_NETWORK_BITS = 64
"""A single machine usually has a whole IPv6 network of this prefix, so its limits are those of the network."""


def caller_address() -> str:
    """The address by which limits tell callers apart: an IPv4 address, or the network of an IPv6 address."""
    return limited_address(request.remote_addr or "")


def limited_address(address: str) -> str:
    """An IPv4 address as it is, also if it is written as IPv6; of an IPv6 address, its network of 64 bits."""
    try:
        parsed: IPv4Address | IPv6Address | None = ip_address(address)
    except ValueError:  # a Unix socket, or the client of a test
        return address
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    if isinstance(parsed, IPv6Address):
        host_bits = parsed.max_prefixlen - IPV6_NETWORK_BITS
        return f"{IPv6Address(int(parsed) >> host_bits << host_bits)}/{IPV6_NETWORK_BITS}"
    return str(parsed)
