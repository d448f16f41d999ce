"""The supervisor starts the database and the applications; when it ends, no process is left."""

import os
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from common.devstack.local_state import running_addresses
from tests.support.processes import kill, postmaster_pid, processes_of, watchdog_pid
from tests.support.supervised import APPLICATION, SupervisedStack, pid_is_alive
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow


@pytest.fixture
def run() -> Iterator[Callable[..., SupervisedStack]]:
    """Start supervisors; those that still run after the test are killed."""
    started: list[SupervisedStack] = []
    with tempfile.TemporaryDirectory(prefix="nightaudit-test-") as name:
        folder = Path(name)
        (folder / "event_logs").mkdir()
        for application in ("kitchen", "cellar"):
            (folder / application).mkdir()
            (folder / application / "__init__.py").touch()
            (folder / application / "__main__.py").write_text(APPLICATION)

        def start(**options: Any) -> SupervisedStack:
            started.append(SupervisedStack(folder, **options))
            return started[-1]

        yield start
        for stack in started:
            if stack.process.poll() is None:
                stack.process.kill()
                stack.process.wait()
            wait_until(partial(has_no_processes, stack))


def has_no_processes(stack: SupervisedStack) -> bool:
    return processes_of(stack.data_dir) == []


def test_both_applications_get_ports_addresses_databases_and_the_demo(run: Callable[..., SupervisedStack]) -> None:
    stack = run(KITCHEN_OWN="mine", KITCHEN_PORT="", DASHBOARD_X="passed through")
    assert stack.is_up(), stack.output()
    (entry,) = stack.events("kitchen", "started")
    assert entry["arguments"] == ["serve"]
    environment = entry["environment"]
    assert isinstance(environment, dict)
    kitchen, cellar = stack.ports.values()
    assert environment["KITCHEN_WINE_URL"] == f"http://127.0.0.1:{cellar}/wine"
    assert environment["KITCHEN_OWN"] == "mine"
    assert environment["KITCHEN_PORT"] == str(kitchen)
    assert environment["KITCHEN_HOST"] == "127.0.0.1"
    assert environment["NIGHTAUDIT_DEMO"] == "1"
    assert environment["DASHBOARD_X"] == "passed through"
    assert environment["KITCHEN_DATABASE_URL"].startswith("postgresql://postgres@/kitchen?host=")
    assert environment["CELLAR_DATABASE_URL"].startswith("postgresql://postgres@/cellar?host=")
    assert f"nightaudit:   kitchen  http://127.0.0.1:{kitchen}/\n" in stack.output()
    assert f"nightaudit:   cellar   http://127.0.0.1:{cellar}/\n" in stack.output()
    assert str(stack.data_dir) in stack.output()
    assert stack.stop() == 0


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_applications_before_the_database(
    run: Callable[..., SupervisedStack], signal_number: signal.Signals
) -> None:
    stack = run()
    assert stack.is_up(), stack.output()
    assert stack.stop(signal_number) == 0
    assert [stack.events(name, "ended")[0]["database"] for name in stack.ports] == ["running", "running"]
    assert stack.nothing_is_running()
    assert "Traceback" not in stack.output()
    stack.start()
    assert stack.is_up(), stack.output()
    assert stack.stop() == 0


def test_ctrl_c_in_the_terminal_reaches_the_supervisor_alone(run: Callable[..., SupervisedStack]) -> None:
    stack = run()
    assert stack.is_up(), stack.output()
    os.killpg(stack.process.pid, signal.SIGINT)
    assert stack.process.wait(60) == 0
    assert [stack.events(name, "ended")[0]["database"] for name in stack.ports] == ["running", "running"]
    assert stack.nothing_is_running()


def test_everything_ends_when_the_terminal_is_closed_without_sighup(
    run: Callable[..., SupervisedStack],
) -> None:
    terminal, stdin = os.openpty()
    stack = run(stdin=stdin)
    os.close(stdin)
    assert stack.is_up(), stack.output()
    os.close(terminal)
    assert stack.process.wait(60) == 0
    assert stack.nothing_is_running()


def test_everything_ends_when_make_is_killed(run: Callable[..., SupervisedStack]) -> None:
    stack = run(by_make=True)
    assert stack.is_up(), stack.output()
    kill(stack.process.pid)
    stack.process.wait()
    wait_until(stack.nothing_is_running)
    assert stack.prints("stopping")


def test_a_second_sigterm_does_not_kill_the_applications(run: Callable[..., SupervisedStack]) -> None:
    stack = run(WAITS_AT_END="cellar")
    assert stack.is_up(), stack.output()
    stack.process.send_signal(signal.SIGTERM)
    assert stack.prints("stopping")
    stack.process.send_signal(signal.SIGTERM)
    (stack.event_logs / "end").touch()
    assert stack.process.wait(60) == 0
    assert "is killed" not in stack.output()
    assert all(stack.events(name, "ended") for name in stack.ports)


def test_a_signal_during_the_start_leaves_no_process(run: Callable[..., SupervisedStack]) -> None:
    stack = run()
    wait_until(lambda: (stack.data_dir / "locks" / "watchdog").exists())
    assert stack.stop() == 0
    # A watchdog whose start was interrupted ends by itself.
    wait_until(lambda: has_no_processes(stack))
    assert "Traceback" not in stack.output()
    stack.start()
    assert stack.is_up(), stack.output()
    assert stack.stop() == 0


def test_an_application_that_does_not_end_is_killed_at_the_second_sigint(run: Callable[..., SupervisedStack]) -> None:
    stack = run(IGNORES_SIGTERM="cellar")
    assert stack.is_up(), stack.output()
    stack.process.send_signal(signal.SIGINT)
    assert stack.prints("stopping")
    assert stack.stop(signal.SIGINT) == 0
    assert "cellar did not stop and is killed" in stack.output()
    assert stack.nothing_is_running()


def test_a_busy_port_is_reported_in_one_line(run: Callable[..., SupervisedStack]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        busy = listener.getsockname()[1]
        stack = run(CELLAR_PORT=str(busy))
        assert stack.process.wait(60) == 1
    expected = f"nightaudit: cellar cannot listen on 127.0.0.1:{busy} (Address already in use); "
    assert stack.output() == f"{expected}choose another port with CELLAR_PORT\n"
    assert not (stack.data_dir / "postgresql").exists()


def test_a_second_run_on_the_same_data_is_reported_in_one_line(run: Callable[..., SupervisedStack]) -> None:
    first = run()
    assert first.is_up(), first.output()
    pids = first.pids()
    second = SupervisedStack(first.data_dir.parent)
    assert second.process.wait(60) == 1
    assert second.output() == (
        f"nightaudit: already running on {first.data_dir}; a second run needs its own NIGHTAUDIT_DATA_DIR and ports\n"
    )
    assert first.pids() == pids
    assert all(pid_is_alive(pid) for pid in pids)
    assert first.stop() == 0


def test_an_application_that_is_killed_is_restarted(run: Callable[..., SupervisedStack]) -> None:
    stack = run()
    assert stack.is_up(), stack.output()
    kill(stack.pids()[0])
    wait_until(lambda: len(stack.events("kitchen", "started")) == 2)
    assert "nightaudit: kitchen ended with SIGKILL; restarting it in 0.5 s\n" in stack.output()
    assert len(stack.events("cellar", "started")) == 1
    assert stack.stop() == 0
    assert stack.nothing_is_running()


def test_an_application_that_cannot_start_ends_the_run(run: Callable[..., SupervisedStack]) -> None:
    stack = run(FAILS_AT_START="cellar")
    assert stack.process.wait(60) == 1
    assert stack.output() == "nightaudit: cellar ended with exit status 3 before it was ready\n"
    assert has_no_processes(stack)


def test_a_database_server_that_is_killed_is_restarted(run: Callable[..., SupervisedStack]) -> None:
    stack = run()
    assert stack.is_up(), stack.output()
    kill(postmaster_pid(stack.data_dir))
    assert stack.prints("PostgreSQL had died and was restarted")
    assert stack.stop() == 0
    assert stack.nothing_is_running()


def test_everything_ends_when_the_supervisor_is_killed(run: Callable[..., SupervisedStack]) -> None:
    stack = run()
    assert stack.is_up(), stack.output()
    kill(stack.process.pid)
    stack.process.wait()
    wait_until(stack.nothing_is_running)
    assert [stack.events(name, "ended")[0]["database"] for name in stack.ports] == ["running", "running"]
    stack.start()
    assert stack.is_up(), stack.output()
    assert stack.stop() == 0


def test_a_start_waits_for_the_applications_of_a_killed_run(run: Callable[..., SupervisedStack]) -> None:
    stack = run(IGNORES_SIGTERM="cellar")
    assert stack.is_up(), stack.output()
    ignoring_sigterm = stack.pids()[1]
    kill(stack.process.pid)
    stack.process.wait()
    del stack.environment["IGNORES_SIGTERM"]
    stack.start()
    assert stack.prints("waiting for the applications of a killed run to stop")
    with suppress(ProcessLookupError):  # the supervisor's time-out may have killed it
        os.kill(ignoring_sigterm, signal.SIGKILL)
    assert stack.is_up(), stack.output()
    assert stack.stop() == 0


def test_the_next_start_works_after_everything_was_killed(run: Callable[..., SupervisedStack]) -> None:
    stack = run()
    assert stack.is_up(), stack.output()
    for pid in (stack.process.pid, *stack.pids(), watchdog_pid(stack.data_dir), postmaster_pid(stack.data_dir)):
        with suppress(ProcessLookupError):  # the others end without a supervisor
            os.kill(pid, signal.SIGKILL)
    stack.process.wait()
    stack.start()
    assert stack.is_up(), stack.output()
    assert stack.stop() == 0
    assert stack.nothing_is_running()


def test_no_server_is_started_for_external_databases(run: Callable[..., SupervisedStack]) -> None:
    external = "postgresql://external/x"
    stack = run(KITCHEN_DATABASE_URL=external, CELLAR_DATABASE_URL=external)
    assert stack.is_up(), stack.output()
    assert not stack.data_dir.exists()
    assert stack.stop() == 0


def test_an_application_starts_when_the_one_before_it_is_ready(run: Callable[..., SupervisedStack]) -> None:
    stack = run(FAILS_AT_START="kitchen")
    assert stack.process.wait(60) == 1
    assert stack.output() == "nightaudit: kitchen ended with exit status 3 before it was ready\n"
    assert stack.events("cellar", "started") == []
    assert has_no_processes(stack)


def test_own_data_gets_secrets_and_a_directory_of_its_own(run: Callable[..., SupervisedStack]) -> None:
    own = ("--set", "NIGHTAUDIT_DEMO=0", "--secret", "KITCHEN_SECRET,CELLAR_SECRET", "--secret", "CELLAR_TOKEN")
    stack = run(settings=own, CELLAR_TOKEN="mine")
    assert stack.is_up(), stack.output()
    for name in ("kitchen", "cellar"):
        (entry,) = stack.events(name, "started")
        environment = entry["environment"]
        assert isinstance(environment, dict)
        assert environment["NIGHTAUDIT_DEMO"] == "0"
        assert environment["KITCHEN_SECRET"] == environment["CELLAR_SECRET"]
        assert environment["KITCHEN_SECRET"] in (stack.data_dir / "secrets.env").read_text()
        assert environment["CELLAR_TOKEN"] == "mine"
    wait_until(lambda: f"secrets  {stack.data_dir}/secrets.env" in stack.output())
    assert stack.stop() == 0

    stack.settings = []
    stack.start()
    assert stack.process.wait(60) == 1
    assert stack.output().startswith(f"nightaudit: {stack.data_dir} holds own data; ")
    assert stack.output().count("\n") == 1


def test_the_addresses_of_a_run_are_published_until_it_ends(run: Callable[..., SupervisedStack]) -> None:
    stack = run()
    assert stack.is_up(), stack.output()
    cellar = stack.ports["cellar"]
    found = running_addresses(stack.data_dir)
    assert found["KITCHEN_WINE_URL"] == f"http://127.0.0.1:{cellar}/wine"
    assert stack.stop() == 0
    assert running_addresses(stack.data_dir) == {}


@pytest.mark.parametrize("name", ["supervisor", "applications", "users", "order"])
def test_a_data_directory_whose_locks_cannot_be_opened_is_reported_in_one_line(
    run: Callable[..., SupervisedStack], name: str
) -> None:
    first = run()
    assert first.is_up(), first.output()
    assert first.stop() == 0
    wait_until(partial(has_no_processes, first))
    lock = first.data_dir / "locks" / name
    lock.unlink()
    lock.mkdir()

    first.start()

    assert first.process.wait(60) == 1
    lines = first.output().splitlines()
    assert [line for line in lines if "cannot be used: Is a directory; set NIGHTAUDIT_DATA_DIR" in line] == lines
    assert "Traceback" not in first.output()
    lock.rmdir()
