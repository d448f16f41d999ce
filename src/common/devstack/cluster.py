"""A PostgreSQL cluster directory and its server: create, start, find, stop.

A lock shows whether the server lives, not a process id: the postmaster starts with a descriptor that holds
`server_lock`, and every backend inherits it. While the lock is held, a process of the server lives; once it is free,
none does, and `postmaster.pid` is stale. The caller of every function holds the lock that orders starts and stops.
"""

import atexit
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from common.devstack import file_lock
from common.devstack.cluster_owner import SOCKET_NAME, EmbeddedError, Owner, binaries, socket_directory

SETTINGS: Mapping[str, str] = {
    "shared_buffers": "256MB",
    "max_connections": "200",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "UTC",
    # Clients get their own errors; in the log they would only fill the disk.
    "log_min_messages": "log",
    "log_checkpoints": "off",
    "log_timezone": "UTC",
    "logging_collector": "off",
}

_START_SECONDS = 300.0  # after a crash gigabytes of WAL may have to be replayed
_STOP_SECONDS = 120.0  # a fast shutdown writes the changes since the last checkpoint
_ORPHAN_SECONDS = 2.0  # idle backends end at once when their postmaster dies; busy ones go on
_MAX_LOG_BYTES = 4 * 1024 * 1024

_children: list["subprocess.Popen[bytes]"] = []


@dataclass(frozen=True, slots=True)
class Cluster:
    directory: Path  # resolved
    log: Path
    server_lock: Path
    owner: Owner

    @property
    def socket_dir(self) -> Path:
        return socket_directory(self.directory, self.owner)

    def initialise(self, *, durable: bool, held: int) -> None:
        """Create the cluster unless it exists. initdb inherits the lock of the descriptor `held` until it ends.

        The cluster is created under another name and renamed, so an interrupted attempt never looks complete.
        """
        if self.directory.exists():
            self._check_version()
            return
        draft = self.directory.with_suffix(".new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        self.owner.give(draft)
        command: list[str | Path] = [
            binaries() / "initdb",
            "--pgdata",
            draft,
            "--username=postgres",
            "--encoding=UTF8",
            "--no-locale",
        ]
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        command += ["--auth-local=trust", "--auth-host=reject", "--no-instructions"]
        command += [] if durable else ["--no-sync"]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            start_new_session=True,
            pass_fds=[held],
            check=False,
            cwd="/",
            env=_environment(),
            stdin=subprocess.DEVNULL,
            **self.owner.run_as(),
        )
        if done.returncode != 0:
            raise EmbeddedError(f"initdb failed: {_reason(done.stderr)}")
        draft.rename(self.directory)

    def start(self, settings: Mapping[str, str]) -> None:
        """Start a server with `settings` unless one runs; returns when it accepts connections. Raises EmbeddedError."""
        reap()
        deadline = time.monotonic() + _START_SECONDS
        orphaned_since: float | None = None
        while (lock := file_lock.try_acquire(self.server_lock)) is None:
            if self._postmaster() is not None:
                orphaned_since = None
                if self._status() == "ready":
                    return
            else:
                orphaned_since = orphaned_since or time.monotonic()
                if time.monotonic() - orphaned_since > _ORPHAN_SECONDS:
                    self._kill_all()
            if time.monotonic() > deadline:
                raise EmbeddedError(f"PostgreSQL in {self.directory} neither starts nor stops; see {self.log}")
            time.sleep(0.02)
        try:
            self._remove_stale_files()
            postmaster, log_start = self._spawn(settings, lock)
        finally:
            os.close(lock)
        self._await_ready(postmaster, log_start, deadline)

    def runs(self) -> bool:
        """Whether a server runs and accepts connections. Cheap enough to be called every second."""
        return not file_lock.is_free(self.server_lock) and self._postmaster() is not None and self._status() == "ready"

    def stop(self) -> None:
        """Stop the server and its clients' sessions; returns when its last process has ended. Raises EmbeddedError."""
        deadline = time.monotonic() + _ORPHAN_SECONDS  # a server that just started has not written its file yet
        while not file_lock.is_free(self.server_lock) and self._postmaster() is None:
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)
        for signal_number, seconds in ((signal.SIGINT, _STOP_SECONDS), (signal.SIGQUIT, 10.0)):
            postmaster = self._postmaster()
            if postmaster is None:
                break
            postmaster.send_signal(signal_number)
            if file_lock.becomes_free(self.server_lock, seconds=seconds):
                break
        if not file_lock.becomes_free(self.server_lock, seconds=_ORPHAN_SECONDS):
            self._kill_all()
            if not file_lock.becomes_free(self.server_lock, seconds=10.0):
                raise EmbeddedError(f"PostgreSQL in {self.directory} does not stop; see {self.log}")
        reap()
        self._remove_socket()

    def _check_version(self) -> None:
        try:
            found = (self.directory / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            raise EmbeddedError(f"{self.directory} is not a PostgreSQL cluster; move it away") from None
        output = subprocess.run(
            [binaries() / "postgres", "--version"],
            capture_output=True,
            text=True,
            check=True,
            cwd="/",
            **self.owner.run_as(),
        ).stdout
        installed = output.split()[-1].split(".")[0]
        if found != installed:
            raise EmbeddedError(
                f"{self.directory} was created by PostgreSQL {found}, but {installed} is installed; "
                "move it away to start empty"
            )

    def _spawn(self, settings: Mapping[str, str], lock: int) -> "tuple[subprocess.Popen[bytes], int]":
        """Start a postmaster that holds `lock` while it lives, in its own session, so that Ctrl-C does not reach it."""
        fixed = {
            "listen_addresses": "",
            "port": "5432",
            "unix_socket_directories": str(self.socket_dir),
            "unix_socket_permissions": "0700",
        }
        command = [str(binaries() / "postgres"), "-D", str(self.directory)]
        for name, value in {**SETTINGS, **settings, **fixed}.items():
            command += ["-c", f"{name}={value}"]
        _trim(self.log)
        with open(self.log, "ab", opener=private) as log:
            log_start = log.tell()
            postmaster = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                umask=0o077,
                pass_fds=[lock],
                cwd=self.directory,
                env=_environment(),
                **self.owner.run_as(),
            )
        adopt(postmaster)
        return postmaster, log_start

    def _await_ready(self, postmaster: "subprocess.Popen[bytes]", log_start: int, deadline: float) -> None:
        while self._status() != "ready":
            if postmaster.poll() is not None:
                with self.log.open("rb") as log:
                    log.seek(log_start)
                    output = log.read().decode(errors="replace")
                raise EmbeddedError(f"PostgreSQL did not start: {_reason(output)}; see {self.log}")
            if time.monotonic() > deadline:
                raise EmbeddedError(f"PostgreSQL was not ready in {_START_SECONDS:.0f} s; see {self.log}")
            time.sleep(0.02)

    def _remove_stale_files(self) -> None:
        """Remove the files of a killed server: PostgreSQL would take a reused process id for a running server."""
        stranger = self._postmaster()
        if stranger is not None:
            raise EmbeddedError(f"another PostgreSQL (process {stranger.pid}) is using {self.directory}; stop it")
        (self.directory / "postmaster.pid").unlink(missing_ok=True)
        self._remove_socket()

    def _remove_socket(self) -> None:
        directory = self.socket_dir
        for name in (SOCKET_NAME, f"{SOCKET_NAME}.lock"):
            (directory / name).unlink(missing_ok=True)
        if directory != self.directory:
            directory.rmdir()

    def _postmaster(self) -> psutil.Process | None:
        """The process that `postmaster.pid` names, if it lives and is a PostgreSQL of this directory."""
        try:
            pid = int((self.directory / "postmaster.pid").read_text().split("\n", 1)[0])
            process = psutil.Process(pid)
        except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
            return None
        return process if self._belongs_to_cluster(process) else None

    def _status(self) -> str:
        """The state that the postmaster wrote last (starting, ready, stopping); empty before the first."""
        try:
            lines = (self.directory / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return ""
        return lines[7].strip() if len(lines) > 7 else ""

    def _belongs_to_cluster(self, process: psutil.Process) -> bool:
        """Whether the process is a PostgreSQL process whose working directory is this cluster."""
        try:
            return process.name() == "postgres" and process.cwd() == str(self.directory)
        except psutil.Error:
            return False

    def _processes(self) -> Iterator[psutil.Process]:
        return (process for process in psutil.process_iter() if self._belongs_to_cluster(process))

    def _kill_all(self) -> None:
        for process in self._processes():
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue


def _environment() -> dict[str, str]:
    """A minimal environment: the caller's PGPORT or LC_ALL must not change the server."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}


def private(path: str, flags: int) -> int:
    """Open a file that only this user can read; an opener for `open`."""
    return os.open(path, flags, 0o600)


def _trim(log: Path) -> None:
    """Rotate the log when it is larger than _MAX_LOG_BYTES; one older log is kept."""
    if log.exists() and log.stat().st_size > _MAX_LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))


def adopt(child: "subprocess.Popen[bytes]") -> None:
    """Remember a child that may outlive this process, so that `reap` collects its exit status."""
    _children.append(child)


def reap() -> None:
    """Forget the children that have ended."""
    _children[:] = [child for child in _children if child.poll() is None]


@atexit.register
def _forget_children() -> None:
    """Children outlive this process on purpose; set a return code to silence Popen's ResourceWarning."""
    reap()
    for child in _children:
        child.returncode = 0


def _reason(output: str) -> str:
    """The line that says why a program of PostgreSQL failed: its first complaint, or its last line without one."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    for marker in ("PANIC:", "FATAL:", "ERROR:", "error:"):
        for line in lines:
            if marker in line:
                return line
    return (lines or ["it gave no reason"])[-1]
