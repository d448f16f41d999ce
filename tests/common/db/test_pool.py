"""The pool under load: connections are acquired in order, and no wait is longer than its limit."""

import asyncio

import pytest

from common.config import Secret
from common.db.pool import Timeouts, create_pool


async def test_connections_are_acquired_in_the_order_of_the_callers(provider_url: Secret) -> None:
    """A caller that arrives while a connection is free does not overtake those that wait for it."""
    served: list[int] = []
    async with create_pool(provider_url, application="test", size=2, timeouts=Timeouts(acquire=60)) as pool:
        async with pool.acquire() as one, pool.acquire() as other:
            assert one is not other

        async def visit(number: int) -> None:
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
            with pytest.raises(TimeoutError):
                await pool.fetchval("SELECT 1")
            impatient = asyncio.create_task(pool.fetchval("SELECT 1"))
            await asyncio.sleep(0)
            impatient.cancel()
            await asyncio.gather(impatient, return_exceptions=True)
            pool.acquire_seconds = 60

        pool.acquire_seconds = 60.0
        assert await asyncio.gather(*(pool.fetchval("SELECT 1") for _ in range(20))) == [1] * 20
