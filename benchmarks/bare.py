"""The framework's limit: a Quart application that does nothing, served as both applications are. See `Context.bare`."""

import sys

import uvloop
from quart import Quart, Response, request

from common.server import hypercorn

app = Quart("bare")


@app.post("/")
async def empty_post() -> Response:
    """Read the body and do nothing with it."""
    await request.get_data()
    return Response(b"{}", status=201, content_type="application/json")


@app.get("/ready/<int:size>")
async def prepared_response(size: int) -> Response:
    """Return `size` bytes that need no work."""
    return Response(b"0" * size, content_type="application/json")


if __name__ == "__main__":
    uvloop.run(hypercorn.serve(app, hypercorn.hypercorn_config("127.0.0.1", int(sys.argv[1]))))
