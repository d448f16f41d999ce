"""Guests of the storefront, and a day for their stays."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest

from common.web.resources import Application
from tests.support.storefront import Guest


@pytest.fixture
def new_guest(provider_app: Application) -> Callable[[], Guest]:
    """Creates guests, each with its own token."""
    return lambda: Guest(provider_app)


@pytest.fixture
def guest(provider_app: Application) -> Guest:
    return Guest(provider_app)


@pytest.fixture
def soon() -> date:
    """A day on which a stay may begin."""
    return datetime.now(UTC).date() + timedelta(days=30)
