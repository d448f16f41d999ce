"""Sends hostile requests to both applications and states what must hold for every answer."""

import json
import random
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import asyncpg
from quart import Response
from structlog.testing import capture_logs

from common.config import Secret
from common.web import signature
from common.web.resources import Application
from tests.fuzz.request_mutation import HostileRequest, make_request, read_operations

NOT_COUNTED = (
    "failed_login",
    "used_signature",
    "rate_limit",
    "job",
    "store_recent_day",
    "uptime_report",
    "uptime_report_detail",
    "uptime_report_progress",
    "uptime_report_row",
)
"""Tables that change beside a refused request: guesses are counted; jobs, reports and the figures of stores go on."""


DEMO_SECRET = Secret("demo-accounting-secret-of-make-run")
SIGNED = ("/api/accounting/decisions", "/front-desk/orders")
GUEST = "6fa459ea-ee8a-4ca4-894e-db77e160355e"

STORED: Mapping[str, tuple[tuple[str, str, object], ...]] = {
    "provider": (
        ("POST", "/events", {"hotel_id": 1, "event_timestamp": "2024-01-01T00:00:00Z", "status": 1, "room_id": 1,
                             "night_of_stay": "2024-02-01"}),
        ("POST", "/properties", {"property_id": "xE6vqTqA6LTwpE", "description": "A villa"}),
        ("POST", "/api/admin/add_table/", {"table_type": "room", "seats": 4, "price": 10.5, "can_be_booked": True}),
        ("POST", "/api/customer/book_table/?id=1", {"email": "ann@example.com"}),
    ),
    "dashboard": (
        ("POST", "/products", {"name": "Pressure washer", "description": "Washes."}),
        ("PUT", "/stores/status", "store_id,status,timestamp_utc\n1,active,2024-01-01 00:00:00 UTC\n"),
        ("PUT", "/stores/business-hours", "store_id,dayOfWeek,start_time_local,end_time_local\n1,0,09:00,17:00\n"),
    ),
}  # fmt: skip
"""Requests that store something before the hostile ones, by application."""


async def find_credentials(app: Application) -> list[dict[str, str]]:
    """Headers of callers that may do something: guests, the admin, staff, the holder of an offers token."""
    client = app.test_client()
    if app.name == "dashboard":
        return [{}, {"Authorization": "Bearer staff"}]
    admin = await client.post("/api/token/", json={"username": "admin", "password": "1"})
    offers = await client.post("/api/v1/auth")
    return [
        {},
        {"Authorization": f"Bearer {GUEST}"},
        {"Authorization": f"Bearer {(await admin.get_json())['access']}"},
        {"Bearer": (await offers.get_json())["access_token"]},
    ]


async def store_some(app: Application, credentials: list[dict[str, str]]) -> None:
    """Send the requests of STORED, each with the first credentials that it accepts."""
    client: Any = app.test_client()
    for method, path, body in STORED[app.name]:
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        media_type = "text/csv" if isinstance(body, str) else "application/json"
        statuses = []
        for headers in credentials:
            answer = await client.open(path, method=method, headers={**headers, "Content-Type": media_type}, data=data)
            statuses.append(answer.status_code)
            if answer.status_code < 300:
                break
        assert min(statuses) < 300, (path, statuses)


@dataclass
class FuzzResult:
    """How many answers had each status, and a line for each answer that breaks a rule."""

    statuses: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


async def fuzz_requests(app: Application, db: asyncpg.Pool, number: int, seed: int) -> FuzzResult:
    """Send `number` hostile requests.

    No answer is a 5xx, no error is logged, every refusal of the API is a problem document, and a refused write has
    stored nothing.
    """
    choice = random.Random(seed)
    client: Any = app.test_client()
    operations = read_operations(await (await client.get("/openapi.json")).get_json())
    credentials = await find_credentials(app)
    await store_some(app, credentials)
    before = await count_rows(db)
    result = FuzzResult()
    for _ in range(number):
        request = make_request(choice, choice.choice(operations))
        request.headers = {**choice.choice(credentials), **request.headers}
        if request.path.split("?")[0] in SIGNED and request.method == "POST" and choice.random() < 0.8:
            request.headers["X-Signature"] = signature.sign(DEMO_SECRET, request.body, time.time())
        with capture_logs() as logs:
            answer: Response = await client.open(
                request.path, method=request.method, headers=request.headers, data=request.body
            )
            body: bytes = await answer.get_data(as_text=False)
        reasons = [*faults_of_answer(request, answer, body), *faults_of_logs(logs)]
        if request.method not in ("GET", "HEAD", "OPTIONS"):
            after = await count_rows(db)
            if answer.status_code >= 400 and after != before:
                changed = [table for table in after if after[table] != before[table]]
                reasons.append(f"is refused, but changed {', '.join(changed)}")
            before = after
        result.statuses[answer.status_code] += 1
        result.faults += [f"{describe(request)}: {answer.status_code} {reason}" for reason in reasons]
    return result


def faults_of_answer(request: HostileRequest, answer: Response, body: bytes) -> list[str]:
    """The rules of one answer that it breaks."""
    faults = []
    if answer.status_code >= 500:
        faults.append(f"is an error of the server: {body[:300]!r}")
    if b"Traceback" in body or b"asyncpg." in body:
        faults.append("shows internals")
    is_problem = answer.mimetype == "application/problem+json"
    may_be_other = answer.mimetype == "text/html" or request.path.lstrip("/").startswith("api/v1/") or not body
    if answer.status_code >= 400 and not may_be_other:
        if not is_problem:
            faults.append(f"is not a problem document but {answer.mimetype}")
        elif missing := {"type", "title", "status", "detail", "code", "request_id"} - set(json.loads(body)):
            faults.append(f"lacks {', '.join(sorted(missing))}")
    return faults


def faults_of_logs(logs: list[Any]) -> list[str]:
    return [f"logged {entry['event']}" for entry in logs if entry["log_level"] in ("error", "critical")]


def describe(request: HostileRequest) -> str:
    return f"{request.method} {request.path} {request.headers} {request.body[:300]!r}"


async def count_rows(db: asyncpg.Pool) -> Mapping[str, int]:
    """The number of rows of each table that only accepted requests change."""
    tables = await db.fetch(
        """
        SELECT relname AS name
          FROM pg_class
         WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
         ORDER BY relname
        """
    )
    names = [row["name"] for row in tables if row["name"] not in NOT_COUNTED]
    counts = await db.fetch(" UNION ALL ".join(f"SELECT '{name}' AS name, count(*) FROM \"{name}\"" for name in names))
    return {row["name"]: row["count"] for row in counts}
