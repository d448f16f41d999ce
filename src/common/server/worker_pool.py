"""Several processes behind one port: their parent starts them, replaces one that dies, and ends them together."""

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

log = structlog.get_logger()

METRICS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
ORPHAN_SECONDS = 15.0
"""How long a worker without a parent may take to finish before it is ended."""

SHORT_LIFE_SECONDS = 10.0
SHORT_LIVES = 5
"""So many workers in a row that died young end it: something is wrong that another attempt will not mend."""


def serve_workers(application_path: str, config: HypercornConfig, workers: int) -> int:
    """Serve by several processes that share the port; their metrics are added up. Returns the exit status.

    SIGTERM and SIGINT let the requests in flight finish. Hypercorn's own parent would end all workers when one dies.
    """
    config.application_path = application_path
    folder = os.environ[METRICS_VARIABLE] = tempfile.mkdtemp(prefix="nightaudit-metrics-")
    try:
        return _Parent(config, workers).run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _work(config: HypercornConfig, shutdown_event: Event, sockets: Sockets) -> None:
    """A worker's whole life. It ends when its parent says so, or is no more."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, args=(shutdown_event,), daemon=True).start()
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
        self._born: dict[SpawnProcess, float] = {}
        self._sockets = config.create_sockets()

    def run(self) -> int:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        short_lives = 0
        while short_lives < SHORT_LIVES:
            while len(self._born) < self._workers and not self._stopping:
                self._start()
            if not self._born:
                return 0
            wait([process.sentinel for process in self._born])
            for process in [process for process in self._born if not process.is_alive()]:
                process.join()
                born = self._born.pop(process)
                multiprocess.mark_process_dead(process.pid)  # type: ignore[no-untyped-call]  # the client library is untyped here
                if not self._stopping:
                    log.error("worker_died", pid=process.pid, exitcode=process.exitcode)
                    short_lives = short_lives + 1 if time.monotonic() - born < SHORT_LIFE_SECONDS else 0
        self._end()
        for process in self._born:
            process.join()
        return 1

    def _start(self) -> None:
        process = self._context.Process(
            target=_work,
            kwargs={"config": self._config, "shutdown_event": self._stop, "sockets": self._sockets},
        )
        # A Ctrl-C of the terminal reaches the workers too. Ending them is for their parent: they are born deaf to it.
        handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
        process.start()
        signal.signal(signal.SIGINT, handler)
        self._born[process] = time.monotonic()

    def _end(self, _number: int | None = None, _frame: FrameType | None = None) -> None:
        self._stopping = True
        self._stop.set()
