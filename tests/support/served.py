"""Serves applications over HTTP in the process of the test, and reads their responses slowly."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from hypercorn.asyncio import serve

from common.server.hypercorn import hypercorn_config
from common.web.resources import Application
from tests.support.waiting import eventually

BUFFER = 65536


@asynccontextmanager
async def served(app: Callable[..., Any], port: int) -> AsyncIterator[str]:
    """Serve an application, with its jobs, on a port of the loopback; yields its URL."""
    config = hypercorn_config("127.0.0.1", port)
    config.graceful_timeout = config.shutdown_timeout = 5
    stop = asyncio.Event()
    server = asyncio.create_task(serve(app, config, shutdown_trigger=stop.wait))
    try:
        await eventually(lambda: _listens(server, port))
        yield f"http://127.0.0.1:{port}"
    finally:
        stop.set()
        await server


async def _listens(server: asyncio.Task[None], port: int) -> bool:
    if server.done():
        await server
        raise AssertionError("the server ended before it listened")
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


def without_lifespan(app: Application) -> Callable[..., Any]:
    """Return the application without start-up and shutdown, for an application that the test has started."""

    async def call(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return
        for step in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{step}.complete"})

    return call


@dataclass(frozen=True)
class ResponseHead:
    status: int
    headers: dict[str, str]


@dataclass(frozen=True)
class ChunkedResponse:
    """The body of a chunked response, which the test reads from the connection chunk by chunk."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def chunk(self) -> bytes:
        """Return the next chunk, b"" at the end. Raises IncompleteReadError if the response is cut off."""
        size = int(await self.reader.readuntil(b"\r\n"), 16)
        return (await self.reader.readexactly(size + 2))[:-2]

    async def chunks(self) -> list[bytes]:
        """Return all remaining chunks."""
        found = []
        while chunk := await self.chunk():
            found.append(chunk)
        return found

    async def close(self) -> None:
        self.writer.transport.abort()
        await asyncio.gather(self.writer.wait_closed(), return_exceptions=True)


@dataclass(frozen=True)
class Served:
    """An application that is served on loopback."""

    app: Application
    url: str
    responses: list[ChunkedResponse] = field(default_factory=list)

    async def get(
        self, path: str, *, method: str = "GET", accept: str = "*/*", coding: str = "identity"
    ) -> tuple[ResponseHead, ChunkedResponse]:
        """Send a request on a new connection and read the head of the response."""
        host, port = self.url.removeprefix("http://").split(":")
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)  # the default grows and could hold it all
        client.setblocking(False)
        await asyncio.get_running_loop().sock_connect(client, (host, int(port)))
        reader, writer = await asyncio.open_connection(sock=client, limit=BUFFER)
        self.responses.append(ChunkedResponse(reader, writer))
        fields_sent = f"Host: {host}\r\nAccept: {accept}\r\nAccept-Encoding: {coding}\r\n"
        writer.write(f"{method} {path} HTTP/1.1\r\n{fields_sent}\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        status, *fields = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in fields)}
        return ResponseHead(int(status.split()[1]), headers), self.responses[-1]

    async def close(self) -> None:
        """Close all connections, since a server waits for slow readers."""
        for response in self.responses:
            await response.close()
