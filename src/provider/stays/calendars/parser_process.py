"""Reads calendars in a process of its own, so that a hostile one costs neither the event loop nor the memory of ours.

The process has none of our variables, and ends with its parent, whose end of the pipe then closes. A request and its
answer are MessagePack, each with its length before it.
"""

import asyncio
import os
import resource
import signal
import sys
from contextlib import suppress
from typing import BinaryIO, Self

import msgspec

from provider.stays.calendars.fetch import CalendarError
from provider.stays.calendars.parse import Calendar, NotACalendarError, ParsedCalendar, parse_calendar

MAX_PARSE_SECONDS = 60.0
MAX_MEMORY_BYTES = 1024**3
LENGTH_BYTES = 4
MAX_ANSWER_BYTES = 16 * 1024**2
NOT_INHERITED = ("PROVIDER_", "DASHBOARD_", "NIGHTAUDIT_")

_encode = msgspec.msgpack.encode
_decode_request = msgspec.msgpack.Decoder(Calendar).decode
_decode_answer = msgspec.msgpack.Decoder(ParsedCalendar | str).decode


class ParserProcess:
    """The process, which the first calendar starts. An asynchronous context manager; one calendar at a time."""

    def __init__(self, seconds: float = MAX_PARSE_SECONDS) -> None:
        self._seconds = seconds
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._end()

    async def parse(self, calendar: Calendar) -> ParsedCalendar:
        """Raises CalendarError when the document is not a calendar, or costs too much time or memory."""
        async with self._turn:
            try:
                async with asyncio.timeout(self._seconds):
                    answer = await self._ask(_encode(calendar))
            except TimeoutError:
                await self._end()
                raise CalendarError(f"The calendar takes more than {self._seconds:g} seconds to read.") from None
            except (OSError, asyncio.IncompleteReadError):
                await self._end()
                raise CalendarError("The calendar takes too much memory to read.") from None
            except BaseException:  # a cancellation too: the answer to this request must not be that to the next one
                await self._end()
                raise
        if isinstance(answer, str):
            raise CalendarError(f"The document {answer}.")
        return answer

    async def _ask(self, request: bytes) -> ParsedCalendar | str:
        process = self._process = self._process or await _start()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(len(request).to_bytes(LENGTH_BYTES) + request)
        await process.stdin.drain()
        length = int.from_bytes(await process.stdout.readexactly(LENGTH_BYTES))
        return _decode_answer(await process.stdout.readexactly(length))

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def _start() -> asyncio.subprocess.Process:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(NOT_INHERITED)}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "provider.stays.calendars.parser_process"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=environment,
        limit=MAX_ANSWER_BYTES,
    )


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until they end."""
    while length := requests.read(LENGTH_BYTES):
        calendar = _decode_request(requests.read(int.from_bytes(length)))
        answer: ParsedCalendar | str
        try:
            answer = parse_calendar(calendar)
        except NotACalendarError as error:
            answer = str(error)
        encoded = _encode(answer)
        answers.write(len(encoded).to_bytes(LENGTH_BYTES) + encoded)
        answers.flush()


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal; the parent decides when this process ends
    with suppress(ValueError, OSError):  # macOS has no such limit
        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    with suppress(BrokenPipeError):
        serve(sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
