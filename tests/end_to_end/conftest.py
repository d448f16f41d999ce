"""Both applications as real processes."""

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from common.config import Secret
from tests.support.applications import Application


@pytest.fixture
def provider(application: Callable[..., Application], provider_url: Secret) -> Application:
    return application("provider", provider_url)


@pytest.fixture
def dashboard(application: Callable[..., Application], dashboard_url: Secret, provider: Application) -> Application:
    """A dashboard that reads that provider's feed every second."""
    return application("dashboard", dashboard_url, DASHBOARD_PROVIDER_URL=provider.url, DASHBOARD_INGEST_SECONDS="1")


async def start(*applications: Application) -> None:
    """Start them at once and wait until all are ready."""
    await asyncio.gather(*(asyncio.to_thread(each.start) for each in applications))


async def get(application: Application, path: str) -> Any:
    """The JSON of a page."""
    async with aiohttp.ClientSession() as client, client.get(application.url + path) as answer:
        answer.raise_for_status()
        return await answer.json()
