"""A restaurant over HTTP, as guests, staff and the accounting program use it."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from common.config import Secret
from common.instants import format_instant
from common.jobs.lease import JobResult
from common.outbox import delivery
from common.web import signature
from common.web.resources import Application
from common.web.responses import encode_json
from provider.dining import jobs
from provider.dining.settings import DiningSettings
from provider.dining.sms import LoggingSmsGateway
from provider.resources import resources_of

SLOW_RETRY = delivery.Policy(min_wait=60)
"""A failed message is not due again before the test has checked it, also on a slow machine."""

EVENING = (datetime.now(UTC) + timedelta(days=200)).replace(hour=19, minute=0, second=0, microsecond=0)
"""The start of a booking: orders are taken for a year ahead."""
START = format_instant(EVENING)
START_TEXT = f"{EVENING:%A}, {EVENING.day} {EVENING:%B %Y, %H:%M} UTC"
"""The start as people read it in a restaurant in UTC."""


def evening_at(clock_time: str) -> str:
    """Return a time on that day, such as 20:30, as an instant."""
    return f"{EVENING:%Y-%m-%d}T{clock_time}:00Z"


ACCOUNTING_SECRET = Secret("a-secret-that-both-programs-know")
ACCOUNTING_URL = "http://accounting.example/front-desk"


class Restaurant:
    """The provider as a restaurant. Calls over HTTP return the response of the test client."""

    def __init__(self, app: Application, db: asyncpg.Pool) -> None:
        self.app = app
        self.db = db
        self.client = app.test_client()
        self.headers: dict[str, str] = {}

    @property
    def settings(self) -> DiningSettings:
        return resources_of(self.app).dining

    @property
    def smtp_url(self) -> Secret | None:
        return resources_of(self.app).smtp_url

    async def log_in(self, username: str = "admin", password: str = "1") -> dict[str, str]:
        response = await self.client.post("/api/token/", json={"username": username, "password": password})
        return await response.get_json()

    async def open(self, path: str, method: str, **call: Any) -> Any:
        return await self.client.open(path, method=method, **call)

    async def admin(self, method: str, path: str, **call: Any) -> Any:
        if not self.headers:
            self.headers = {"Authorization": f"Bearer {(await self.log_in())['access']}"}
        return await self.open(f"/api/admin/{path}", method, headers=self.headers, **call)

    async def add_table(self, **table: Any) -> int:
        response = await self.admin("POST", "add_table/", json=table)
        assert response.status_code == 201
        return (await response.get_json())["id"]

    async def post_order(self, table_id: int, **order: Any) -> Any:
        order = order or {"email": "ann@example.com"}
        return await self.client.post(f"/api/customer/book_table/?id={table_id}", json=order)

    async def book(self, table_id: int, **order: Any) -> int:
        """Order a table and return the id of the booking."""
        response = await self.post_order(table_id, **order)
        assert response.status_code == 201, await response.get_data(as_text=True)
        return (await response.get_json())["id"]

    async def status(self, booking_id: int) -> str:
        response = await self.admin("GET", f"view_booking/?id={booking_id}")
        return (await response.get_json())["booking"]["status"]

    async def send_mails(self, policy: delivery.Policy = SLOW_RETRY) -> JobResult:
        assert self.smtp_url is not None
        return await jobs.send_mails(self.db, self.settings, self.smtp_url, policy)

    async def send_guest_messages(self) -> JobResult:
        return await jobs.send_guest_messages(self.db, self.settings, self.smtp_url, LoggingSmsGateway())

    async def forward_orders(self, policy: delivery.Policy = SLOW_RETRY) -> JobResult:
        return await jobs.forward_orders(self.db, resources_of(self.app).http, self.settings, policy)

    async def expire_orders(self, now: datetime) -> JobResult:
        return await jobs.expire_orders(self.db, self.settings, now)

    async def move_start(self, booking_id: int, start: datetime) -> None:
        """Move a booking in time, for orders whose time has come or passed."""
        async with self.db.acquire() as connection, connection.transaction():
            await connection.execute("ALTER TABLE dining_booking DISABLE TRIGGER USER")
            await connection.execute("UPDATE dining_booking SET starts_at = $2 WHERE id = $1", booking_id, start)
            await connection.execute("ALTER TABLE dining_booking ENABLE TRIGGER USER")

    async def history(self, booking_id: int) -> list[dict[str, Any]]:
        """Return every status of a booking, oldest first."""
        response = await self.admin("GET", f"view_booking/?id={booking_id}")
        changes: list[dict[str, Any]] = (await response.get_json())["changes"]
        return changes

    async def make_all_due(self) -> None:
        """Make all waiting messages due now, also those claimed or waiting for a retry."""
        await self.db.execute("UPDATE outbox SET due_at = now() WHERE state = 'waiting'")

    async def decide(self, order_id: int, decision: str, *, now: float | None = None, **changes: Any) -> Any:
        """Send a signed decision of the accounting program."""
        body = encode_json({"order_id": order_id, "decision": decision, **changes})
        header = signature.sign(ACCOUNTING_SECRET, body, time.time() if now is None else now)
        return await self.client.post(
            "/api/accounting/decisions",
            data=body,
            headers={"Content-Type": "application/json", signature.SIGNATURE_HEADER: header},
        )
