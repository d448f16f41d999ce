"""Runs COPY to the server, and ends it when the connection is lost."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import asyncpg

from common.db.pool import Connection


async def await_copy(connection: Connection, copy: Coroutine[Any, Any, str]) -> str:
    """Await a COPY to the server through this connection; returns its status, such as `COPY 3`.

    Raises ConnectionDoesNotExistError, or what the server said last, when the connection is lost meanwhile. Without
    this function, asyncpg does not notice the loss while it waits until the server takes more data, and never returns.
    """
    copying = asyncio.ensure_future(copy)
    lost = asyncio.get_running_loop().create_future()

    def note_loss(_: object) -> None:
        if not lost.done():
            lost.set_result(None)

    connection.add_termination_listener(note_loss)
    try:
        await asyncio.wait((copying, lost), return_when=asyncio.FIRST_COMPLETED)
        if not copying.done():
            raise asyncpg.ConnectionDoesNotExistError("the connection was lost during COPY")
        return copying.result()
    finally:
        copying.cancel()
        await asyncio.gather(copying, return_exceptions=True)
        with suppress(asyncpg.InterfaceError):  # the pool has taken back a connection that is lost
            connection.remove_termination_listener(note_loss)
