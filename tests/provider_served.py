"""The provider behind a real port, and connections on which a test reads as slowly as it likes."""

import asyncio
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from quart import Quart

from common.config import Secret

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Served:
    """The provider behind a port of the loopback."""

    app: Quart
    host: str
    port: int

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    async def get(self, path: str, *, method: str = "GET", accept: str = "*/*") -> tuple["Head", "Wire"]:
        """Send a request on a connection of its own and read the head of its answer."""
        reader, writer = await asyncio.open_connection(self.host, self.port, limit=2**20)
        writer.write(f"{method} {path} HTTP/1.1\r\nHost: {self.host}\r\nAccept: {accept}\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        status, *fields = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in fields)}
        return Head(int(status.split()[1]), headers), Wire(reader, writer)


@dataclass(frozen=True)
class Head:
    status: int
    headers: dict[str, str]


@dataclass(frozen=True)
class Wire:
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


def run_provider(url: Secret, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """`python -m provider ...` on a database."""
    return subprocess.run(
        [sys.executable, "-m", "provider", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": "src", "PROVIDER_DATABASE_URL": url.reveal()},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
