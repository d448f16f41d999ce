"""Measure, name and log every request."""

import time
from typing import TypeVar

import structlog
from quart import Quart, Response, g, request

from common.telemetry import metrics, tracing

P = TypeVar("P")

STRICT_TRANSPORT_SECURITY = "max-age=31536000"
"""Tells browsers to use https for a year."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Methods with their own series in the metrics; clients can invent any number of others."""

QUIET_ROUTES = frozenset({"/livez", "/readyz", "/metrics"})
"""Routes that are not logged, since probes and scrapes are frequent and uninformative."""


def install(app: Quart) -> None:
    """Measure, name and log every request of the application."""
    log = structlog.get_logger()
    app.logger.handlers.clear()
    app.logger.propagate = True

    # Each use of the proxies `request` and `g` is a look-up; one for a function is cheaper.
    @app.before_request
    async def begin() -> None:
        context, headers = unproxied(g), request.headers
        context.started = time.perf_counter()
        context.request_id = tracing.begin_trace(headers.get("X-Request-ID"), headers.get("traceparent"))
        metrics.IN_FLIGHT.inc()

    @app.after_request
    async def finish(response: Response) -> Response:
        context, current = unproxied(g), unproxied(request)
        if "started" not in context:
            return response
        seconds = time.perf_counter() - context.started
        route = current.url_rule.rule if current.url_rule else "(none)"
        method = current.method if current.method in METHODS else "(other)"
        metrics.REQUEST_SECONDS.labels(method, route, response.status_code).observe(seconds)
        response.headers["X-Request-ID"] = context.request_id
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        if current.scheme == "https":
            response.headers["Strict-Transport-Security"] = STRICT_TRANSPORT_SECURITY
        if route not in QUIET_ROUTES:
            log.info(
                "request",
                method=current.method,
                path=current.path,
                status=response.status_code,
                ms=round(seconds * 1000, 1),
            )
        return response

    @app.teardown_request
    async def leave(_error: BaseException | None) -> None:
        if "started" in g:
            metrics.IN_FLIGHT.dec()


def unproxied(proxy: P) -> P:
    """The object that a proxy of Quart currently stands for."""
    return proxy._get_current_object()  # type: ignore[attr-defined]  # werkzeug gives proxies this method
