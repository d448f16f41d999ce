"""The front desk over HTTP, as the provider and staff use it."""

import re
import time
from typing import Any

import asyncpg
from quart import Response
from quart.typing import TestClientProtocol

from common.config import Secret
from common.jobs.lease import JobResult
from common.outbox import delivery
from common.web import responses, signature
from common.web.resources import Application
from dashboard.front_desk import jobs
from dashboard.front_desk.models import Decision
from dashboard.resources import resources_of

SECRET = Secret("a-secret-that-both-programs-know")
CALLBACK = "http://provider.example/base/api/accounting/decisions"
STAFF_TOKEN = "the-staff-token"
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
    "starts_at": "2999-01-01T19:00:00.000000Z",
    "minutes": 120,
    "ordered_at": "2998-12-01T10:00:00.000000Z",
}


class Desk:
    """The front desk over HTTP, as the provider and staff use it."""

    def __init__(self, app: Application, db: asyncpg.Pool) -> None:
        self.app = app
        self.db = db
        self.client: TestClientProtocol = app.test_client()
        self.staff = {"Authorization": f"Bearer {STAFF_TOKEN}"}

    async def receive(self, *, now: float | None = None, secret: Secret = SECRET, **changes: Any) -> Response:
        """Send `ORDER` with changed fields, signed as the provider signs it."""
        body = responses.encode_json({**ORDER, **changes})
        header = signature.sign(secret, body, time.time() if now is None else now)
        headers = {"Content-Type": "application/json", signature.SIGNATURE_HEADER: header}
        return await self.client.post("/front-desk/orders", data=body, headers=headers)

    async def decide(self, decision: Decision, order_id: int = 70001) -> Response:
        return await self.client.post(f"/front-desk/orders/{order_id}/{decision}", headers=self.staff)

    async def orders(self, query: str = "") -> list[dict[str, Any]]:
        """List orders as staff."""
        orders: list[dict[str, Any]] = await (
            await self.client.get(f"/front-desk/orders{query}", headers=self.staff)
        ).get_json()
        return orders

    async def send(self, policy: delivery.Policy | None = None) -> JobResult:
        """Run the job that sends decisions."""
        resources = resources_of(self.app)
        policy = policy or delivery.Policy(min_wait=60)
        return await jobs.send_decisions(self.db, resources.http, resources.front_desk, policy)

    async def make_all_due(self) -> None:
        """Make every waiting message due now."""
        await self.db.execute("UPDATE outbox SET due_at = now() WHERE state = 'waiting'")

    async def log_in(self, token: str = STAFF_TOKEN) -> Response:
        return await self.client.post("/front-desk/login", form={"token": token})

    async def page(self) -> str:
        """The HTML of the page."""
        return await (await self.client.get("/front-desk")).get_data(as_text=True)

    async def csrf(self) -> str:
        """The CSRF token in the page's forms."""
        match = re.search(r'name="csrf" value="([0-9a-f]+)"', await self.page())
        assert match is not None
        return match[1]
