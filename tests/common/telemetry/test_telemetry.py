"""Request ids, traces, metrics and log lines."""

import io
import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from prometheus_client.parser import text_string_to_metric_families

from common.telemetry import metrics, tracing
from common.telemetry.logging import configure_logging
from common.web import errors, instrumentation
from common.web.resources import Application
from tests.conftest import CurrentStderr
from tests.support.applications import process_environment
from tests.support.waiting import eventually


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """The log in the format of a file."""
    stream = io.StringIO()
    configure_logging(stream=stream)
    monkeypatch.setattr(errors, "log", structlog.get_logger())  # a logger keeps its first configuration
    yield stream
    configure_logging(stream=CurrentStderr())


def in_flight() -> float:
    value: float = metrics.IN_FLIGHT._value.get()
    return value


async def series(app: Application, name: str) -> list[dict[str, str]]:
    """The labels of every series of a metric."""
    page = await (await app.test_client().get("/metrics")).get_data(as_text=True)
    return [
        sample.labels
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name == name
    ]


@pytest.mark.parametrize("given", ["abc", "0af7651916cd43dd8448eb211c80319c", "a.b:c/d+e=f_g-1", "x" * 128])
async def test_a_valid_request_id_is_kept_and_returned(bare: Application, given: str) -> None:
    for path in ("/livez", "/nothing", "/boom"):
        answer = await bare.test_client().get(path, headers={"X-Request-ID": given})
        assert answer.headers["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["", " ", "a b", "x" * 129, "<script>", "a\tb", "\u00e4", '"'])
async def test_an_invalid_request_id_is_replaced(bare: Application, given: str) -> None:
    answer = await bare.test_client().get("/livez", headers={"X-Request-ID": given})
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["X-Request-ID"])


async def test_every_request_without_an_id_gets_a_unique_one(bare: Application) -> None:
    client = bare.test_client()
    assert len({(await client.get("/livez")).headers["X-Request-ID"] for _ in range(5)}) == 5


def test_a_valid_trace_is_continued_and_an_invalid_one_is_replaced() -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    tracing.begin_trace("id", f"00-{trace}-b7ad6b7169203331-00")
    assert tracing.request_headers()["traceparent"].split("-")[1::2] == [trace, "00"]
    for invalid in ("", "00", f"00-{trace}-0000000000000000-01", f"00-{'0' * 32}-b7ad6b7169203331-01", f"01-{trace}"):
        tracing.begin_trace("id", invalid)
        header = tracing.request_headers()["traceparent"]
        assert tracing.TRACEPARENT.fullmatch(header)
        assert trace not in header


async def test_requests_are_measured_by_the_template_of_their_route(bare: Application) -> None:
    client = bare.test_client()
    for path in ("/things/1", "/things/2", "/unknown/1", "/unknown/2"):
        await client.get(path)
    for method in ("BREW1", "BREW2"):
        await client.open("/livez", method=method, json=None)

    found = await series(bare, "http_request_duration_seconds_count")

    routes = {labels["route"] for labels in found}
    assert "/things/<int(min=1, max=9223372036854775807):thing_id>" in routes
    assert not any("unknown" in route or route in ("/things/1", "/things/2") for route in routes)
    assert {labels["method"] for labels in found} <= instrumentation.METHODS | {"(other)"}
    assert {"method": "GET", "route": "(none)", "status": "404"} in found


async def test_no_request_stays_in_flight_after_it_has_ended(bare: Application) -> None:
    before = in_flight()
    client = bare.test_client()
    await client.get("/livez")
    await client.get("/boom")
    await client.get("/nothing")
    await client.get("/things?limit=x")
    await client.post("/things", data=b"x" * 2_000_000, headers={"Content-Type": "application/json"})
    assert in_flight() == before

    async with client.request("/wait") as connection:
        await connection.send_complete()
        await eventually(lambda: in_flight() != before)
        await connection.disconnect()
    assert in_flight() == before


async def test_all_specified_metrics_are_exported(ground: Application) -> None:
    await ground.test_client().get("/things")
    answer = await ground.test_client().get("/metrics")
    assert answer.content_type.startswith("text/plain")
    page = await answer.get_data(as_text=True)
    families = {family.name for family in text_string_to_metric_families(page)}
    assert families >= {
        *("http_request_duration_seconds", "http_requests_in_flight", "db_pool_connections", "job_runs"),
        *("job_duration_seconds", "feed_lag_seconds", "upstream_requests", "upstream_request_duration_seconds"),
    }
    assert 'db_pool_connections{pool="requests",state="open"} 1.0' in page


async def test_every_request_is_a_json_line_with_its_id(bare: Application, log: io.StringIO) -> None:
    await bare.test_client().get("/nothing?secret=1", headers={"X-Request-ID": "mine"})
    (line,) = [json.loads(text) for text in log.getvalue().splitlines()]
    assert (line["event"], line["method"], line["path"], line["status"]) == ("request", "GET", "/nothing", 404)
    assert line["request_id"] == "mine"
    assert {"level", "timestamp", "ms"} <= set(line)


async def test_probes_and_scrapes_are_not_logged(bare: Application, log: io.StringIO) -> None:
    for path in ("/livez", "/metrics"):
        await bare.test_client().get(path)
    assert log.getvalue() == ""


async def test_an_unhandled_error_is_logged_with_its_traceback_in_one_line(bare: Application, log: io.StringIO) -> None:
    await bare.test_client().get("/boom", headers={"X-Request-ID": "mine"})
    (failure,) = [line for line in map(json.loads, log.getvalue().splitlines()) if line["event"] == "unhandled_error"]
    assert failure["request_id"] == "mine"
    assert "RuntimeError" in failure["exception"]
    assert "Traceback" in failure["exception"]


LOGGING = """
import logging, sys
import structlog
from common.telemetry.logging import configure_logging
from common.config import Secret
configure_logging(level="warning")
log = structlog.get_logger()
log.info("too quiet")
log.warning("odd", secret=Secret("s3cret"), text="a\\nb\\ud800\\0", number=2**80, thing=object, nan=float("nan"))
logging.getLogger("library").error("from %s\\nlibrary", "a")
logging.getLogger("apscheduler.scheduler").warning("skipped")
try:
    password = "s3cret"
    raise RuntimeError("x")
except RuntimeError:
    log.exception("failed")
"""


def test_every_log_record_is_one_json_line_without_secrets() -> None:
    """In a new process, whose standard error is not a terminal."""
    run = subprocess.run([sys.executable, "-c", LOGGING], env=process_environment({}), capture_output=True, check=True)
    lines = [json.loads(line) for line in run.stderr.decode().splitlines()]
    assert [line["event"] for line in lines] == ["odd", "from a\nlibrary", "failed"]
    assert b"s3cret" not in run.stderr.replace(b'password = \\"s3cret\\"', b"")
    assert run.stdout == b""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_readable_lines_without_local_variables() -> None:
    stream = Terminal()
    configure_logging(stream=stream)
    try:

        def fail(password: str) -> Any:
            raise RuntimeError("x" + password[:0])

        try:
            fail("s3cret")
        except RuntimeError:
            structlog.get_logger().exception("failed")
    finally:
        configure_logging(stream=CurrentStderr())
    assert "failed" in stream.getvalue()
    assert "Traceback" in stream.getvalue()
    assert "password = " not in stream.getvalue()
    assert logging.getLogger().handlers
