"""What an operator sees: structured logs, request ids and traces, Prometheus metrics."""

import json
import logging
import os
import re
import secrets
import sys
import time
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, TypeVar

import asyncpg
import msgspec
import structlog
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)
from quart import Quart, Response, g, request

P = TypeVar("P")

REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})")

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

REQUEST_SECONDS = Histogram(
    "http_request_duration_seconds",
    "Time from a request to the start of its answer",
    ["method", "route", "status"],
    buckets=BUCKETS,
)
IN_FLIGHT = Gauge("http_requests_in_flight", "Requests being answered", multiprocess_mode="livesum")
POOL = Gauge("db_pool_connections", "Connections of the pool by state", ["pool", "state"], multiprocess_mode="livesum")
JOB_RUNS = Counter("job_runs_total", "Finished runs of a job", ["job", "outcome"])
JOB_SECONDS = Histogram("job_duration_seconds", "Time that a run of a job took", ["job"], buckets=BUCKETS)
FEED_LAG = Gauge("feed_lag_seconds", "How far the counters are behind now", multiprocess_mode="mostrecent")
UPSTREAM_CALLS = Counter("upstream_requests_total", "Calls of an external service", ["upstream", "outcome"])
UPSTREAM_SECONDS = Histogram(
    "upstream_request_duration_seconds", "Time that an external service took", ["upstream"], buckets=BUCKETS
)

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Methods with a series of their own; a caller can invent any number of others."""

_trace: ContextVar[tuple[str, str] | None] = ContextVar("trace", default=None)
_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


def _as_json(event: Any, **_: Any) -> str:
    """A log line; what JSON has no form for is written as text, since a log line must never be why a request fails."""
    try:
        return msgspec.json.encode(event, enc_hook=str).decode()
    except (TypeError, ValueError, OverflowError):
        return json.dumps(event, default=str, skipkeys=True)


def configure_logging(*, level: str = "info", stream: Any = None) -> None:
    """JSON lines, or lines for people where standard error is a terminal."""
    stream = stream or sys.stderr
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if stream.isatty():
        # The plain traceback: the default one shows local variables, which may hold secrets.
        rendering: list[Any] = [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    else:
        rendering = [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=_as_json),
        ]
    number = getattr(logging, level.upper())
    structlog.configure(
        processors=[*shared, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=True,
    )
    bridge = logging.StreamHandler(stream)
    bridge.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *rendering,
            ],
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [bridge]
    root.setLevel(logging.WARNING)
    # A tick that finds its job still running is skipped, which is what it should do and nothing to warn of.
    logging.getLogger("apscheduler.scheduler").setLevel(logging.ERROR)


def request_headers() -> dict[str, str]:
    """The headers that carry the current request id and trace to an external service (W3C Trace Context)."""
    headers = {}
    if identifier := _request_id.get():
        headers["X-Request-ID"] = identifier
    if trace := _trace.get():
        headers["traceparent"] = f"00-{trace[0]}-{secrets.token_hex(8)}-{trace[1]}"
    return headers


def begin_trace(request_id: str | None = None, traceparent: str | None = None) -> str:
    """Make, or take over, the identifiers of a piece of work (a request, a run of a job). Returns the request id."""
    random = secrets.token_hex(32)
    identifier = request_id if request_id and REQUEST_ID.fullmatch(request_id) else random[:32]
    match = TRACEPARENT.fullmatch(traceparent) if traceparent else None
    _trace.set((match[1], match[2]) if match else (random[32:], "01"))
    _request_id.set(identifier)
    structlog.contextvars.bind_contextvars(request_id=identifier)
    return identifier


def install(app: Quart) -> None:
    """Measure, name and log every request of the application."""
    log = structlog.get_logger()
    app.logger.handlers.clear()
    app.logger.propagate = True

    # Each use of `request` and `g` looks them up anew, which adds up: once is enough for a function.
    @app.before_request
    async def begin() -> None:
        known, headers = _behind(g), request.headers
        known.started = time.perf_counter()
        known.request_id = begin_trace(headers.get("X-Request-ID"), headers.get("traceparent"))
        IN_FLIGHT.inc()

    @app.after_request
    async def finish(response: Response) -> Response:
        known, asked = _behind(g), _behind(request)
        if "started" not in known:
            return response
        seconds = time.perf_counter() - known.started
        route = asked.url_rule.rule if asked.url_rule else "(none)"
        method = asked.method if asked.method in METHODS else "(other)"
        REQUEST_SECONDS.labels(method, route, response.status_code).observe(seconds)
        response.headers["X-Request-ID"] = known.request_id
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        if route not in QUIET_ROUTES:
            log.info(
                "request",
                method=asked.method,
                path=asked.path,
                status=response.status_code,
                ms=round(seconds * 1000, 1),
            )
        return response

    @app.teardown_request
    async def leave(_error: BaseException | None) -> None:
        if "started" in g:
            IN_FLIGHT.dec()


def _behind(proxy: P) -> P:
    """What a proxy of Quart stands for at the moment."""
    return proxy._get_current_object()  # type: ignore[attr-defined]  # werkzeug gives proxies this method


def measure_pools(pools: Mapping[str, asyncpg.Pool]) -> None:
    """Note how many connections of each pool of this process are open, idle, and possible."""
    for name, pool in pools.items():
        POOL.labels(name, "open").set(pool.get_size())
        POOL.labels(name, "idle").set(pool.get_idle_size())
        POOL.labels(name, "max").set(pool.get_max_size())


QUIET_ROUTES = frozenset({"/livez", "/readyz", "/metrics"})
"""Probes and scrapes say nothing new in a log."""


def metrics_page() -> tuple[bytes, str]:
    """The metrics of all worker processes in Prometheus' text format, and its content type."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the client library is untyped here
        return generate_latest(registry), CONTENT_TYPE_LATEST
    return generate_latest(), CONTENT_TYPE_LATEST
