"""Creates an application with problem documents, JSON, bounded request bodies, pages, telemetry and OpenAPI."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from quart_schema import Info

from common.telemetry import metrics
from common.version import VERSION
from common.web import bearer, connection, errors, html, instrumentation, protocol, request_body, responses
from common.web.openapi import document
from common.web.resources import Application, CommonResources

SAMPLE_SECONDS = 5.0


def create(
    name: str,
    *,
    title: str,
    description: str,
    tags: Mapping[str, str],
    security_schemes: Mapping[str, Any] | None = None,
) -> Application:
    """Create an application; the caller adds routes, jobs and the lifecycle."""
    app = Application(name)
    app.url_map.merge_slashes = False  # a path with // in it is a 404, rather than a redirect with an HTML page
    app.config["RESPONSE_TIMEOUT"] = None
    app.config["BODY_TIMEOUT"] = 60
    instrumentation.install(app)
    errors.install(app)
    protocol.install(app)
    connection.install(app)
    request_body.install(app)
    document.install(
        app,
        Info(title=title, version=VERSION, description=description),
        tags={**tags, "operations": "Health, metrics and jobs"},
        security_schemes={**(security_schemes or {}), bearer.scheme_of(bearer.OPERATIONS): operations_scheme(name)},
    )
    responses.install(app)
    html.install(app)
    return app


def operations_scheme(name: str) -> Mapping[str, str]:
    """The security scheme of the operators of an application."""
    return bearer.token_scheme(f"{name.upper()}_OPERATIONS_TOKEN", "It permits the routes for operators.")


@asynccontextmanager
async def serving(app: Application, resources: CommonResources) -> AsyncIterator[None]:
    """Open the pools of `resources` and give the resources to the application; close the pools at the end."""
    pools = resources.pools.by_name()
    app.resources = resources
    for each in pools.values():
        await each
    tasks = [asyncio.create_task(_sample(pools))]
    if resources.replica is not None:
        tasks.append(asyncio.create_task(resources.replica.watch()))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for each in pools.values():
            await close(each)


async def _sample(pools: Mapping[str, asyncpg.Pool]) -> None:
    """Measure the pools every few seconds, since a scrape reaches only one of several workers."""
    while True:
        metrics.measure_pools(pools)
        await asyncio.sleep(SAMPLE_SECONDS)


async def close(pool: asyncpg.Pool, seconds: float = 5.0) -> None:
    """Close a pool; connections still in use after `seconds` are terminated."""
    try:
        await asyncio.wait_for(pool.close(), seconds)
    except TimeoutError:
        pool.terminate()
