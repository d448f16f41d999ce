"""The applications as processes: starts that fail in one line, workers, and an end that loses no answer."""

import asyncio
import http.client
import json
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import psutil
import pytest

from applications import Served, environment_of, free_port, served
from common.config import Secret
from conftest import QUIET
from processes import eventually, lives
from waiting import eventually as eventually_seen

EVENT = {
    "hotel_id": 1,
    "event_timestamp": "2020-01-01T00:00:00Z",
    "status": 1,
    "room_id": 1,
    "night_of_stay": "2020-01-01",
}


def start(name: str, environment: dict[str, str], folder: Path, port: int | None = None) -> tuple[int, str, str]:
    """Run `serve` to its end, which comes soon; its exit status, and what it said."""
    run = subprocess.run(
        [sys.executable, "-m", name, "serve"],
        env=environment_of(name, port or free_port(), {**QUIET, **environment}),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    return run.returncode, run.stdout, run.stderr


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as answer:
        body: bytes = answer.read()
        return body


@pytest.mark.parametrize("name", ["provider", "dashboard"])
def test_a_busy_port_is_said_in_one_line(name: str, tmp_path: Path) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        status, out, said = start(name, {}, tmp_path, port)
    assert (status, out) == (1, "")
    assert said.count("\n") == 1
    assert f"127.0.0.1:{port}" in said
    assert f"{name.upper()}_PORT" in said
    assert not (tmp_path / ".nightaudit").exists()


@pytest.mark.parametrize("name", ["provider", "dashboard"])
def test_every_wrong_variable_is_said_in_one_line(name: str, tmp_path: Path) -> None:
    prefix = name.upper()
    wrong = {f"{prefix}_WORKERS": "many", f"{prefix}_LOG_LEVEL": "loud", f"{prefix}_DATABASE_URL": "mysql://s3cret@h/d"}
    status, out, said = start(name, wrong, tmp_path)
    assert (status, out) == (1, "")
    assert said.count("\n") == 1
    assert all(variable in said for variable in wrong)
    assert "s3cret" not in said


def test_a_database_that_is_not_there_is_said_in_one_line(provider_url: Secret, tmp_path: Path) -> None:
    parts = urlsplit(provider_url.reveal())
    missing = urlunsplit(parts._replace(path="/missing"))
    status, out, said = start("provider", {"PROVIDER_DATABASE_URL": missing}, tmp_path)
    assert (status, out) == (1, "")
    assert said.count("\n") == 1
    assert "missing" in said


@pytest.fixture
def environment(provider_url: Secret) -> dict[str, str]:
    return {**QUIET, "PROVIDER_DATABASE_URL": provider_url.reveal()}


@pytest.fixture
def provider(environment: dict[str, str], tmp_path: Path) -> Iterator[Served]:
    with served("provider", environment, tmp_path) as application:
        yield application


class Caller(threading.Thread):
    """A request in a thread of its own, and what came of it."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.answer = b""
        self.start()

    def run(self) -> None:
        self.answer = get(self.url)


async def lock_feed(url: Secret) -> asyncpg.Connection:
    """A connection that keeps everybody else from the feed until it is closed."""
    connection = await asyncpg.connect(url.reveal())
    await connection.execute("BEGIN; LOCK TABLE booking_event IN ACCESS EXCLUSIVE MODE")
    return connection


async def waits(connection: asyncpg.Connection) -> int:
    number: int = await connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted")
    return number


async def test_sigterm_lets_a_request_in_flight_finish_and_takes_no_other(
    provider: Served, provider_url: Secret
) -> None:
    connection = await lock_feed(provider_url)
    try:
        caller = Caller(f"{provider.url}/events?limit=1")
        await eventually_seen(lambda: waits(connection))
        provider.process.terminate()
        assert await asyncio.to_thread(eventually, lambda: refused(provider.port))
        assert provider.process.poll() is None
    finally:
        await connection.close()
    await asyncio.to_thread(caller.join, 60)
    assert caller.answer == b"[]\n"
    assert await asyncio.to_thread(provider.process.wait, 60) == 0
    assert "Traceback" not in provider.log.read_text()


def refused(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_an_idle_application_ends_at_once_with_status_0(provider: Served) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", provider.port)
    connection.request("GET", "/livez")  # and kept open by the client
    connection.getresponse().read()
    assert provider.stop() == 0
    connection.close()


def test_a_caller_that_sends_all_before_it_reads_gets_its_413(provider: Served) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", provider.port, timeout=30)
    connection.request("POST", "/events", b"x" * 20_000_000, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    assert answer.status == 413
    assert json.loads(answer.read())["code"] == "too_large"
    connection.close()


def test_head_has_the_headers_of_get_and_no_body(provider: Served) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", provider.port, timeout=30)

    def ask(method: str, path: str) -> tuple[tuple[object, ...], bytes]:
        connection.request(method, path)
        answer = connection.getresponse()
        body = answer.read()
        return (answer.status, answer.getheader("Content-Type"), answer.getheader("Content-Length")), body

    for path in ("/livez", "/events", "/events?limit=1", "/events?limit=x", "/nothing"):
        (of_get, body), (of_head, nothing) = ask("GET", path), ask("HEAD", path)
        assert of_head[:2] == of_get[:2]
        assert nothing == b""
        assert of_get[2] == str(len(body))
        if "request_id" not in body.decode():  # whose length is not that of another request's
            assert of_head[2] == of_get[2]
    connection.close()


@pytest.mark.skipif(sys.platform == "win32", reason="workers share a port by fork or spawn, which differs there")
def test_several_workers_share_the_port_and_their_metrics_add_up(environment: dict[str, str], tmp_path: Path) -> None:
    with served("provider", {**environment, "PROVIDER_WORKERS": "2"}, tmp_path) as application:
        children = psutil.Process(application.process.pid).children(recursive=True)
        assert len(children) >= 2
        for number in range(40):
            body = json.dumps({**EVENT, "id": number + 1}).encode()
            headers = {"Content-Type": "application/json", "Connection": "close"}
            request = urllib.request.Request(f"{application.url}/events", body, headers)
            with urllib.request.urlopen(request, timeout=30) as answer:
                assert answer.status == 201
        wanted = 'http_request_duration_seconds_count{method="POST",route="/events",status="201"} 40.0'
        assert {wanted in get(f"{application.url}/metrics").decode() for _ in range(10)} == {True}
        jobs = json.loads(get(f"{application.url}/jobs"))["jobs"]
        assert "forget_idempotency_keys" in {job["name"] for job in jobs}
        application.stop()
        assert eventually(lambda: not any(lives(child) for child in children))
        assert "Traceback" not in application.log.read_text()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9")
def test_a_worker_that_is_killed_is_replaced(environment: dict[str, str], tmp_path: Path) -> None:
    with served("provider", {**environment, "PROVIDER_WORKERS": "2"}, tmp_path) as application:
        first, second = started_workers(application)
        first.kill()
        assert eventually(lambda: len(set(workers_of(application)) - {first}) == 2)
        assert second in workers_of(application)
        assert get(f"{application.url}/livez") == b'{"status":"alive"}'
        assert "worker_died" in application.log.read_text()
        assert application.stop() == 0


@pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9")
def test_workers_whose_parent_is_killed_end_too(environment: dict[str, str], tmp_path: Path) -> None:
    with served("provider", {**environment, "PROVIDER_WORKERS": "2"}, tmp_path) as application:
        workers = started_workers(application)
        application.process.kill()
        application.process.wait()
        assert eventually(lambda: not any(lives(worker) for worker in workers))
        assert eventually(lambda: refused(application.port))


def workers_of(application: Served) -> list[psutil.Process]:
    """Its workers that live: one may end between any two looks at it."""
    return [child for child in psutil.Process(application.process.pid).children() if is_worker(child)]


def is_worker(process: psutil.Process) -> bool:
    try:
        return "spawn_main" in " ".join(process.cmdline()) and lives(process)
    except psutil.NoSuchProcess:  # of which ZombieProcess is a kind
        return False


def started_workers(application: Served) -> list[psutil.Process]:
    """Both workers. One of them alone makes the application ready."""
    assert eventually(lambda: len(workers_of(application)) == 2)
    return workers_of(application)
