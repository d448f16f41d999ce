"""The framework's ceiling: a Quart application that does nothing, served as ours are. Run by `servers.bare`."""

import sys

import uvloop
from quart import Quart, Response, request

from common.server import hypercorn

app = Quart("bare")


@app.post("/")
async def take() -> Response:
    """An empty POST: the body is read and nothing is done with it."""
    await request.get_data()
    return Response(b"{}", status=201, content_type="application/json")


@app.get("/ready/<int:size>")
async def ready(size: int) -> Response:
    """An answer of `size` bytes that is there already."""
    return Response(b"0" * size, content_type="application/json")


if __name__ == "__main__":
    uvloop.run(hypercorn.serve(app, hypercorn.hypercorn_config("127.0.0.1", int(sys.argv[1]))))
