"""Running an application by hypercorn: one process or several, a clean end on SIGTERM, one line when it cannot
start."""

import asyncio
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from hypercorn.asyncio import serve as serve_asgi
from hypercorn.config import Config as HypercornConfig
from quart import Quart

SHUTDOWN_SECONDS = 10.0


def fail(message: str) -> None:
    """End the program with one line on standard error and status 1."""
    sys.exit(f"nightaudit: {message}")


def event_loop_run(main: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine on the fastest event loop that the platform has."""
    if sys.platform == "win32":
        return asyncio.run(main)
    import uvloop

    return uvloop.run(main)


def hypercorn_config(host: str, port: int) -> HypercornConfig:
    config = HypercornConfig()
    config.bind = [f"{host}:{port}"]
    config.accesslog = None
    config.errorlog = None
    config.graceful_timeout = SHUTDOWN_SECONDS
    config.shutdown_timeout = SHUTDOWN_SECONDS
    config.keep_alive_timeout = 75
    config.keep_alive_max_requests = 1_000_000
    config.backlog = 2048
    config.h11_max_incomplete_size = 64 * 1024
    config.include_server_header = False
    return config


def check_port(host: str, port: int, variable: str) -> None:
    """End with one line when nothing can listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            fail(f"cannot listen on {host}:{port} ({error.strerror}); choose another port with {variable}")


async def serve(app: Quart, config: HypercornConfig) -> None:
    """Serve until SIGTERM or SIGINT, then finish the requests in flight."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await serve_asgi(app, config, shutdown_trigger=_trigger(stop))


def _trigger(stop: asyncio.Event) -> Callable[[], Awaitable[None]]:
    async def wait() -> None:
        await stop.wait()

    return wait
