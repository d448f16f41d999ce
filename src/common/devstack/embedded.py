"""The embedded PostgreSQL: the first user starts it, all users share it, the last user stops it.

    with attach(Path(".nightaudit")) as server:
        server.ensure_database("provider")
        pool = asyncpg.create_pool(server.url("provider"))

Each user shares a lock, so a killed user counts as gone. A watchdog process checks that lock and stops the server when
the last user was killed. If the watchdog was killed too, the server keeps running and the next user takes it over.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from common.db.locks import DATABASE_CREATION_LOCK
from common.devstack import file_lock
from common.devstack.cluster import Cluster, adopt, private, reap
from common.devstack.cluster_owner import EmbeddedError, binaries, open_paths, owner_of, user_name

__all__ = ["UNSAFE_FAST_SETTINGS", "EmbeddedError", "Server", "attach", "data_directory"]

DATA_DIR_VARIABLE = "NIGHTAUDIT_DATA_DIR"

UNSAFE_FAST_SETTINGS: Mapping[str, str] = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
"""Settings for tests: fast, but a power failure can destroy the cluster."""

_LOCK_SECONDS = 600.0  # longer than any start or stop by another process
_CONNECT_SECONDS = 15.0
_SILENT_SECONDS = 10.0  # after that long a line says what a start waits for
_WATCH_SECONDS = 0.5
_INTERRUPTED_SECONDS = 1.0  # a child that is being started holds a copy of the claim until it executes its program


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs as long as this claim on it is held (see `attach`)."""

    data_dir: Path
    settings: Mapping[str, str]
    cluster: Cluster
    claim: int
    """The descriptor that makes this process a user. A child process that inherits it is a user until it ends."""

    def url(self, database: str) -> str:
        """The connection URI of a database, for asyncpg and psql."""
        host = quote(str(self.cluster.socket_dir), safe="/")
        return f"postgresql://postgres@/{quote(database, safe='')}?host={host}&port=5432"

    def ensure_database(self, name: str) -> None:
        """Create the database unless it exists. Safe in several processes at once. Raises EmbeddedError."""
        script = """
            SELECT pg_advisory_lock(:lock) \\g /dev/null
            SELECT format('CREATE DATABASE %I', :'name')
             WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \\gexec
        """
        command = [
            str(binaries() / "psql"),
            "--no-psqlrc",
            "--quiet",
            "--set=ON_ERROR_STOP=1",
        ]
        command += [f"--set=name={name}", f"--set=lock={DATABASE_CREATION_LOCK}", self.url("postgres")]
        deadline = time.monotonic() + _CONNECT_SECONDS
        while True:
            done = subprocess.run(command, input=script, capture_output=True, text=True, check=False)
            if done.returncode == 0:
                return
            connection_lost = 2
            if done.returncode != connection_lost or time.monotonic() > deadline:
                reason = " ".join(done.stderr.split())
                raise EmbeddedError(f"the database {name} could not be created: {reason}")
            time.sleep(0.1)

    def ensure_running(self) -> bool:
        """Start the server again if it has died; returns whether it had."""
        with as_embedded_error(self.data_dir), _startup_lock(self.data_dir):
            if self.cluster.runs():
                return False
            self.cluster.start(self.settings)
            return True


@contextmanager
def attach(data_dir: Path, *, settings: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Use the server of `data_dir` inside the block; the cluster is created and started if need be.

    settings: PostgreSQL settings that override `cluster.SETTINGS`; they take effect if this call starts the server.
    Raises EmbeddedError when the directory cannot be used.
    """
    with _reported_if_slow(f"PostgreSQL in {data_dir} is starting; after a crash it first replays its log"):
        server = _enter(data_dir.absolute(), settings or {})
    try:
        yield server
    finally:
        _leave(server)


@contextmanager
def _reported_if_slow(line: str) -> Iterator[None]:
    """Print a line on standard error if the block takes long."""
    timer = threading.Timer(_SILENT_SECONDS, lambda: sys.stderr.write(f"nightaudit: {line}\n"))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def data_directory() -> Path:
    """The directory of local state: `NIGHTAUDIT_DATA_DIR`, or `.nightaudit` in the working directory."""
    return Path(os.environ.get(DATA_DIR_VARIABLE) or ".nightaudit").expanduser()


def lock_path(data_dir: Path, name: str) -> Path:
    """The path of a lock of the data directory, which is created if it is missing.

    Raises EmbeddedError when the directory belongs to another user.
    """
    with as_embedded_error(data_dir):
        locks = data_dir / "locks"
        if not locks.exists():
            data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            locks.mkdir(mode=0o700, exist_ok=True)
        if (owner := locks.stat().st_uid) != os.geteuid():
            raise EmbeddedError(
                f"{data_dir} belongs to the user {user_name(owner)}; run this as that user, or set "
                f"{DATA_DIR_VARIABLE} to another directory"
            )
        return locks / name


def watch(data_dir: Path) -> None:
    """Wait until the server has no user, then stop it. The watchdog process runs this and nothing else."""
    while (data_dir / "locks").exists():
        with _startup_lock(data_dir):
            if file_lock.is_free(lock_path(data_dir, "users")):
                _cluster(data_dir).stop()
                return
        time.sleep(_WATCH_SECONDS)


def _enter(data_dir: Path, settings: Mapping[str, str]) -> Server:
    users = lock_path(data_dir, "users")
    data_dir = data_dir.resolve()
    with as_embedded_error(data_dir), _startup_lock(data_dir) as order:
        cluster = _cluster(data_dir)
        open_paths(cluster.owner, data_dir)
        server = Server(data_dir, settings, cluster, claim=file_lock.acquire(users, shared=True))
        try:
            cluster.initialise(durable=settings.get("fsync") != "off", held=order)
            _start_watchdog(data_dir)
            cluster.start(settings)
        except BaseException:  # interrupted too: the claim is given up
            _release(server, seconds=_INTERRUPTED_SECONDS)
            raise
        return server


def _leave(server: Server) -> None:
    with as_embedded_error(server.data_dir), _startup_lock(server.data_dir):
        _release(server)


def _release(server: Server, *, seconds: float = 0.0) -> None:
    """Give up the claim; stop the server if no other user remains, waiting up to `seconds` for them to leave."""
    os.close(server.claim)
    if file_lock.becomes_free(lock_path(server.data_dir, "users"), seconds=seconds):
        server.cluster.stop()
        _end_watchdog(server.data_dir)


def _cluster(data_dir: Path) -> Cluster:
    directory = data_dir / "postgresql"
    return Cluster(directory, data_dir / "postgresql.log", lock_path(data_dir, "server"), owner_of(directory))


@contextmanager
def _startup_lock(data_dir: Path) -> Iterator[int]:
    """Hold the lock under which a process starts, stops, or checks the other locks."""
    with file_lock.exclusive(lock_path(data_dir, "order"), seconds=_LOCK_SECONDS) as descriptor:
        yield descriptor


@contextmanager
def as_embedded_error(data_dir: Path) -> Iterator[None]:
    """Turn errors of the operating system into an EmbeddedError with a one-line message."""
    try:
        yield
    except TimeoutError as error:
        raise EmbeddedError(f"{error}, which is starting or stopping PostgreSQL and does not finish") from error
    except subprocess.SubprocessError as error:
        raise EmbeddedError(f"PostgreSQL could not be run: {error}") from error
    except OSError as error:
        raise EmbeddedError(
            f"{error.filename or data_dir} cannot be used: {error.strerror}; "
            f"set {DATA_DIR_VARIABLE} to another directory"
        ) from error


def _start_watchdog(data_dir: Path) -> None:
    """Start the watchdog unless its lock shows that one runs."""
    lock = file_lock.try_acquire(lock_path(data_dir, "watchdog"))
    if lock is None:
        return
    try:
        os.ftruncate(lock, 0)
        source = [str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH", "")]
        with open(_cluster(data_dir).log, "ab", opener=private) as log:
            watchdog = subprocess.Popen(
                [sys.executable, "-P", "-m", "common.devstack.embedded", "watch", str(data_dir)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=[lock],
                cwd="/",
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, source))},
            )
        adopt(watchdog)
        os.pwrite(lock, str(watchdog.pid).encode(), 0)
    finally:
        os.close(lock)


def _end_watchdog(data_dir: Path) -> None:
    """Kill the watchdog. Its process id is valid while its lock is held."""
    path = lock_path(data_dir, "watchdog")
    if file_lock.is_free(path):
        return
    # Without a process id the watchdog is just starting; without a process it is just ending.
    with suppress(ValueError, ProcessLookupError):
        os.kill(int(path.read_text()), signal.SIGKILL)
        file_lock.becomes_free(path, seconds=10.0)
    reap()


def main(arguments: list[str]) -> int:
    """`url NAME` prints the URL of a database, `psql [NAME] ...` opens it, `watch DIR` is the watchdog."""
    match arguments:
        case ["watch", data_dir]:
            watch(Path(data_dir))
            return 0
        case ["url", name]:
            with attach(data_directory()) as server:
                sys.stdout.write(f"{server.url(name)}\n")
            return 0
        case ["psql", *rest]:
            with attach(data_directory()) as server:
                name = rest[0] if rest else "postgres"
                return subprocess.run([binaries() / "psql", server.url(name), *rest[1:]], check=False).returncode
    sys.stderr.write("usage: python -m common.devstack.embedded url NAME | psql [NAME [OPTION ...]]\n")
    return 2


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except EmbeddedError as fault:
        sys.exit(f"nightaudit: {fault}")
