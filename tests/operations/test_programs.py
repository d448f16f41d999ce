"""The small programs around the applications: the container's healthcheck and the command of CI."""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.support.applications import ROOT, free_port


@contextmanager
def answering(status: int) -> Iterator[int]:
    """A server that answers every GET with this status; gives its port."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/readyz" else 404)
            self.end_headers()

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def healthcheck(*arguments: str, **ports: int) -> int:
    """Exit status of the container's healthcheck with these ports in its environment."""
    environment = {**os.environ, **{name: str(port) for name, port in ports.items()}}
    script = str(ROOT / "docker/healthcheck.py")
    return subprocess.run([sys.executable, script, *arguments], env=environment, check=False).returncode


def test_the_healthcheck_follows_readyz_of_the_application_that_it_is_asked_for() -> None:
    with answering(200) as ready, answering(503) as unready:
        assert healthcheck("provider", PROVIDER_PORT=ready, DASHBOARD_PORT=unready) == 0
        assert healthcheck("dashboard", PROVIDER_PORT=ready, DASHBOARD_PORT=unready) == 1
        assert healthcheck(PROVIDER_PORT=unready, DASHBOARD_PORT=ready) == 0
    assert healthcheck("provider", PROVIDER_PORT=free_port()) == 1


def test_ci_names_what_is_missing_where_it_cannot_install(tmp_path: Path) -> None:
    for tool in ("bash", "dirname"):
        found = shutil.which(tool)
        assert found
        (tmp_path / tool).symlink_to(found)
    run = subprocess.run(
        [tmp_path / "bash", ROOT / ".ci/run"], env={"PATH": str(tmp_path)}, capture_output=True, check=False
    )
    said = run.stderr.decode()
    assert run.returncode == 1
    assert "missing: make" in said
    assert "missing: Chromium" in said
    assert "apt-get install" in said
