"""Measure, name and log every request."""

import time
from typing import TypeVar

import structlog
from quart import Quart, Response, g, request

from common.telemetry import metrics, tracing

P = TypeVar("P")

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Methods with a series of their own; a caller can invent any number of others."""

QUIET_ROUTES = frozenset({"/livez", "/readyz", "/metrics"})
"""Probes and scrapes say nothing new in a log."""


def install(app: Quart) -> None:
    """Measure, name and log every request of the application."""
    log = structlog.get_logger()
    app.logger.handlers.clear()
    app.logger.propagate = True

    # Each use of `request` and `g` looks them up anew, which adds up: once is enough for a function.
    @app.before_request
    async def begin() -> None:
        known, headers = _unproxied(g), request.headers
        known.started = time.perf_counter()
        known.request_id = tracing.begin_trace(headers.get("X-Request-ID"), headers.get("traceparent"))
        metrics.IN_FLIGHT.inc()

    @app.after_request
    async def finish(response: Response) -> Response:
        known, asked = _unproxied(g), _unproxied(request)
        if "started" not in known:
            return response
        seconds = time.perf_counter() - known.started
        route = asked.url_rule.rule if asked.url_rule else "(none)"
        method = asked.method if asked.method in METHODS else "(other)"
        metrics.REQUEST_SECONDS.labels(method, route, response.status_code).observe(seconds)
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
            metrics.IN_FLIGHT.dec()


def _unproxied(proxy: P) -> P:
    """What a proxy of Quart stands for at the moment."""
    return proxy._get_current_object()  # type: ignore[attr-defined]  # werkzeug gives proxies this method
