"""The feed for tests: full, and behind a real port."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypercorn.asyncio import serve
from quart import Quart
from quart.typing import TestClientProtocol as Client

from common.serving import hypercorn_config
from provider_served import Served


@pytest.fixture
def client(provider_app: Quart) -> Client:
    return provider_app.test_client()


@pytest.fixture
async def served(provider_app: Quart) -> AsyncIterator[Served]:
    """The provider of this test behind hypercorn, as it is served in earnest."""
    listener = socket.create_server(("127.0.0.1", 0))  # connections wait in it until the server takes them
    host, port = listener.getsockname()
    config = hypercorn_config(host, port)
    config.bind = [f"fd://{listener.detach()}"]
    config.errorlog = None
    stop = asyncio.Event()

    async def started(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await provider_app(scope, receive, send)
            return
        for step in ("startup", "shutdown"):  # `provider_app` has done the one and will do the other
            await receive()
            await send({"type": f"lifespan.{step}.complete"})

    server = asyncio.create_task(serve(started, config, shutdown_trigger=stop.wait))
    try:
        yield Served(provider_app, host, port)
    finally:
        stop.set()
        await server
