"""Measure, name and log every request."""

import time

import structlog
from quart import Quart, Response, g

from common.telemetry import metrics, tracing
from common.web.logged_path import logged_path
from common.web.request_body import current_request
from common.web.resources import unproxied

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

    @app.before_request
    async def begin() -> None:
        context, current = unproxied(g), current_request()
        names, headers = current.header_names, current.headers
        context.started = time.perf_counter()
        context.request_id = tracing.begin_trace(
            headers.get("X-Request-ID") if b"x-request-id" in names else None,
            headers.get("traceparent") if b"traceparent" in names else None,
        )
        metrics.IN_FLIGHT.inc()

    @app.after_request
    async def finish(response: Response) -> Response:
        context, current = unproxied(g), current_request()
        if "started" not in context:
            return response
        seconds = time.perf_counter() - context.started
        route = current.url_rule.rule if current.url_rule else "(none)"
        method = current.method if current.method in METHODS else "(other)"
        metrics.request_seconds(method, route, response.status_code).observe(seconds)
        response.headers.add("X-Request-ID", context.request_id)
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        if current.scheme == "https":
            response.headers["Strict-Transport-Security"] = STRICT_TRANSPORT_SECURITY
        if route not in QUIET_ROUTES:
            log.info(
                "request",
                method=current.method,
                path=logged_path(app, current.path),
                status=response.status_code,
                ms=round(seconds * 1000, 1),
            )
        return response

    @app.teardown_request
    async def leave(_error: BaseException | None) -> None:
        if "started" in g:
            metrics.IN_FLIGHT.dec()
