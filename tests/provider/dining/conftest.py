"""A restaurant that is open: staff, tables, guests, and a post office."""

import time
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from common.config import Secret
from common.outbox import delivery
from common.web import signature
from common.web.resources import Application
from common.web.responses import encode_json
from provider.dining import jobs
from provider.dining.settings import Settings
from provider.dining.sms import LoggedTexting
from provider.resources import resources_of
from tests.support.post_office import PostOffice, post_office

UNHURRIED = delivery.Policy(min_wait=60)
"""What fails is not due again before a test has looked at it, however slow the machine."""

ACCOUNTING_SECRET = Secret("a-secret-that-both-programs-know")


@pytest.fixture
async def office() -> AsyncIterator[PostOffice]:
    async with post_office() as office:
        yield office


@pytest.fixture
def environment(environment: dict[str, str], office: PostOffice) -> dict[str, str]:
    return {
        **environment,
        "PROVIDER_SMTP_URL": office.url,
        "PROVIDER_ACCOUNTING_SECRET": ACCOUNTING_SECRET.reveal(),
        "PROVIDER_PUBLIC_URL": "http://restaurant.example",
        "PROVIDER_ACCOUNTING_URL": "http://accounting.example/front-desk",
    }


class Restaurant:
    """The provider over HTTP, as guests and staff use it."""

    def __init__(self, app: Application, db: asyncpg.Pool) -> None:
        self.app = app
        self.db = db
        self.client = app.test_client()
        self.headers: dict[str, str] = {}

    @property
    def settings(self) -> Settings:
        return resources_of(self.app).dining

    async def log_in(self, username: str = "admin", password: str = "1") -> Any:
        answer = await self.client.post("/api/token/", json={"username": username, "password": password})
        return await answer.get_json()

    async def admin(self, method: str, path: str, **call: Any) -> Any:
        if not self.headers:
            self.headers = {"Authorization": f"Bearer {(await self.log_in())['access']}"}
        return await self.client.open(f"/api/admin/{path}", method=method, headers=self.headers, **call)

    async def add_table(self, **table: Any) -> int:
        answer = await self.admin("POST", "add_table/", json=table)
        assert answer.status_code == 201
        return (await answer.get_json())["id"]

    async def book(self, table_id: int, **order: Any) -> Any:
        order = order or {"email": "ann@example.com"}
        return await self.client.post(f"/api/customer/book_table/?id={table_id}", json=order)

    async def booked(self, table_id: int, **order: Any) -> int:
        answer = await self.book(table_id, **order)
        assert answer.status_code == 201, await answer.get_data(as_text=True)
        return (await answer.get_json())["id"]

    async def status(self, booking_id: int) -> str:
        answer = await self.admin("GET", f"view_booking/?id={booking_id}")
        return (await answer.get_json())["booking"]["status"]

    async def send_mails(self, policy: delivery.Policy | None = None) -> Any:
        smtp_url = self.settings.smtp_url
        assert smtp_url is not None
        return await jobs.send_mails(self.db, self.settings, smtp_url, policy or UNHURRIED)

    async def tell_guests(self) -> Any:
        return await jobs.tell_guests(self.db, self.settings, self.settings.smtp_url, LoggedTexting())

    async def hurry(self) -> None:
        """Whatever waits for another attempt, or for a claim to end, is due now."""
        await self.db.execute("UPDATE outbox SET due_at = now() WHERE state = 'waiting'")

    async def decide(self, order_id: int, decision: str, *, now: float | None = None, **changes: Any) -> Any:
        body = encode_json({"order_id": order_id, "decision": decision, **changes})
        header = signature.sign(ACCOUNTING_SECRET, body, time.time() if now is None else now)
        return await self.client.post(
            "/api/accounting/decisions",
            data=body,
            headers={"Content-Type": "application/json", signature.SIGNATURE_HEADER: header},
        )


@pytest.fixture
async def restaurant(provider_app: Application, provider_db: asyncpg.Pool) -> Restaurant:
    # Ids thousands apart: one taken for another must not pass by luck.
    await provider_db.execute("ALTER TABLE dining_table ALTER COLUMN table_id RESTART WITH 3001")
    await provider_db.execute("ALTER TABLE dining_booking ALTER COLUMN id RESTART WITH 70001")
    await provider_db.execute("ALTER TABLE outbox ALTER COLUMN id RESTART WITH 900001")
    return Restaurant(provider_app, provider_db)
