"""Checks whether a port is free, and the address of a listener."""

import errno
import os
import socket

_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - an address to connect to, not to listen on


def reachable_host(host: str) -> str:
    """The host by which this machine connects to a listener on `host`."""
    return _ANYWHERE.get(host, host)


def reachable_address(host: str, port: int) -> str:
    """`host:port`, as in a URL, by which this machine connects to a listener on `host`."""
    at = reachable_host(host)
    return f"[{at}]:{port}" if ":" in at else f"{at}:{port}"


def why_port_is_unavailable(host: str, port: int) -> str | None:
    """The operating system's reason why a process cannot listen on `host:port`; None if it can."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error.strerror)
    # On macOS one address can be bound although another process listens on all of them.
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        return os.strerror(errno.EADDRINUSE) if probe.connect_ex((reachable_host(host), port)) == 0 else None
