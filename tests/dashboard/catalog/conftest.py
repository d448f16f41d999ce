"""The dashboard with a fake offers service."""

import re
from collections.abc import Iterator

import pytest
from aioresponses import aioresponses

from common.web.resources import Application
from dashboard.catalog import service
from tests.support.fake_offers import BASE, Catalogue, FakeOffers


@pytest.fixture
def fake() -> Iterator[FakeOffers]:
    fake_offers = FakeOffers()
    with aioresponses() as mocked:
        for method in (mocked.post, mocked.get):
            method(re.compile(rf"^{re.escape(BASE)}/.*$"), callback=fake_offers.answer, repeat=True)
        yield fake_offers


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    return environment | {"DASHBOARD_OFFERS_URL": BASE}


@pytest.fixture
async def catalogue(fake: FakeOffers, dashboard_app: Application, environment: dict[str, str]) -> Catalogue:
    return Catalogue(dashboard_app, environment)


@pytest.fixture(autouse=True)
def long_registration_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a slow machine a registration takes longer than REGISTER_SECONDS."""
    monkeypatch.setattr(service, "REGISTER_SECONDS", 60.0)
