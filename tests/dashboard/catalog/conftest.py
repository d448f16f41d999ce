"""The dashboard with an offers service that is played."""

import re
from collections.abc import Iterator

import pytest
from aioresponses import aioresponses

from common.web.resources import Application
from dashboard.catalog import service
from tests.support.fake_offers import BASE, Catalogue, FakeOffers


@pytest.fixture
def fake() -> Iterator[FakeOffers]:
    service = FakeOffers()
    with aioresponses() as mocked:
        for method in (mocked.post, mocked.get):
            method(re.compile(rf"^{re.escape(BASE)}/.*$"), callback=service.answer, repeat=True)
        yield service


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    return environment | {"DASHBOARD_OFFERS_URL": BASE}


@pytest.fixture
async def catalogue(fake: FakeOffers, dashboard_app: Application, environment: dict[str, str]) -> Catalogue:
    return Catalogue(dashboard_app, environment)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A creation waits for as long as a slow machine needs."""
    monkeypatch.setattr(service, "REGISTER_SECONDS", 60.0)
