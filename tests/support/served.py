"""Applications behind a real HTTP server in the process of the test, and slow readers of them."""

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
    """The application answers on the port inside the block, its jobs running; the block gets its URL."""
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
        raise AssertionError("it ended before it listened")
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


def without_lifespan(app: Application) -> Callable[..., Any]:
    """The application without its start and its end, which the test has done and will do."""

    async def asked(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return
        for step in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{step}.complete"})

    return asked


@dataclass(frozen=True)
class Served:
    """An application behind a port of the loopback."""

    app: Application
    url: str
    responses: list["ChunkedResponse"] = field(default_factory=list)

    async def get(
        self, path: str, *, method: str = "GET", accept: str = "*/*"
    ) -> tuple["ResponseHead", "ChunkedResponse"]:
        """Send a request on a connection of its own and read the head of its answer."""
        host, port = self.url.removeprefix("http://").split(":")
        near = socket.socket()
        near.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)  # the system's grow, to hold a whole long answer
        near.setblocking(False)
        await asyncio.get_running_loop().sock_connect(near, (host, int(port)))
        reader, writer = await asyncio.open_connection(sock=near, limit=BUFFER)
        self.responses.append(ChunkedResponse(reader, writer))
        writer.write(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nAccept: {accept}\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        status, *fields = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in fields)}
        return ResponseHead(int(status.split()[1]), headers), self.responses[-1]

    async def close(self) -> None:
        """Close every connection: a server waits for those who read slowly."""
        for response in self.responses:
            await response.close()


@dataclass(frozen=True)
class ResponseHead:
    status: int
    headers: dict[str, str]


@dataclass(frozen=True)
class ChunkedResponse:
    """A connection in the middle of a chunked answer."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def chunk(self) -> bytes:
        """The next chunk; b"" for the one that says that all has come. Raises IncompleteReadError where it is cut."""
        size = int(await self.reader.readuntil(b"\r\n"), 16)
        return (await self.reader.readexactly(size + 2))[:-2]

    async def chunks(self) -> list[bytes]:
        """All of them."""
        found = []
        while chunk := await self.chunk():
            found.append(chunk)
        return found

    async def close(self) -> None:
        self.writer.transport.abort()
        await asyncio.gather(self.writer.wait_closed(), return_exceptions=True)
