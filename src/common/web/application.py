"""What every application of ours has: errors, JSON, bounded bodies, telemetry, OpenAPI, the operators' routes."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from quart import Quart

from common.jobs import scheduler
from common.jobs.scheduler import Job
from common.telemetry import metrics
from common.version import VERSION
from common.web import errors, request_body, responses
from common.web.openapi import document

SAMPLE_SECONDS = 5.0


def create(
    name: str,
    *,
    title: str,
    description: str,
    tags: Mapping[str, str],
    security_schemes: dict[str, Any] | None = None,
) -> Quart:
    """An application with the ground laid; routes, jobs and the lifecycle are the caller's."""
    app = Quart(name, static_folder=None)
    app.url_map.merge_slashes = False  # a path with // in it is a 404, rather than a redirect with an HTML page
    app.config["RESPONSE_TIMEOUT"] = None
    app.config["BODY_TIMEOUT"] = 60
    app.extensions["pools"] = {}
    app.extensions["measures"] = []
    metrics.install(app)
    errors.install(app)
    request_body.install(app)
    document.install(
        app,
        title=title,
        description=description,
        version=VERSION,
        tags={**tags, "operations": "Health, metrics and jobs"},
        security_schemes=security_schemes,
    )
    responses.install(app)
    return app


@asynccontextmanager
async def running(app: Quart, pools: Mapping[str, asyncpg.Pool], jobs: Sequence[Job]) -> AsyncIterator[None]:
    """The pools are open and the jobs run inside the block.

    `main` is the pool of the requests, `jobs` that of the jobs.
    """
    app.extensions["pools"].update(pools)
    app.extensions["pool"] = pools["main"]
    for each in pools.values():
        await each
    sampling = asyncio.create_task(_sample(pools))
    try:
        async with scheduler.running(pools["jobs"], jobs):
            yield
    finally:
        sampling.cancel()
        for each in pools.values():
            await close(each)


async def _sample(pools: Mapping[str, asyncpg.Pool]) -> None:
    """Note the use of the pools now and then: of several workers, only one answers a scrape."""
    while True:
        metrics.measure_pools(pools)
        await asyncio.sleep(SAMPLE_SECONDS)


async def close(pool: asyncpg.Pool, seconds: float = 5.0) -> None:
    """Close a pool; connections that somebody still holds after `seconds` are cut."""
    try:
        await asyncio.wait_for(pool.close(), seconds)
    except TimeoutError:
        pool.terminate()
