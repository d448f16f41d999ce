"""Checks whether a program can listen on a port, and the address of a listener."""

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


def why_not_listening(program: str, host: str, port: int) -> str | None:
    """Why a process cannot listen on `host:port`, and which of the program's variables to change; None if it can."""
    prefix = program.upper()
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
    except (OSError, UnicodeError) as error:  # UnicodeError: no name of a host can be so long, or have an empty part
        reason = error.strerror if isinstance(error, OSError) else "Not a valid host name"
        return f"cannot listen on {host} ({reason}); set {prefix}_HOST to an address of this machine"
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        if error.errno == errno.EADDRNOTAVAIL:
            return f"cannot listen on {host} ({reason}); set {prefix}_HOST to an address of this machine"
        return f"cannot listen on {host}:{port} ({reason}); choose another port with {prefix}_PORT"
    # On macOS one address can be bound although another process listens on all of them.
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        if probe.connect_ex((reachable_host(host), port)) != 0:
            return None
    reason = os.strerror(errno.EADDRINUSE)
    return f"cannot listen on {host}:{port} ({reason}); choose another port with {prefix}_PORT"
