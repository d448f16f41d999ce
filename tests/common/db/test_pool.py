"""The pool under load: everybody has a turn, nobody waits longer than is allowed."""

import asyncio

import pytest

from common.config import Secret
from common.db.pool import create_pool


async def test_who_comes_first_is_served_first(provider_url: Secret) -> None:
    """A newcomer who asks at the moment at which a connection is free does not pass those who wait for it."""
    served: list[int] = []
    async with create_pool(provider_url, application="test", size=2, acquire_seconds=60) as pool:
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


async def test_a_turn_that_is_not_used_goes_to_the_next(provider_url: Secret) -> None:
    async with create_pool(provider_url, application="test", size=1, acquire_seconds=60) as pool:
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
