"""Serves an application with hypercorn, and shuts down cleanly on SIGTERM."""

import asyncio
import signal
import socket

from hypercorn.asyncio import serve as serve_asgi
from hypercorn.config import Config as HypercornConfig
from hypercorn.config import Sockets
from quart import Quart

from common.server import connections

SHUTDOWN_SECONDS = 10.0
KEEP_ALIVE_SECONDS = 75.0

SILENT_SECONDS = 60.0
"""A connection whose client takes nothing of what is sent to it for this long is closed by the operating system."""


class ServerConfig(HypercornConfig):
    """Closes connections whose clients have stopped reading, on Linux; otherwise they would stay open for good."""

    def create_sockets(self) -> Sockets:
        sockets = super().create_sockets()
        for listener in (*sockets.secure_sockets, *sockets.insecure_sockets):
            if listener.family != socket.AF_UNIX and hasattr(socket, "TCP_USER_TIMEOUT"):
                listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(SILENT_SECONDS * 1000))
        return sockets


def hypercorn_config(host: str, port: int) -> HypercornConfig:
    """The settings of the server; times in seconds."""
    config = ServerConfig()
    config.bind = [f"{host}:{port}"]
    config.accesslog = None
    config.errorlog = None
    config.graceful_timeout = SHUTDOWN_SECONDS
    config.shutdown_timeout = SHUTDOWN_SECONDS
    config.keep_alive_timeout = KEEP_ALIVE_SECONDS
    config.keep_alive_max_requests = 1_000_000
    config.backlog = 2048
    config.h11_max_incomplete_size = 64 * 1024
    config.include_server_header = False
    return config


async def serve(app: Quart, config: HypercornConfig) -> None:
    """Serve until SIGTERM or SIGINT, then finish the requests in flight."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    connections.install()
    await serve_asgi(app, config, shutdown_trigger=stop.wait)
