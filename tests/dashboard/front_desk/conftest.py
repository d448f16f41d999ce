"""A front desk that is staffed, and a provider that is not there unless a test says what it answers."""

import re
import time
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest
from aioresponses import aioresponses

from common.config import Secret
from common.outbox import delivery
from common.web import responses, signature
from common.web.resources import Application
from dashboard.front_desk import jobs
from dashboard.resources import resources_of

SECRET = Secret("a-secret-that-both-programs-know")
CALLBACK = "http://provider.example/base/api/accounting/decisions"
ORDER = {
    "id": 70001,
    "status": "waiting",
    "callback_url": CALLBACK,
    "table_id": 3001,
    "table_type": "cabin",
    "seats": 4,
    "price": 25.5,
    "name": "Ann",
    "email": "ann@example.com",
    "phone": None,
    "guests": 3,
    "starts_at": "2999-01-01T19:00:00Z",
    "minutes": 120,
    "ordered_at": "2998-12-01T10:00:00Z",
}


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    return {
        **environment,
        "DASHBOARD_ACCOUNTING_SECRET": SECRET.reveal(),
        "DASHBOARD_STAFF_TOKEN": "the-staff-token",
        "DASHBOARD_PROVIDER_URL": "http://provider.example/base",
    }


class Desk:
    """The front desk over HTTP, as the provider and staff use it."""

    def __init__(self, app: Application, db: asyncpg.Pool) -> None:
        self.app = app
        self.db = db
        self.client = app.test_client()
        self.staff = {"Authorization": "Bearer the-staff-token"}

    async def receive(self, *, now: float | None = None, secret: Secret = SECRET, **changes: Any) -> Any:
        body = responses.encode_json({**ORDER, **changes})
        header = signature.sign(secret, body, time.time() if now is None else now)
        headers = {"Content-Type": "application/json", signature.SIGNATURE_HEADER: header}
        return await self.client.post("/front-desk/orders", data=body, headers=headers)

    async def decide(self, decision: str, order_id: int = 70001) -> Any:
        return await self.client.post(f"/front-desk/orders/{order_id}/{decision}", headers=self.staff)

    async def orders(self, query: str = "") -> Any:
        return await (await self.client.get(f"/front-desk/orders{query}", headers=self.staff)).get_json()

    async def send(self, policy: delivery.Policy | None = None) -> Any:
        resources = resources_of(self.app)
        return await jobs.send_decisions(
            self.db, resources.http, resources.front_desk, policy or delivery.Policy(min_wait=60)
        )

    async def hurry(self) -> None:
        await self.db.execute("UPDATE outbox SET due_at = now() WHERE state = 'waiting'")

    async def log_in(self, token: str = "the-staff-token") -> Any:
        return await self.client.post("/front-desk/login", form={"token": token})

    async def page(self) -> str:
        return await (await self.client.get("/front-desk")).get_data(as_text=True)

    async def csrf(self) -> str:
        match = re.search(r'name="csrf" value="([0-9a-f]+)"', await self.page())
        assert match is not None
        return match[1]


@pytest.fixture
async def desk(dashboard_app: Application, dashboard_db: asyncpg.Pool) -> Desk:
    return Desk(dashboard_app, dashboard_db)


@pytest.fixture
def provider() -> Iterator[aioresponses]:
    with aioresponses() as answers:
        yield answers
