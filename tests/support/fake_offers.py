"""A fake of the offers service, by aioresponses, which counts calls and injects faults."""

import asyncio
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import msgspec
from aioresponses import CallbackResult

from common.config import read_config
from common.jobs.lease import JobResult
from common.jobs.scheduler import run_now
from common.web.resources import Application
from dashboard import schedule
from dashboard.catalog.jobs import NothingRefreshedError
from dashboard.catalog.queries import refresh
from dashboard.catalog.queries.refresh import PriceRules
from dashboard.config import Config
from dashboard.resources import resources_of

BASE = "http://offers.test/api/v1"
REFRESH_TOKEN = "refresh-token-of-the-tests"
VERSIONS = ("old", "present")
"""The versions of the service: the one of the original documentation, and the one published today."""

RULES = PriceRules(allows_free_offers=False, gap=timedelta(minutes=5))
"""The rules of the best price by default."""

WITHOUT_GAPS = PriceRules(allows_free_offers=True, gap=timedelta(days=36_500))
"""Rules by which every price is known and counts."""

Reply = CallbackResult | None
Fault = Callable[[str, str], Awaitable[Reply]]


def reply(status: int, body: Any, headers: dict[str, str] | None = None) -> CallbackResult:
    data = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return CallbackResult(status=status, body=data, headers=headers, content_type="application/json")


class FakeOffers:
    """The service. `offers` are its offers by product id, `default_offers` those of every other product.

    version: one of VERSIONS. fault: is called before every response; if it returns a response, the service sends it.
    """

    def __init__(self, version: str = "old") -> None:
        self.present = version == "present"
        self.refresh_token = REFRESH_TOKEN
        self.valid_tokens: set[str] = set()
        self.registered: dict[str, set[str]] = {}
        self.offers: dict[str, Any] = {}
        self.default_offers: list[dict[str, Any]] = []
        self.calls: Counter[str] = Counter()
        self.offer_requests: Counter[str] = Counter()
        self.registrations: list[dict[str, Any]] = []
        self.in_flight = 0
        self.max_in_flight = 0
        self.fault: Fault | None = None

    async def answer(self, url: Any, **request: Any) -> CallbackResult:
        path = str(url).removeprefix(BASE)
        kind = "auth" if path == "/auth" else "register" if path == "/products/register" else "offers"
        self.calls[kind] += 1
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        try:
            await asyncio.sleep(0)
            given = await self.fault(kind, path) if self.fault is not None else None
            answer = given or self._answer(kind, path, request)
            answer.method = "GET" if kind == "offers" else "POST"
            return answer
        finally:
            self.in_flight -= 1

    def _answer(self, kind: str, path: str, request: dict[str, Any]) -> CallbackResult:
        given = request["headers"].get("Bearer")
        if kind == "auth":
            return self._refuse_token(given) or self._issue_token()
        token = given or ""
        if token not in self.valid_tokens:
            return self.error(401, "UNAUTHORIZED", "Bad authentication")
        if kind == "register":
            product = request["json"]
            assert set(product) == {"id", "name", "description"}
            self.registrations.append(product)
            self.registered[token].add(product["id"])
            return reply(201, {"id": product["id"]})
        product_id = path.split("/")[2]
        self.offer_requests[product_id] += 1
        if product_id not in self.registered[token]:
            return self.error(404, "NOT FOUND", "Product does not exist")
        return reply(200, self.offers.get(product_id, self.default_offers))

    def _refuse_token(self, refresh_token: str | None) -> Reply:
        if not self.present:
            assert refresh_token is None
            return None
        if refresh_token is None:
            return reply(422, {"detail": [{"loc": ["header", "bearer"], "msg": "field required", "type": "missing"}]})
        if refresh_token != self.refresh_token:
            return self.error(401, "UNAUTHORIZED", "Bad authentication")
        if self.valid_tokens:
            return self.error(400, "BAD_REQUEST", "Cannot generate access token because another is valid")
        return None

    def _issue_token(self) -> CallbackResult:
        token = str(uuid.uuid4())
        self.valid_tokens.add(token)
        products = next(iter(self.registered.values()), set()) if self.present else set()
        self.registered[token] = products  # of the refresh token, or of this token alone
        return reply(201, {"access_token": token})

    def error(self, status: int, code: str, words: str, headers: dict[str, str] | None = None) -> CallbackResult:
        """An error in the format of the version."""
        return reply(status, {"detail": words} if self.present else {"code": code, "msg": words}, headers)

    def fail(self, status: int, body: Any = None, *, only: str = "", headers: dict[str, str] | None = None) -> None:
        """Answer all further requests, or those with `only` in their kind or path, with this response."""

        async def fault(kind: str, path: str) -> Reply:
            if only not in f"{kind} {path}":
                return None
            return reply(status, body, headers) if body else self.error(status, "x", "out of order", headers)

        self.fault = fault


def offer(offer_id: Any, price: Any, stock: Any = 5) -> dict[str, Any]:
    return {"id": offer_id, "price": price, "items_in_stock": stock}


class Catalogue:
    """The catalogue over HTTP, and its timed jobs, which a test runs at once."""

    def __init__(self, app: Application, environment: dict[str, str]) -> None:
        self.app = app
        config = read_config(Config, environment | {"DASHBOARD_OFFERS_SECONDS": "60"})
        resources = replace(resources_of(app), config=config)
        self._jobs = {job.name: job for job in schedule.jobs(resources)}

    @property
    def db(self) -> asyncpg.Pool:
        return self.app.resources.pools.requests

    @property
    def intervals(self) -> dict[str, float]:
        """The intervals of the jobs by name, in seconds."""
        return {name: job.interval for name, job in self._jobs.items()}

    async def refresh(self) -> JobResult:
        return await self._run("refresh_offers")

    async def register(self) -> JobResult:
        return await self._run("register_products")

    async def _run(self, job: str) -> JobResult:
        """Run a job; returns its numbers. Of a run that failed as it refreshed nothing, the stored rows have them."""
        select = refresh.select_pending if job == "register_products" else refresh.select_due
        due = await select(self.db, await refresh.select_now(self.db))
        try:
            return await run_now(self.app.resources.pools.jobs, self._jobs[job])
        except NothingRefreshedError:
            failed = await self.db.fetchval(
                "SELECT count(*) FROM unnest($1::uuid[], $2::int[]) AS due (product_id, failures)"
                " JOIN product_refresh AS stored ON stored.product_id = due.product_id"
                " WHERE stored.failures > due.failures",
                [product.product_id for product in due],
                [product.failures for product in due],
            )
            numbers = {"due": len(due), "refreshed": 0, "failed": failed, "skipped": len(due) - failed}
            return {**numbers, "changes": 0, "closed": 0}

    async def end_backoff(self) -> None:
        """End the backoff of all products, the token and the circuit breaker."""
        await self.db.execute("UPDATE product_refresh SET due_at = NULL")
        await self.db.execute("UPDATE offers_token SET not_before = '-infinity'")
        service = resources_of(self.app).offers
        service._paused_until = 0.0
        service.breaker._retry_at = 0.0

    async def get(self, path: str, status: int = 200) -> Any:
        answer = await self.app.test_client().get(path)
        assert answer.status_code == status, await answer.get_data()
        return await answer.get_json()

    async def create(self, name: str = "Mower", description: str = "Petrol") -> dict[str, Any]:
        answer = await self.app.test_client().post("/products", json={"name": name, "description": description})
        assert answer.status_code == 201
        return await answer.get_json()

    async def create_many(self, count: int) -> list[str]:
        """Insert registered products without calls of the service, and return their ids."""
        ids = [uuid.UUID(int=uuid.uuid4().int) for _ in range(count)]
        await self.db.execute(
            "INSERT INTO product (product_id, name, description) SELECT id, id::text, '' FROM unnest($1::uuid[]) AS id",
            ids,
        )
        await self.db.execute(
            "INSERT INTO product_refresh (product_id, registered_at) SELECT id, now() FROM unnest($1::uuid[]) AS id",
            ids,
        )
        return [str(product_id) for product_id in ids]
