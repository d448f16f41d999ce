"""Both applications as processes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Browser

from common.config import Secret
from tests.support import pgbouncer
from tests.support.applications import ApplicationProcess
from tests.support.both_applications import Applications
from tests.support.browser import running_browser

collect_ignore = [] if pgbouncer.installed() else ["test_pgbouncer.py"]


@pytest.fixture
def provider(make_application: Callable[..., ApplicationProcess], provider_url: Secret) -> ApplicationProcess:
    return make_application("provider", provider_url)


@pytest.fixture
def dashboard(
    make_application: Callable[..., ApplicationProcess], dashboard_url: Secret, provider: ApplicationProcess
) -> ApplicationProcess:
    """A dashboard that reads the provider's feed every second."""
    return make_application(
        "dashboard", dashboard_url, DASHBOARD_PROVIDER_URL=provider.url, DASHBOARD_INGEST_SECONDS="1"
    )


@pytest.fixture
def applications(environment: dict[str, str], provider_url: Secret, dashboard_url: Secret) -> Applications:
    return Applications(environment, provider_url, dashboard_url)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with running_browser() as chromium:
        yield chromium


async def start(*applications: ApplicationProcess) -> None:
    """Start the applications at once and wait until all are ready."""
    await asyncio.gather(*(asyncio.to_thread(each.start) for each in applications))


async def get(application: ApplicationProcess, path: str) -> Any:
    """Return the JSON at a path."""
    async with aiohttp.ClientSession() as client, client.get(application.url + path) as answer:
        answer.raise_for_status()
        return await answer.json()
