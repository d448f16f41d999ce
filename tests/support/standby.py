"""A streaming standby of a server of the tests, made by pg_basebackup."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from common.config import Secret
from common.devstack.cluster_owner import binaries
from common.devstack.embedded import Server
from tests.support.databases import fetch_value
from tests.support.waiting import eventually, wait_until


@dataclass
class Standby:
    """A standby that can be started and stopped. directory: of its cluster and its socket."""

    primary: Server
    directory: Path
    process: "subprocess.Popen[bytes] | None" = field(default=None)

    def url(self, database: str = "postgres") -> Secret:
        return Secret(f"postgresql://postgres@/{database}?host={self.directory}&port=5432")

    def url_like(self, primary_url: Secret) -> Secret:
        """The URL of the same database on the standby."""
        return self.url(primary_url.reveal().partition("@/")[2].partition("?")[0])

    def start(self) -> None:
        """Start it and wait until it can be read."""
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.directory),
            "max_connections": "200",
            "fsync": "off",
            "wal_receiver_status_interval": "1",
            "wal_retrieve_retry_interval": "100",
        }
        options = [argument for name, value in settings.items() for argument in ("-c", f"{name}={value}")]
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [binaries() / "postgres", "-D", self.directory, *options],
                stdout=log, stderr=log, start_new_session=True, cwd="/", **self.primary.cluster.owner.run_as(),
            )  # fmt: skip
        wait_until(self._is_ready)

    def _is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.directory / "log").read_text()
        ready: list[str | Path] = [binaries() / "pg_isready", "--quiet", "--host", self.directory, "--port", "5432"]
        return subprocess.run(ready, check=False).returncode == 0

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(60)
            self.process = None

    async def execute(self, statement: str) -> object:
        return await fetch_value(self.url().reveal(), statement)

    async def catch_up(self) -> None:
        """Resume the replay, and wait until all has been replayed that the primary has by now."""
        await self.execute("SELECT pg_wal_replay_resume()")
        end = await fetch_value(self.primary.url("postgres"), "SELECT pg_current_wal_insert_lsn()::text")
        await eventually(lambda: self.execute(f"SELECT pg_last_wal_replay_lsn() >= '{end}'"))

    async def pause(self) -> None:
        """Catch up, then replay nothing more."""
        await self.catch_up()
        await self.execute("SELECT pg_wal_replay_pause()")
        await eventually(lambda: self.execute("SELECT pg_get_wal_replay_pause_state() = 'paused'"))


@contextmanager
def running_standby(primary: Server, directory: Path) -> Iterator[Standby]:
    """Make a standby of the primary in a new directory, and run it while the block runs."""
    directory.mkdir()
    primary.cluster.owner.give(directory)
    directory.chmod(0o700)
    command: list[str | Path] = [
        binaries() / "pg_basebackup",
        "--pgdata",
        directory,
        "--write-recovery-conf",
        "--checkpoint=fast",
    ]
    subprocess.run(
        [*command, "--no-sync", "--dbname", f"host={primary.cluster.socket_dir} port=5432 user=postgres"],
        check=True, cwd="/", **primary.cluster.owner.run_as(),
    )  # fmt: skip
    for copied in directory.glob(".s.PGSQL.*"):  # the primary's, whose socket is in its cluster
        copied.unlink()
    standby = Standby(primary, directory)
    try:
        standby.start()
        yield standby
    finally:
        standby.stop()
