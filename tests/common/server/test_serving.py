"""The applications as processes: failed starts, workers, and a shutdown that completes requests in flight."""

import asyncio
import http.client
import json
import socket
import threading
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import h2.config
import h2.connection
import psutil
import pytest

from common.config import Secret
from tests.conftest import TEST_ENVIRONMENT
from tests.support.applications import ApplicationProcess, free_port, run_process
from tests.support.databases import waits_for_lock
from tests.support.processes import is_alive
from tests.support.waiting import eventually, wait_until

EVENT = {
    "hotel_id": 1,
    "event_timestamp": "2020-01-01T00:00:00Z",
    "status": 1,
    "room_id": 1,
    "night_of_stay": "2020-01-01",
}


def start(name: str, environment: dict[str, str], folder: Path, port: int | None = None) -> tuple[int, str, str]:
    """Run a `serve` that fails; return its exit status, standard output and standard error."""
    ports = {f"{name.upper()}_PORT": str(port or free_port())}
    ended = run_process(name, "serve", environment={**TEST_ENVIRONMENT, **ports, **environment}, folder=folder)
    return ended.returncode, ended.stdout, ended.stderr


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as answer:
        body: bytes = answer.read()
        return body


@pytest.mark.parametrize("name", ["provider", "dashboard"])
def test_a_busy_port_is_reported_in_one_line(name: str, tmp_path: Path) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        status, stdout, stderr = start(name, {}, tmp_path, port)
    assert (status, stdout) == (1, "")
    assert stderr.count("\n") == 1
    assert f"127.0.0.1:{port}" in stderr
    assert f"{name.upper()}_PORT" in stderr
    assert not (tmp_path / ".nightaudit").exists()


@pytest.mark.parametrize("name", ["provider", "dashboard"])
def test_every_invalid_variable_is_reported_in_one_line(name: str, tmp_path: Path) -> None:
    prefix = name.upper()
    invalid = {
        f"{prefix}_WORKERS": "many",
        f"{prefix}_LOG_LEVEL": "loud",
        f"{prefix}_DATABASE_URL": "mysql://s3cret@h/d",
    }
    status, stdout, stderr = start(name, invalid, tmp_path)
    assert (status, stdout) == (1, "")
    assert stderr.count("\n") == 1
    assert all(variable in stderr for variable in invalid)
    assert "s3cret" not in stderr


def test_a_missing_database_is_reported_in_one_line(provider_url: Secret, tmp_path: Path) -> None:
    parts = urlsplit(provider_url.reveal())
    missing = urlunsplit(parts._replace(path="/missing"))
    status, stdout, stderr = start("provider", {"PROVIDER_DATABASE_URL": missing}, tmp_path)
    assert (status, stdout) == (1, "")
    assert stderr.count("\n") == 1
    assert "missing" in stderr


@pytest.fixture
def provider(make_application: Callable[..., ApplicationProcess], provider_url: Secret) -> ApplicationProcess:
    made = make_application("provider", provider_url)
    made.start()
    return made


@pytest.fixture
def workers(make_application: Callable[..., ApplicationProcess], provider_url: Secret) -> ApplicationProcess:
    """A provider with two workers."""
    made = make_application("provider", provider_url, PROVIDER_WORKERS="2")
    made.start()
    return made


class Caller(threading.Thread):
    """A GET request in a new thread; `answer` is the body of the response."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.answer = b""
        self.start()

    def run(self) -> None:
        self.answer = get(self.url)


async def lock_feed(url: Secret) -> asyncpg.Connection:
    """Lock the feed until the returned connection is closed."""
    connection = await asyncpg.connect(url.reveal())
    await connection.execute("BEGIN; LOCK TABLE booking_event IN ACCESS EXCLUSIVE MODE")
    return connection


async def test_after_sigterm_a_request_in_flight_is_completed_and_new_ones_are_refused(
    provider: ApplicationProcess, provider_url: Secret
) -> None:
    connection = await lock_feed(provider_url)
    try:
        caller = Caller(f"{provider.url}/events?limit=1")
        await eventually(lambda: waits_for_lock(connection))
        provider.process.terminate()
        await eventually(lambda: is_refused(provider.port))
        assert provider.is_running()
    finally:
        await connection.close()
    await asyncio.to_thread(caller.join, 60)
    assert caller.answer == b"[]\n"
    assert await asyncio.to_thread(provider.process.wait, 60) == 0
    assert "Traceback" not in provider.output()


def is_refused(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_an_idle_application_ends_at_once_with_status_0(provider: ApplicationProcess) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", provider.port)
    connection.request("GET", "/livez")  # and kept open by the client
    connection.getresponse().read()
    assert provider.stop() == 0
    connection.close()


REQUEST = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize("count", [1, 2])
def test_connections_that_clients_have_closed_do_not_stay_open(
    make_application: Callable[..., ApplicationProcess], provider_url: Secret, count: int
) -> None:
    provider = make_application("provider", provider_url, PROVIDER_WORKERS=str(count))
    provider.start()
    for data in (b"", REQUEST, REQUEST[:20]):
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", provider.port)) as client:
                client.sendall(data)
                if data == REQUEST:
                    assert client.recv(100).startswith(b"HTTP/1.1 200")
    wait_until(lambda: not closed_by_clients(provider), seconds=40)  # hypercorn alone keeps them for 75 s
    assert get(f"{provider.url}/livez") == b'{"status":"alive"}'
    assert provider.stop() == 0
    assert "Traceback" not in provider.output()


def closed_by_clients(application: ApplicationProcess) -> list[object]:
    """Return the connections that the application has not closed, though their clients have."""
    parent = psutil.Process(application.process.pid)
    held = [each for process in (parent, *parent.children()) for each in process.net_connections("tcp")]
    return [each for each in held if each.status == psutil.CONN_CLOSE_WAIT]


def test_malformed_http2_requests_end_their_connection_without_a_traceback(provider: ApplicationProcess) -> None:
    method, scheme, authority = (b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"localhost")
    begun = (method, scheme, authority, (b":path", b"/livez"))
    for number, headers in (
        (1, (method, scheme, authority, (b":path", "/z\u00fcrich".encode()))),
        (1, ((b":method", b"CONNECT"), authority)),
        (1200, begun),
    ):
        with socket.create_connection(("127.0.0.1", provider.port), timeout=30) as client:
            connection = h2.connection.H2Connection(h2.config.H2Configuration(validate_outbound_headers=False))
            connection.initiate_connection()
            for stream in range(1, 2 * number, 2):
                connection.send_headers(stream, headers, end_stream=number == 1)
                if number > 1:
                    connection.reset_stream(stream)
            with suppress(ConnectionError):  # closed before all is sent
                client.sendall(connection.data_to_send())
                while client.recv(65536):
                    pass
    assert get(f"{provider.url}/livez") == b'{"status":"alive"}'
    assert provider.stop() == 0
    assert "malformed_request" in provider.output()
    assert "Traceback" not in provider.output()


def test_a_client_that_sends_a_large_body_before_it_reads_receives_413(provider: ApplicationProcess) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", provider.port, timeout=30)
    connection.request("POST", "/events", b"x" * 20_000_000, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    assert answer.status == 413
    assert json.loads(answer.read())["code"] == "too_large"
    connection.close()


def test_head_has_the_headers_of_get_and_no_body(provider: ApplicationProcess) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", provider.port, timeout=30)

    def send(method: str, path: str) -> tuple[tuple[object, ...], bytes]:
        connection.request(method, path)
        answer = connection.getresponse()
        body = answer.read()
        return (answer.status, answer.getheader("Content-Type"), answer.getheader("Content-Length")), body

    for path in ("/livez", "/events", "/events?limit=1", "/events?limit=x", "/nothing"):
        (of_get, body), (of_head, body_of_head) = send("GET", path), send("HEAD", path)
        assert of_head[:2] == of_get[:2]
        assert body_of_head == b""
        assert of_get[2] == str(len(body))
        if "request_id" not in body.decode():  # its length differs between requests
            assert of_head[2] == of_get[2]
    connection.close()


def test_several_workers_share_the_port_and_their_metrics_add_up(workers: ApplicationProcess) -> None:
    children = psutil.Process(workers.process.pid).children(recursive=True)
    assert len(children) >= 2
    for number in range(40):
        body = json.dumps({**EVENT, "id": number + 1}).encode()
        headers = {"Content-Type": "application/json", "Connection": "close"}
        request = urllib.request.Request(f"{workers.url}/events", body, headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 201
    expected = 'http_request_duration_seconds_count{method="POST",route="/events",status="201"} 40.0'
    assert {expected in get(f"{workers.url}/metrics").decode() for _ in range(10)} == {True}
    jobs = json.loads(get(f"{workers.url}/jobs"))["jobs"]
    assert "forget_old" in {job["name"] for job in jobs}
    assert workers.stop() == 0
    wait_until(lambda: not any(is_alive(child) for child in children))
    assert "Traceback" not in workers.output()


def test_a_worker_that_is_killed_is_replaced(workers: ApplicationProcess) -> None:
    first, second = wait_for_both(workers)
    first.kill()
    wait_until(lambda: len(set(workers_of(workers)) - {first}) == 2)
    assert second in workers_of(workers)
    assert get(f"{workers.url}/livez") == b'{"status":"alive"}'
    assert "worker_died" in workers.output()
    assert workers.stop() == 0


def test_workers_end_when_their_parent_is_killed(workers: ApplicationProcess) -> None:
    orphans = wait_for_both(workers)
    workers.process.kill()
    workers.process.wait()
    wait_until(lambda: not any(is_alive(worker) for worker in orphans))
    wait_until(lambda: is_refused(workers.port))


def wait_for_both(workers: ApplicationProcess) -> list[psutil.Process]:
    """Wait for both workers, since the application is ready with one, and return them."""
    wait_until(lambda: len(workers_of(workers)) == 2)
    return workers_of(workers)


def workers_of(application: ApplicationProcess) -> list[psutil.Process]:
    """Return its running workers."""
    return [child for child in psutil.Process(application.process.pid).children() if is_worker(child)]


def is_worker(process: psutil.Process) -> bool:
    try:
        return "spawn_main" in " ".join(process.cmdline()) and is_alive(process)
    except psutil.NoSuchProcess:  # it has ended since; ZombieProcess is a subclass
        return False
