"""Structured logs: JSON lines, or readable lines on a terminal."""

import json
import logging
import sys
from typing import Any

import msgspec
import structlog

from common.telemetry.tracebacks import traceback_text, write_traceback


def _as_json(event: Any, **_: Any) -> str:
    """Render a log line; values that JSON cannot hold become text, because logging must never fail a request."""
    try:
        return msgspec.json.encode(event, enc_hook=str).decode()
    except (TypeError, ValueError, OverflowError):
        return json.dumps(event, default=str, skipkeys=True)


def configure_logging(*, level: str = "info", stream: Any = None) -> None:
    """Log JSON lines, or readable lines where `stream` (default: standard error) is a terminal."""
    stream = stream or sys.stderr
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if stream.isatty():
        rendering: list[Any] = [structlog.dev.ConsoleRenderer(exception_formatter=write_traceback)]
    else:
        rendering = [
            structlog.processors.ExceptionRenderer(traceback_text),
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
    # APScheduler warns when it skips a tick because the job still runs, which is intended.
    logging.getLogger("apscheduler.scheduler").setLevel(logging.ERROR)
