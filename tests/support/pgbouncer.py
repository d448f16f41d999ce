"""Runs PgBouncer in transaction mode before the server of the tests, where one is installed."""

import configparser
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from common.config import Secret
from common.devstack.embedded import Server
from tests.support.applications import ROOT
from tests.support.waiting import wait_until

VARIABLE = "NIGHTAUDIT_TEST_PGBOUNCER"
"""Path of a PgBouncer, 1.21 or newer, through which all tests then reach their databases."""

PORT = 6432

DOCUMENT = ROOT / "docs" / "scaling.md"

OF_TESTS = """
[databases]
* = host={server} port=5432

[pgbouncer]
listen_addr =
listen_port = {port}
unix_socket_dir = {directory}
unix_socket_mode = 0700
logfile = {directory}/pgbouncer.log
auth_type = trust
auth_file = {directory}/users.txt
max_client_conn = 2000
query_wait_timeout = 120
"""
"""What differs from the configuration of the document."""


@dataclass(frozen=True)
class PgBouncer:
    """A pooler that runs. directory: of its socket."""

    directory: Path

    def url(self, direct: Secret) -> Secret:
        """The URL of the same database through the pooler."""
        database = direct.reveal().partition("@/")[2].partition("?")[0]
        return Secret(f"postgresql://postgres@/{database}?host={self.directory}&port={PORT}")


def documented_configuration() -> str:
    """The pgbouncer.ini of the document."""
    match = re.search(r"^```ini\n(.*?)^```$", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    assert match is not None
    return match[1]


def installed() -> str | None:
    """The path of the PgBouncer of this machine, if there is one."""
    return os.environ.get(VARIABLE) or shutil.which("pgbouncer")


@contextmanager
def running_pgbouncer(executable: str, server: Server) -> Iterator[PgBouncer]:
    """Run a pooler before the server while the block runs. It is of the same system user."""
    owner = server.cluster.owner
    with tempfile.TemporaryDirectory(prefix="nightaudit-pooler-") as made:
        directory = Path(made)
        of_tests = OF_TESTS.format(server=server.cluster.socket_dir, port=PORT, directory=directory)
        configuration = configparser.ConfigParser(comment_prefixes=";")
        for text in (documented_configuration(), of_tests):
            configuration.read_string(text)
        with (directory / "pgbouncer.ini").open("w") as file:
            configuration.write(file)
        (directory / "users.txt").write_text('"postgres" ""\n"stranger" ""\n')
        for path in (directory, *directory.iterdir()):
            owner.give(path)
        process = subprocess.Popen(
            [executable, "--quiet", str(directory / "pgbouncer.ini")], start_new_session=True, **owner.run_as()
        )
        try:
            wait_until(lambda: process.poll() is not None or (directory / f".s.PGSQL.{PORT}").exists())
            assert process.poll() is None, (directory / "pgbouncer.log").read_text()
            yield PgBouncer(directory)
        finally:
            process.send_signal(signal.SIGQUIT)  # at once: SIGTERM waits until every client has left
            process.wait(30)
