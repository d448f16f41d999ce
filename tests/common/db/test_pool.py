"""The pool under load: connections are acquired in order, and no wait is longer than its limit."""

import asyncio
from typing import Any

import pytest

from common.config import Secret
from common.db.errors import NoConnectionError, PoolExhaustedError
from common.db.pool import create_pool
from common.db.time_limits import Timeouts


@pytest.mark.parametrize("awaited", [False, True])
async def test_connections_are_acquired_in_the_order_of_the_callers(provider_url: Secret, awaited: bool) -> None:
    """A caller that arrives while a connection is free does not overtake those that wait for it.

    awaited: by `await pool.acquire()`, which asyncpg allows beside `async with`.
    """
    served: list[int] = []
    async with create_pool(provider_url, application="test", size=2, timeouts=Timeouts(acquire=60)) as pool:
        async with pool.acquire() as one, pool.acquire() as other:
            assert one is not other

        async def visit(number: int) -> None:
            if awaited and number % 2:
                connection = await pool.acquire()
                try:
                    served.append(number)
                    await connection.execute("SELECT 1")
                finally:
                    await pool.release(connection)
                return
            async with pool.acquire() as connection:
                served.append(number)
                await connection.execute("SELECT 1")

        visits = []
        for number in range(300):
            visits.append(asyncio.create_task(visit(number)))
            await asyncio.sleep(0)
        await asyncio.gather(*visits)

    assert served == sorted(served)


async def test_after_a_time_out_or_a_cancellation_the_next_waiter_gets_the_connection(provider_url: Secret) -> None:
    async with create_pool(provider_url, application="test", size=1, timeouts=Timeouts(acquire=60)) as pool:
        async with pool.acquire():
            pool.acquire_seconds = 0.05
            with pytest.raises(PoolExhaustedError):
                await pool.fetchval("SELECT 1")
            impatient = asyncio.create_task(pool.fetchval("SELECT 1"))
            await asyncio.sleep(0)
            impatient.cancel()
            await asyncio.gather(impatient, return_exceptions=True)
            pool.acquire_seconds = 60

        pool.acquire_seconds = 60.0
        assert await asyncio.gather(*(pool.fetchval("SELECT 1") for _ in range(20))) == [1] * 20


async def test_a_connection_that_is_released_twice_gives_back_one_turn(provider_url: Secret) -> None:
    async with create_pool(provider_url, application="test", size=1, timeouts=Timeouts(acquire=60)) as pool:
        connection = await pool.acquire()
        await pool.release(connection)
        await pool.release(connection)
        async with pool.acquire():
            pool.acquire_seconds = 0.05
            with pytest.raises(PoolExhaustedError):
                await pool.acquire()
        assert pool.in_turn == set()


async def test_a_connection_that_breaks_gives_back_its_turn(provider_url: Secret) -> None:
    async with create_pool(provider_url, application="test", size=1, timeouts=Timeouts(acquire=60)) as pool:
        for _ in range(3):
            async with pool.acquire() as connection:
                connection.terminate()
        assert await pool.fetchval("SELECT 1") == 1


async def test_a_server_that_does_not_answer_is_not_called_an_exhausted_pool() -> None:
    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await end.wait()
        writer.close()

    end = asyncio.Event()
    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    address: Any = server.sockets[0].getsockname()
    url = Secret(f"postgresql://nobody@127.0.0.1:{address[1]}/nowhere?sslmode=disable")
    try:
        async with create_pool(url, application="test", timeouts=Timeouts(acquire=0.1)) as pool:
            with pytest.raises(NoConnectionError) as caught:
                await pool.fetchval("SELECT 1")
            assert not isinstance(caught.value, PoolExhaustedError)
    finally:
        end.set()
        server.close()
