"""The container's healthcheck and .ci/run."""

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
def serving(status: int) -> Iterator[int]:
    """Serve /readyz with this status and give the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/readyz" else 404)
            self.end_headers()

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def healthcheck(*arguments: str, **ports: int) -> int:
    """Return the exit status of the container's healthcheck with these ports in its environment."""
    environment = {**os.environ, **{name: str(port) for name, port in ports.items()}}
    script = str(ROOT / "docker/healthcheck.py")
    return subprocess.run([sys.executable, script, *arguments], env=environment, check=False).returncode


def test_the_healthcheck_succeeds_if_the_named_application_is_ready() -> None:
    with serving(200) as ready, serving(503) as unready:
        assert healthcheck("provider", PROVIDER_PORT=ready, DASHBOARD_PORT=unready) == 0
        assert healthcheck("dashboard", PROVIDER_PORT=ready, DASHBOARD_PORT=unready) == 1
        assert healthcheck(PROVIDER_PORT=unready, DASHBOARD_PORT=ready) == 0
    assert healthcheck("provider", PROVIDER_PORT=free_port()) == 1


def test_ci_names_the_missing_programs_if_it_cannot_install_them(tmp_path: Path) -> None:
    for tool in ("bash", "dirname"):
        found = shutil.which(tool)
        assert found
        (tmp_path / tool).symlink_to(found)
    run = subprocess.run(
        [tmp_path / "bash", ROOT / ".ci/run"], env={"PATH": str(tmp_path)}, capture_output=True, check=False
    )
    output = run.stderr.decode()
    assert run.returncode == 1
    assert "missing: make" in output
    assert "missing: Chromium" in output
    assert "apt-get install" in output
