"""Commands say in one line, and soon, what is wrong with the database or the environment."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from common import cli
from common.config import Secret
from tests.support.applications import free_port, run_process

PASSWORD = "s3cret-Pa55"


@pytest.fixture
def nothing_listens() -> Secret:
    return Secret(f"postgresql://user:{PASSWORD}@127.0.0.1:{free_port()}/x")


def test_a_command_says_at_once_that_it_waits_for_postgresql_and_at_last_that_it_gave_up(
    nothing_listens: Secret, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "START_SECONDS", 0.5)
    address = nothing_listens.reveal().partition("@")[2].removesuffix("/x")

    with pytest.raises(SystemExit) as ended:
        asyncio.run(cli.prepare(nothing_listens, tmp_path))

    waiting, end = capsys.readouterr().err.splitlines()[0], str(ended.value)
    assert waiting.startswith(f"nightaudit: PostgreSQL at {address} is not reachable: ")
    assert waiting.endswith("; waiting up to 0.5 s for it")
    assert end.startswith(f"nightaudit: PostgreSQL at {address} is not reachable: ")
    assert PASSWORD not in waiting + end


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (asyncpg.DiskFullError("No space left"), "PostgreSQL at db:5432 lacks resources: No space left"),
        (asyncpg.TooManyConnectionsError("too many"), "PostgreSQL at db:5432 lacks resources: too many"),
        (asyncpg.InvalidPasswordError("password\nis wrong"), "the database cannot be used: password is wrong"),
        (ConnectionRefusedError(111, "Call failed"), "PostgreSQL at db:5432 is not reachable: Call failed"),
        (TimeoutError(), "PostgreSQL at db:5432 is not reachable: TimeoutError"),
    ],
)  # fmt: skip
def test_a_failure_of_the_database_is_described_in_one_line(
    error: Exception, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with (
        pytest.raises(SystemExit) as ended,
        cli.one_line_failures(Secret(f"postgresql://user:{PASSWORD}@db:5432/x")),
    ):
        raise error
    assert str(ended.value) == f"nightaudit: {line}"


@pytest.mark.parametrize("error", [FileNotFoundError(2, "No such file"), ValueError("x")])
def test_other_failures_keep_their_traceback(error: Exception) -> None:
    with pytest.raises(type(error)), cli.one_line_failures(Secret("postgresql://db/x")):
        raise error


def test_the_address_of_a_database_has_no_password_and_may_be_a_directory() -> None:
    assert cli.address_of(Secret("postgresql://u:p%40x@h:1/d")) == "h:1"
    assert cli.address_of(Secret("postgresql://postgres@/d?host=/tmp/some%20where&port=5432")) == "/tmp/some where"
    assert cli.address_of(Secret("postgresql:///d")) == "the default address"


@pytest.mark.parametrize(
    ("name", "host"),
    [("dashboard", "9000"), *(("provider", host) for host in ("no.such.host.invalid", "x" * 70, "a..b", "192.0.2.1"))],
)
def test_an_address_of_another_machine_is_reported_with_its_variable(name: str, host: str, tmp_path: Path) -> None:
    environment = {"NIGHTAUDIT_DEMO": "1", f"{name.upper()}_HOST": host, f"{name.upper()}_PORT": str(free_port())}

    ended = run_process(name, "serve", environment=environment, folder=tmp_path)

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.count("\n") == 1
    assert ended.stderr.startswith(f"nightaudit: cannot listen on {host} (")
    assert ended.stderr.endswith(f"; set {name.upper()}_HOST to an address of this machine\n")


def test_a_misspelt_variable_is_reported_and_the_command_goes_on(dashboard_url: Secret, tmp_path: Path) -> None:
    environment = {"DASHBOARD_DATABASE_URL": dashboard_url.reveal(), "DASHBORD_PORT": "8100"}

    ended = run_process("dashboard", "migrate", environment=environment, folder=tmp_path)

    assert (ended.returncode, ended.stdout) == (0, "dashboard: up to date\n")
    assert ended.stderr == "nightaudit: DASHBORD_PORT is not a known variable; did you mean DASHBOARD_PORT?\n"
