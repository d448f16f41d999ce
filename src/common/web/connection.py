"""How requests are received and responses are sent: back pressure, compression, and a least speed of readers."""

import asyncio
from contextlib import suppress

import structlog
from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, HTTPResponseBodyEvent
from quart import Quart, Request, Response
from quart.asgi import ASGIHTTPConnection
from quart.typing import ResponseTypes
from quart.utils import encode_headers
from quart.wrappers.response import DataBody

from common.web import compression
from common.web.least_speed import LeastSpeed, TooSlowError
from common.web.logged_path import logged_path
from common.web.request_body import BoundedBody, BoundedRequest

log = structlog.get_logger()

LINGER_SECONDS = 10.0
SILENCE_SECONDS = 1.0

SLOW_SECONDS = 30.0
"""A client that takes less than KIB_PER_SECOND for so long is disconnected: a stream holds a connection and a snapshot
of the database."""


class BackpressureConnection(ASGIHTTPConnection):
    """Receives the next part of a body only when there is room for it, and reads on after an early response.

    A client may send its whole body before it reads. Closing the connection while it still sends would lose a response
    that was sent early, so the rest of the body is received and dropped for a while.
    """

    body: BoundedBody
    if_none_match: str | None = None

    async def __call__(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Answer in the task of the caller, and receive in another until then. Quart takes a task more for each.

        When the client goes away, the answer is given up at the point where it waits.
        """
        answering = asyncio.current_task()
        assert answering is not None
        request = self._create_request_from_scope(send)
        receiving = asyncio.create_task(self.handle_messages(request, receive))
        is_over = is_given_up = False

        def give_up(_: asyncio.Task[None]) -> None:
            nonlocal is_given_up
            if not is_over:
                is_given_up = True
                answering.cancel()

        receiving.add_done_callback(give_up)
        try:
            await asyncio.sleep(0)  # receive what has arrived, so that a body that is too large is refused unread
            await self.handle_request(request, send)
        except asyncio.CancelledError:
            if not is_given_up or answering.uncancel():
                raise
            receiving.result()  # raises what has gone wrong there, if anything
        finally:
            is_over = True
            receiving.cancel()

    async def handle_messages(self, request: Request, receive: ASGIReceiveCallable) -> None:
        body = self.body
        while True:
            await body.room()
            message = await receive()
            if message["type"] == "http.request":
                body.append(message.get("body", b""))
                if not message.get("more_body", False):
                    body.set_complete()
                    body.arrived.set()
            elif message["type"] == "http.disconnect":
                return

    def _create_request_from_scope(self, send: ASGISendCallable) -> Request:
        request = super()._create_request_from_scope(send)
        assert isinstance(request, BoundedRequest)
        self.body = request.body
        if b"if-none-match" in request.header_names:
            self.if_none_match = request.headers["If-None-Match"]
            request.headers["If-None-Match"] = compression.without_codings(self.if_none_match)
        return request

    async def _send_response(self, send: ASGISendCallable, response: ResponseTypes) -> None:
        """Send the response; a body that is complete goes in one message with its end, where Quart sends two."""
        assert isinstance(response, Response)  # the views and error handlers return no others
        await compression.compress(response, self.scope["headers"], self.if_none_match)
        body = response.response
        received = self.body.arrived.is_set()
        if self.scope["method"] == "HEAD":  # the headers are those of GET
            async with body:  # closes what it has open
                await self._send_whole(send, response, b"")
        elif received and isinstance(body, DataBody):
            await self._send_whole(send, response, bytes(body.data[body.begin : body.end]))
        else:
            await self._send_parts(send, response)

    async def _send_parts(self, send: ASGISendCallable, response: Response) -> None:
        """Send the body as it is made. A response that is given up is not ended, so that it does not look complete."""
        headers = encode_headers(response.headers)
        await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
        speed = LeastSpeed(SLOW_SECONDS)
        try:
            async with response.response as parts:
                async for part in parts:
                    data = part.encode() if isinstance(part, str) else part
                    message = HTTPResponseBodyEvent(type="http.response.body", body=data, more_body=True)
                    await speed.wait_for(send(message), len(data))
                    speed.count(len(data))
        except TooSlowError:
            log.warning("slow_reader_disconnected", path=logged_path(self.app, self.scope["path"]))
            return
        await self._linger()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_whole(self, send: ASGISendCallable, response: ResponseTypes, body: bytes) -> None:
        headers = encode_headers(response.headers)
        await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async def _linger(self) -> None:
        """Receive the rest of the body, until the client pauses for SILENCE_SECONDS, for at most LINGER_SECONDS."""
        if self.body.arrived.is_set():
            return
        self.body.discard()
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                received = -1
                while received != self.body.received and not self.body.arrived.is_set():
                    received = self.body.received
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self.body.arrived.wait(), SILENCE_SECONDS)


def install(app: Quart) -> None:
    app.asgi_http_class = BackpressureConnection
