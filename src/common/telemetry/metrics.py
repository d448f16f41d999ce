"""Prometheus metrics that both applications have, and the page that Prometheus scrapes."""

import os
from collections.abc import Mapping
from functools import lru_cache

import asyncpg
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

REQUEST_SECONDS = Histogram(
    "http_request_duration_seconds",
    "Time from the arrival of a request to the start of its response",
    ["method", "route", "status"],
    buckets=BUCKETS,
)
IN_FLIGHT = Gauge("http_requests_in_flight", "Requests in progress", multiprocess_mode="livesum")
POOL = Gauge("db_pool_connections", "Connections of the pool by state", ["pool", "state"], multiprocess_mode="livesum")
REPLICA_READABLE = Gauge(
    "db_replica_readable", "Whether reads go to the replica, 1 or 0", ["replica"], multiprocess_mode="mostrecent"
)
REPLICA_LAG = Gauge(
    "db_replica_lag_seconds", "How far the replica is behind the primary", ["replica"], multiprocess_mode="mostrecent"
)
ROWS = Gauge("rows_kept", "Rows of a table, as PostgreSQL estimates them", ["table"], multiprocess_mode="mostrecent")
JOB_RUNS = Counter("job_runs_total", "Finished runs of a job", ["job", "outcome"])
JOB_SECONDS = Histogram("job_duration_seconds", "Duration of a job run", ["job"], buckets=BUCKETS)
UPSTREAM_CALLS = Counter("upstream_requests_total", "Calls of an external service", ["upstream", "outcome"])
UPSTREAM_SECONDS = Histogram(
    "upstream_request_duration_seconds", "Duration of a call of an external service", ["upstream"], buckets=BUCKETS
)


@lru_cache(4096)
def request_seconds(method: str, route: str, status: int) -> Histogram:
    """The series of REQUEST_SECONDS; looking it up by its labels takes as long as adding to it."""
    return REQUEST_SECONDS.labels(method, route, status)


def measure_pools(pools: Mapping[str, asyncpg.Pool]) -> None:
    """Set the gauges of open, idle and maximum connections for each pool of this process."""
    for name, pool in pools.items():
        POOL.labels(name, "open").set(pool.get_size())
        POOL.labels(name, "idle").set(pool.get_idle_size())
        POOL.labels(name, "max").set(pool.get_max_size())


def metrics_page() -> tuple[bytes, str]:
    """The metrics of all worker processes in Prometheus' text format, and its content type."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the client library is untyped here
        return generate_latest(registry), CONTENT_TYPE_LATEST
    return generate_latest(), CONTENT_TYPE_LATEST
