"""The program of the process that reads calendars, see parser_process.py. It imports nothing that it does not need.

A request and its answer are MessagePack, each with its length before it.
"""

import resource
import signal
import sys
from contextlib import suppress
from typing import BinaryIO

import msgspec

from provider.stays.calendars.document import NotACalendarError
from provider.stays.calendars.parse import Calendar, ParsedCalendar, parse_calendar

MAX_MEMORY_BYTES = 1024**3
LENGTH_BYTES = 4

_encode = msgspec.msgpack.encode
_decode_request = msgspec.msgpack.Decoder(Calendar).decode


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
