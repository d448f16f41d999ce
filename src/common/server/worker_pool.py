"""Several worker processes behind one port: a parent starts them, replaces those that die, and stops them."""

import os
import shutil
import signal
import tempfile
import threading
import time
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from multiprocessing.synchronize import Event
from types import FrameType

import structlog
from hypercorn.asyncio.run import uvloop_worker
from hypercorn.config import Config as HypercornConfig
from hypercorn.config import Sockets
from prometheus_client import multiprocess

from common.server import connections

log = structlog.get_logger()

METRICS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
ORPHAN_SECONDS = 15.0
"""Time that a worker has to finish after its parent has died."""

SHORT_LIFE_SECONDS = 10.0
SHORT_LIVES = 5
"""Give up after this many workers in a row died within SHORT_LIFE_SECONDS."""


def serve_workers(application_path: str, config: HypercornConfig, workers: int) -> int:
    """Serve from several processes that share the port; their metrics are added up. Returns the exit status.

    SIGTERM and SIGINT let requests in flight finish. Hypercorn's own parent would stop all workers when one dies.
    """
    config.application_path = application_path
    folder = os.environ[METRICS_VARIABLE] = tempfile.mkdtemp(prefix="nightaudit-metrics-")
    try:
        return _Parent(config, workers).run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run_worker(config: HypercornConfig, shutdown_event: Event, sockets: Sockets) -> None:
    """Serve until the parent sets the event or dies."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, args=(shutdown_event,), daemon=True).start()
    connections.install()
    uvloop_worker(config, sockets, shutdown_event)


def _end_with_parent(shutdown_event: Event) -> None:
    parent = parent_process()
    assert parent is not None
    wait([parent.sentinel])
    shutdown_event.set()
    time.sleep(ORPHAN_SECONDS)
    os._exit(1)


class _Parent:
    def __init__(self, config: HypercornConfig, workers: int) -> None:
        self._config = config
        self._workers = workers
        self._context = get_context("spawn")
        self._stop = self._context.Event()
        self._stopping = False
        self._started_at: dict[SpawnProcess, float] = {}
        self._sockets = config.create_sockets()

    def run(self) -> int:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._request_stop)
        short_lives = 0
        while short_lives < SHORT_LIVES:
            while len(self._started_at) < self._workers and not self._stopping:
                self._start()
            if not self._started_at:
                return 0
            wait([process.sentinel for process in self._started_at])
            for process in [process for process in self._started_at if not process.is_alive()]:
                process.join()
                started_at = self._started_at.pop(process)
                multiprocess.mark_process_dead(process.pid)  # type: ignore[no-untyped-call]  # the client library is untyped here
                if not self._stopping:
                    log.error("worker_died", pid=process.pid, exitcode=process.exitcode)
                    short_lives = short_lives + 1 if time.monotonic() - started_at < SHORT_LIFE_SECONDS else 0
        self._request_stop()
        for process in self._started_at:
            process.join()
        return 1

    def _start(self) -> None:
        process = self._context.Process(
            target=_run_worker,
            kwargs={"config": self._config, "shutdown_event": self._stop, "sockets": self._sockets},
        )
        # A Ctrl-C of the terminal reaches the workers too; they ignore it, and their parent stops them.
        handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
        process.start()
        signal.signal(signal.SIGINT, handler)
        self._started_at[process] = time.monotonic()

    def _request_stop(self, _number: int | None = None, _frame: FrameType | None = None) -> None:
        self._stopping = True
        self._stop.set()
