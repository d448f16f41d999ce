"""Runs COPY to the server, and ends it when the connection is lost."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import asyncpg

from common.db.pool import Connection


async def copy_or_lost(connection: Connection, copy: Coroutine[Any, Any, str]) -> str:
    """Await a COPY to the server through this connection; returns its status, such as `COPY 3`.

    Raises ConnectionDoesNotExistError when the connection is lost meanwhile. Without this function, asyncpg does not
    notice the loss while it waits until the server takes more data, and never returns.
    """
    copying = asyncio.ensure_future(copy)
    lost = asyncio.Event()
    waiting = asyncio.ensure_future(lost.wait())

    def note_loss(_: object) -> None:
        lost.set()

    connection.add_termination_listener(note_loss)
    try:
        await asyncio.wait((copying, waiting), return_when=asyncio.FIRST_COMPLETED)
        if not copying.done():
            raise asyncpg.ConnectionDoesNotExistError("the connection was lost during COPY")
        return copying.result()
    finally:
        copying.cancel()
        waiting.cancel()
        await asyncio.gather(copying, waiting, return_exceptions=True)
        connection.remove_termination_listener(note_loss)
