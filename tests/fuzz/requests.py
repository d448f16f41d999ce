"""Sends hostile requests to both applications and states what must hold for every answer."""

import json
import random
from collections.abc import Mapping
from typing import Any

import asyncpg
from quart import Response
from structlog.testing import capture_logs

from common.web.resources import Application
from tests.fuzz.request_mutation import HostileRequest, make_request, read_operations

NOT_COUNTED = ("failed_login", "used_signature", "rate_limit", "job", "uptime_report", "uptime_report_row")
"""Tables that change beside a refused request: guesses are counted, jobs and reports go on."""


async def fuzz_requests(app: Application, db: asyncpg.Pool, number: int, seed: int) -> list[str]:
    """Send `number` hostile requests; returns a line for each answer that breaks a rule.

    No answer is a 5xx, no error is logged, every refusal of the API is a problem document, and a refused write has
    stored nothing.
    """
    choice = random.Random(seed)
    client = app.test_client()
    operations = read_operations(await (await client.get("/openapi.json")).get_json())
    before = await count_rows(db)
    faults = []
    for _ in range(number):
        request = make_request(choice, choice.choice(operations))
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
        faults += [f"{describe(request)}: {answer.status_code} {reason}" for reason in reasons]
    return faults


def faults_of_answer(request: HostileRequest, answer: Response, body: bytes) -> list[str]:
    """The rules of one answer that it breaks."""
    faults = []
    if answer.status_code >= 500:
        faults.append(f"is an error of the server: {body[:300]!r}")
    if b"Traceback" in body or b"asyncpg" in body:
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
