"""A restaurant with staff, tables and guests, and an SMTP server."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from common.web.resources import Application
from tests.support.fake_smtp import FakeSmtp, run_fake_smtp
from tests.support.restaurant import ACCOUNTING_SECRET, ACCOUNTING_URL, Restaurant


@pytest.fixture
async def fake_smtp() -> AsyncIterator[FakeSmtp]:
    async with run_fake_smtp() as fake_smtp:
        yield fake_smtp


@pytest.fixture
def environment(environment: dict[str, str], fake_smtp: FakeSmtp) -> dict[str, str]:
    return {
        **environment,
        "PROVIDER_SMTP_URL": fake_smtp.url,
        "PROVIDER_ACCOUNTING_SECRET": ACCOUNTING_SECRET.reveal(),
        "PROVIDER_PUBLIC_URL": "http://restaurant.example",
        "PROVIDER_ACCOUNTING_URL": ACCOUNTING_URL,
    }


@pytest.fixture
async def restaurant(provider_app: Application, provider_db: asyncpg.Pool) -> Restaurant:
    # Ids are thousands apart, so that confusing two kinds of ids fails.
    await provider_db.execute("ALTER TABLE dining_table ALTER COLUMN table_id RESTART WITH 3001")
    await provider_db.execute("ALTER TABLE dining_booking ALTER COLUMN id RESTART WITH 70001")
    await provider_db.execute("ALTER TABLE outbox ALTER COLUMN id RESTART WITH 900001")
    return Restaurant(provider_app, provider_db)
