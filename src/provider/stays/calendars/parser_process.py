"""Reads calendars in a process of its own, so that a hostile one costs neither the event loop nor the memory of ours.

The process has none of our variables, and ends with its parent, whose end of the pipe then closes.
"""

import asyncio
import os
import sys
from contextlib import suppress
from typing import Self

import msgspec

from common.config import PREFIXES
from provider.stays.calendars.fetch import CalendarError
from provider.stays.calendars.parse import Calendar, ParsedCalendar
from provider.stays.calendars.parser_program import LENGTH_BYTES

MAX_PARSE_SECONDS = 60.0
MAX_ANSWER_BYTES = 16 * 1024**2

STOPPED = "The calendar could not be read: its reader stopped, as it does when it needs more than 1 GiB of memory."

_encode = msgspec.msgpack.encode
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
                raise CalendarError(STOPPED) from None
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
    environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIXES)}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "provider.stays.calendars.parser_program"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=environment,
        limit=MAX_ANSWER_BYTES,
    )
