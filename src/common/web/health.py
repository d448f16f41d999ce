"""What operators ask both applications: is it alive, is it ready, what does it measure, what do its jobs do."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import asyncpg
import msgspec
from pydantic import Field
from quart import Blueprint, Response, current_app
from quart_schema import document_response, tag_blueprint, validate_querystring

from common.db import migrate
from common.db.pool import pool
from common.jobs import scheduler
from common.jobs.scheduler import Job, JobState
from common.telemetry import metrics
from common.web.errors import DATABASE_GONE, Unavailable
from common.web.input_types import Input
from common.web.openapi.document import operation
from common.web.responses import answer

NOT_READY: tuple[type[Exception], ...] = (*DATABASE_GONE, asyncpg.UndefinedTableError)


class Alive(msgspec.Struct, frozen=True):
    """The process answers."""

    status: str


class Check(msgspec.Struct, frozen=True):
    """One thing that readiness depends on."""

    name: str
    ok: bool
    detail: str


class Readiness(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whether requests should be sent here; with ?verbose also why."""

    status: str
    checks: list[Check] = []


class Jobs(msgspec.Struct, frozen=True):
    """The timed work of this application, as the whole fleet sees it."""

    jobs: list[JobState]


JOBS_EXAMPLE = {
    "jobs": [
        {
            "name": "forget_idempotency_keys",
            "interval_seconds": 3600.0,
            "last_started": "2020-01-01T00:00:00Z",
            "last_finished": "2020-01-01T00:00:01Z",
            "last_outcome": "ok",
            "last_error": None,
            "next_run": "2020-01-01T01:00:00Z",
            "did": {"deleted": 2},
        }
    ]
}


class ReadinessQuery(Input):
    verbose: Annotated[str | None, Field(description="Name every check")] = None


def blueprint(db_migrations: Path, jobs: Sequence[Job]) -> Blueprint:
    """The operators' routes. db_migrations: the folder that the database has to be up to. jobs: those of /jobs."""
    routes = Blueprint("operations", __name__)
    tag_blueprint(routes, ["operations"])

    @routes.get("/livez")
    @operation(example={"status": "alive"})
    @document_response(Alive)
    async def livez() -> Response:
        """Is the process alive? Never touches a dependency."""
        return answer(Alive("alive"))

    @routes.get("/readyz")
    @operation(words={503: "Not ready; with ?verbose `checks` says why"}, example={"status": "ready"})
    @validate_querystring(ReadinessQuery)
    @document_response(Readiness)
    async def readyz(query_args: ReadinessQuery) -> Response:
        """Should requests be sent here? The pool reaches PostgreSQL and its schema is up to date."""
        checks = await readiness(pool(), db_migrations)
        shown = checks if query_args.verbose is not None else []
        if failed := [check.name for check in checks if not check.ok]:
            extra = {"checks": shown} if shown else None
            raise Unavailable(f"Not ready: {', '.join(failed)}.", code="not_ready", retry_after=2, extra=extra)
        return answer(Readiness("ready", shown))

    @routes.get("/metrics")
    @operation(media={200: {"text/plain": {"type": "string"}}}, words={200: "Prometheus' text format"})
    async def metrics_page() -> Response:
        """What Prometheus scrapes."""
        metrics.measure_pools(current_app.extensions["pools"])
        for measure in current_app.extensions["measures"]:
            with suppress(*DATABASE_GONE):
                await measure()
        page, content_type = metrics.metrics_page()
        return Response(page, content_type=content_type)

    @routes.get("/jobs")
    @operation(example=JOBS_EXAMPLE)
    @document_response(Jobs)
    async def list_jobs() -> Response:
        """What the timed work did last, when it runs next, and why it failed if it did."""
        return answer(Jobs(await scheduler.select_jobs(pool(), jobs)))

    return routes


async def readiness(db: asyncpg.Pool, folder: Path) -> list[Check]:
    """The checks behind /readyz."""
    try:
        lacking = await migrate.pending(db, folder)
    except NOT_READY as error:
        return [Check("database", ok=False, detail=type(error).__name__)]
    return [
        Check("database", ok=True, detail="reachable"),
        Check("migrations", ok=not lacking, detail=f"lacking {', '.join(lacking)}" if lacking else "up to date"),
    ]
