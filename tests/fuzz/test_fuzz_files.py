"""A short run of hostile files; `make fuzz` makes a long one."""

from pathlib import Path

import asyncpg
import pytest

from common.config import Secret
from common.web.resources import Application
from tests.fuzz.file_readers import Place
from tests.fuzz.file_service import file_service
from tests.fuzz.files import fuzz_files

pytestmark = pytest.mark.timeout(600)

FILES = 150


async def require_no_fault(place: Place, seed: int) -> None:
    result = await fuzz_files(place, FILES, seed)
    assert result.faults == []
    assert set(result.outcomes) == {"stored", "partly stored", "refused"}


async def test_the_provider_reads_hostile_files(
    provider_app: Application, provider_db: asyncpg.Pool, provider_url: Secret, tmp_path: Path
) -> None:
    async with file_service() as service:
        await require_no_fault(Place(provider_app, provider_db, provider_url, tmp_path, service), seed=1)


async def test_the_dashboard_reads_hostile_files(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, dashboard_url: Secret, tmp_path: Path
) -> None:
    async with file_service() as service:
        await require_no_fault(Place(dashboard_app, dashboard_db, dashboard_url, tmp_path, service), seed=2)
