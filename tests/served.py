"""Applications behind a real HTTP server, in the process of the test."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hypercorn.asyncio import serve
from quart import Quart

from common.serving import hypercorn_config


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@asynccontextmanager
async def served(app: Quart, port: int) -> AsyncIterator[str]:
    """The application answers on the port inside the block, its jobs running; the block gets its URL."""
    stop = asyncio.Event()

    async def stopped() -> None:
        await stop.wait()

    config = hypercorn_config("127.0.0.1", port)
    config.graceful_timeout = config.shutdown_timeout = 5
    server = asyncio.create_task(serve(app, config, shutdown_trigger=stopped))
    try:
        await _listening(server, port)
        yield f"http://127.0.0.1:{port}"
    finally:
        stop.set()
        await server


async def _listening(server: asyncio.Task[None], port: int) -> None:
    while not server.done():
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.02)
        else:
            writer.close()
            await writer.wait_closed()
            return
    await server
