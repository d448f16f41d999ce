"""An HTTP server on the loopback. It answers a request for a file with the bytes that a test has set for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass


@dataclass
class Answer:
    """What the service answers. promised: how many bytes more than it sends its Content-Length says."""

    body: bytes
    content_encoding: str = ""
    promised: int = 0


class FileService:
    """A service of files, by their paths."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.url = ""

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        answer = self.answers[head.split()[1].decode().partition("?")[0]]
        encoding = f"Content-Encoding: {answer.content_encoding}\r\n" if answer.content_encoding else ""
        length = len(answer.body) + answer.promised
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n{encoding}Connection: close\r\n\r\n".encode())
        writer.write(answer.body)
        try:
            await writer.drain()
        except ConnectionError:
            pass  # the client has refused the rest
        finally:
            writer.close()


@asynccontextmanager
async def file_service() -> AsyncIterator[FileService]:
    """A service that runs during the block."""
    service = FileService()
    server = await asyncio.start_server(service._answer, "127.0.0.1", 0)
    service.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield service
