"""The dashboard with a fake offers service."""

import re
from collections.abc import Iterator

import pytest
from aioresponses import aioresponses

from common.web.resources import Application
from dashboard.catalog import service
from tests.support.fake_offers import BASE, REFRESH_TOKEN, Catalogue, FakeOffers


@pytest.fixture
def version() -> str:
    """The version of the service; a test of both is parametrised."""
    return "old"


@pytest.fixture
def fake(version: str) -> Iterator[FakeOffers]:
    fake_offers = FakeOffers(version)
    with aioresponses() as mocked:
        for method in (mocked.post, mocked.get):
            method(re.compile(rf"^{re.escape(BASE)}/.*$"), callback=fake_offers.answer, repeat=True)
        yield fake_offers


@pytest.fixture
def environment(environment: dict[str, str], version: str) -> dict[str, str]:
    """The environment; with a refresh token for the present service."""
    token = {"DASHBOARD_OFFERS_REFRESH_TOKEN": REFRESH_TOKEN} if version == "present" else {}
    return environment | {"DASHBOARD_OFFERS_URL": BASE} | token


@pytest.fixture
async def catalogue(fake: FakeOffers, dashboard_app: Application, environment: dict[str, str]) -> Catalogue:
    return Catalogue(dashboard_app, environment)


@pytest.fixture(autouse=True)
def long_registration_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a slow machine a registration takes longer than REGISTER_SECONDS."""
    monkeypatch.setattr(service, "REGISTER_SECONDS", 60.0)
