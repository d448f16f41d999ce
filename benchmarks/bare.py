"""The framework's limit: a Quart application that does nothing, served as both applications are. See `Context.bare`.

    python -m benchmarks.bare PORT [hooks]

With `hooks` it is created as both applications are: with telemetry, errors, validation and the rules of HTTP.
"""

import sys

import uvloop
from quart import Quart, Response, request

from common.server import hypercorn
from common.telemetry.logging import configure_logging
from common.web import application

HOOKS = "hooks"


async def empty_post() -> Response:
    """Read the body and do nothing with it."""
    await request.get_data()
    return Response(b"{}", status=201, content_type="application/json")


async def prepared_response(size: int) -> Response:
    """Return `size` bytes that need no work."""
    return Response(b"0" * size, content_type="application/json")


def create_app(*, hooks: bool) -> Quart:
    """The application, with or without what ours add to every request."""
    app = application.create("bare", title="Bare", description="", tags={}) if hooks else Quart("bare")
    app.post("/")(empty_post)
    app.get("/ready/<int:size>")(prepared_response)
    return app


if __name__ == "__main__":
    configure_logging(level="warning")
    bare = create_app(hooks=sys.argv[2:] == [HOOKS])
    uvloop.run(hypercorn.serve(bare, hypercorn.hypercorn_config("127.0.0.1", int(sys.argv[1]))))
