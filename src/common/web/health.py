"""Health and metrics: /livez, /readyz and /metrics."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import asyncpg
import msgspec
from pydantic import Field
from quart import Blueprint, Response
from quart_schema import document_response, tag_blueprint

from common.db import migrate
from common.db.distribution import select_unreachable_workers
from common.db.errors import DATABASE_UNAVAILABLE
from common.db.role_settings import select_differing_settings
from common.db.row_counts import select_row_counts
from common.telemetry import metrics
from common.web.bearer import operations_token_required
from common.web.errors import Unavailable
from common.web.health_checks import Check
from common.web.input_types import Input
from common.web.openapi.document import operation
from common.web.query_string import validate_querystring
from common.web.replica import replica_checks
from common.web.resources import current_application, pool
from common.web.responses import json_response

Measure = Callable[[], Awaitable[None]]
"""Sets a gauge from the database."""

WORKERS_SECONDS = 2.0
"""How long a verbose probe waits for an answer about the workers of a cluster."""

NOT_READY: tuple[type[Exception], ...] = (*DATABASE_UNAVAILABLE, asyncpg.UndefinedTableError)
WORKERS_UNKNOWN: tuple[type[Exception], ...] = (*NOT_READY, asyncpg.UndefinedFunctionError, TimeoutError)


class Alive(msgspec.Struct, frozen=True):
    """The process is alive."""

    status: str
    """Always `alive`."""


class Readiness(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whether this process can serve requests; with ?verbose, every check."""

    status: str
    """Always `ready`; a process that is not ready answers 503."""
    checks: list[Check] = []
    """Every check; only with ?verbose."""


class ReadinessQuery(Input):
    verbose: Annotated[str | None, Field(description="Include every check", examples=[""])] = None


def blueprint(db_migrations: Path, measures: Sequence[Measure] = ()) -> Blueprint:
    """The routes /livez, /readyz and /metrics.

    db_migrations: the folder of the migrations that the database must have. measures: called before each scrape.
    """
    routes = Blueprint("operations", __name__)
    tag_blueprint(routes, ["operations"])

    @routes.get("/livez")
    @operation(example={"status": "alive"})
    @document_response(Alive)
    async def get_liveness() -> Response:
        """Whether the process is alive; checks no dependency."""
        return json_response(Alive("alive"))

    @routes.get("/readyz")
    @operation(descriptions={503: "Not ready; with ?verbose `checks` says why"}, example={"status": "ready"})
    @validate_querystring(ReadinessQuery)
    @document_response(Readiness)
    async def get_readiness(query_args: ReadinessQuery) -> Response:
        """Whether this process can serve requests: PostgreSQL is reachable and its schema is up to date.

        Neither a read replica nor a single worker of a cluster is needed for that: while a replica fails, the primary
        is read, and without a worker the requests for the rows of others are served.
        """
        checks = await readiness(pool(), db_migrations)
        shown = []
        if query_args.verbose is not None:
            others = replica_checks(current_application().resources.replica)
            shown = [*checks, *await worker_checks(pool()), *others]
        if failed := [check.name for check in checks if not check.ok]:
            extra = {"checks": shown} if shown else None
            raise Unavailable(f"Not ready: {', '.join(failed)}.", code="not_ready", retry_after=2, extra=extra)
        return json_response(Readiness("ready", shown))

    @routes.get("/metrics")
    @operation(media={200: {"text/plain": {"type": "string"}}}, descriptions={200: "The text format of Prometheus"})
    @operations_token_required
    async def get_metrics() -> Response:
        """Metrics for Prometheus."""
        metrics.measure_pools(current_application().resources.pools.by_name())
        for measure in (measure_rows, *measures):
            with suppress(*DATABASE_UNAVAILABLE):
                await measure()
        page, content_type = metrics.metrics_page()
        return Response(page, content_type=content_type)

    return routes


async def measure_rows() -> None:
    """Set the gauge `rows_kept` of each table."""
    for table, rows in (await select_row_counts(pool())).items():
        metrics.ROWS.labels(table).set(rows)


def describe_settings(differing: Sequence[str]) -> str:
    """Whether a session has the settings of its role, or which of them it lacks and what to do."""
    if not differing:
        return "those of the role"
    return (
        f"not those that migrate gives the role: {', '.join(differing)}; run migrate, name no setting in the database "
        "URL, and end the sessions that began before"
    )


async def readiness(db: asyncpg.Pool, folder: Path) -> list[Check]:
    """The checks behind /readyz."""
    try:
        pending = await migrate.select_pending(db, folder)
        differing = await select_differing_settings(db)
    except NOT_READY as error:
        return [Check("database", ok=False, detail=type(error).__name__)]
    return [
        Check("database", ok=True, detail="reachable"),
        Check("migrations", ok=not pending, detail=f"pending: {', '.join(pending)}" if pending else "up to date"),
        Check("settings", ok=not differing, detail=describe_settings(differing)),
    ]


async def worker_checks(db: asyncpg.Pool) -> list[Check]:
    """What /readyz?verbose says of the workers of a cluster; nothing while all are reachable, or on one node."""
    try:
        async with asyncio.timeout(WORKERS_SECONDS):
            unreachable = await select_unreachable_workers(db)
    except WORKERS_UNKNOWN as error:
        return [Check("workers", ok=False, detail=type(error).__name__)]
    return [Check("workers", ok=False, detail=f"unreachable: {', '.join(unreachable)}")] if unreachable else []
