"""The connections of the server, where hypercorn's own fail: it keeps those that clients have closed, and it reports
some malformed HTTP/2 requests as errors of its own."""

import hypercorn.asyncio.run
import structlog
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.events import Event, Updated
from priority.priority import PriorityError

log = structlog.get_logger()

MALFORMED_REQUEST: tuple[type[Exception], ...] = (UnicodeDecodeError, UnboundLocalError, KeyError, PriorityError)
"""What hypercorn raises for an HTTP/2 request whose path is not ASCII, for CONNECT without a path, for parts of a body
after the end of the response, and for more streams or priorities than it keeps."""


class EndingTCPServer(TCPServer):
    """A connection that ends as soon as its client has closed it.

    Hypercorn waits for a further request until the keep-alive time is over, also of a client that is gone; clients that
    do not reuse connections would take one file descriptor each for so long, until none is left.
    """

    _is_over = False

    async def run(self) -> None:
        try:
            await super().run()
        except* MALFORMED_REQUEST as group:
            log.info("malformed_request", errors=[f"{type(error).__name__}: {error}" for error in group.exceptions])

    async def _read_data(self) -> None:
        await super()._read_data()
        self._is_over = True
        await self.idle_task.stop()

    async def protocol_send(self, event: Event) -> None:
        if self._is_over and isinstance(event, Updated):
            return  # it would wait for a further request again
        await super().protocol_send(event)


def install() -> None:
    """Let hypercorn use these connections in this process."""
    hypercorn.asyncio.run.TCPServer = EndingTCPServer  # type: ignore[attr-defined]  # hypercorn imports it there and does not export it
