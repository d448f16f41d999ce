"""The supervisor: what it starts, what it tells, and that nothing stays behind, however it ends."""

import os
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import kill, postmaster_pid, processes_of, watchdog_pid
from tests.support.supervised import APPLICATION, SupervisedStack, pid_is_alive
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow


@pytest.fixture
def run() -> Iterator[Callable[..., SupervisedStack]]:
    """Starts supervisors; whatever a test leaves is killed."""
    started: list[SupervisedStack] = []
    with tempfile.TemporaryDirectory(prefix="nightaudit-test-") as name:
        place = Path(name)
        (place / "diaries").mkdir()
        for application in ("kitchen", "cellar"):
            (place / application).mkdir()
            (place / application / "__init__.py").touch()
            (place / application / "__main__.py").write_text(APPLICATION)

        def start(**options: Any) -> SupervisedStack:
            started.append(SupervisedStack(place, **options))
            return started[-1]

        yield start
        for left in started:
            if left.process.poll() is None:
                left.process.kill()
                left.process.wait()
            wait_until(lambda left=left: processes_of(left.data_dir) == [])  # type: ignore[misc]  # mypy cannot infer a default of a lambda


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
    for path in ("/", "/docs", "/jobs", "/metrics"):
        assert f"http://127.0.0.1:{cellar}{path}" in stack.output()
    assert str(stack.data_dir) in stack.output()
    assert stack.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_applications_before_the_database(
    run: Callable[..., SupervisedStack], number: signal.Signals
) -> None:
    stack = run()
    assert stack.is_up(), stack.output()
    assert stack.stop(number) == 0
    assert [stack.events(name, "ended")[0]["database"] for name in stack.ports] == ["there", "there"]
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
    assert [stack.events(name, "ended")[0]["database"] for name in stack.ports] == ["there", "there"]
    assert stack.nothing_is_running()


def test_everything_ends_with_the_terminal_even_when_its_leader_does_not_tell(
    run: Callable[..., SupervisedStack],
) -> None:
    terminal, inner = os.openpty()
    stack = run(stdin=inner)
    os.close(inner)
    assert stack.is_up(), stack.output()
    os.close(terminal)
    assert stack.process.wait(60) == 0
    assert stack.nothing_is_running()


def test_everything_ends_with_a_make_that_is_killed(run: Callable[..., SupervisedStack]) -> None:
    stack = run(by_make=True)
    assert stack.is_up(), stack.output()
    kill(stack.process.pid)
    stack.process.wait()
    wait_until(stack.nothing_is_running)
    assert stack.is_up("stopping")


def test_a_second_sigterm_is_no_hurry(run: Callable[..., SupervisedStack]) -> None:
    stack = run(SLOW="cellar")
    assert stack.is_up(), stack.output()
    stack.process.send_signal(signal.SIGTERM)
    assert stack.is_up("stopping")
    stack.process.send_signal(signal.SIGTERM)
    (stack.diaries / "leave").touch()
    assert stack.process.wait(60) == 0
    assert "is killed" not in stack.output()
    assert all(stack.events(name, "ended") for name in stack.ports)


def test_a_signal_in_the_middle_of_the_start_leaves_nothing(run: Callable[..., SupervisedStack]) -> None:
    stack = run()
    wait_until(lambda: (stack.data_dir / "locks" / "watchdog").exists())
    assert stack.stop() == 0
    # A watchdog that was interrupted while it was being started ends by itself.
    wait_until(lambda: processes_of(stack.data_dir) == [])
    assert "Traceback" not in stack.output()
    stack.start()
    assert stack.is_up(), stack.output()
    assert stack.stop() == 0


def test_an_application_that_does_not_end_is_killed_at_the_second_signal(run: Callable[..., SupervisedStack]) -> None:
    stack = run(STUBBORN="cellar")
    assert stack.is_up(), stack.output()
    stack.process.send_signal(signal.SIGINT)
    assert stack.is_up("stopping")
    assert stack.stop(signal.SIGINT) == 0
    assert "cellar did not stop and is killed" in stack.output()
    assert stack.nothing_is_running()


def test_a_busy_port_is_told_in_one_line(run: Callable[..., SupervisedStack]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        busy = listener.getsockname()[1]
        stack = run(CELLAR_PORT=str(busy))
        assert stack.process.wait(60) == 1
    expected = f"nightaudit: cellar cannot listen on 127.0.0.1:{busy} (Address already in use); "
    assert stack.output() == f"{expected}choose another port with CELLAR_PORT\n"
    assert not (stack.data_dir / "postgresql").exists()


def test_a_second_run_on_the_same_data_is_told_in_one_line(run: Callable[..., SupervisedStack]) -> None:
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


def test_an_application_that_dies_is_started_again(run: Callable[..., SupervisedStack]) -> None:
    stack = run()
    assert stack.is_up(), stack.output()
    kill(stack.pids()[0])
    wait_until(lambda: len(stack.events("kitchen", "started")) == 2)
    assert "nightaudit: kitchen ended with SIGKILL; restarting it in 0.5 s\n" in stack.output()
    assert len(stack.events("cellar", "started")) == 1
    assert stack.stop() == 0
    assert stack.nothing_is_running()


def test_an_application_that_cannot_start_ends_the_run(run: Callable[..., SupervisedStack]) -> None:
    stack = run(FAULTY="cellar")
    assert stack.process.wait(60) == 1
    assert stack.output() == "nightaudit: cellar ended with exit status 3 before it was ready\n"
    assert processes_of(stack.data_dir) == []


def test_a_database_server_that_dies_is_started_again(run: Callable[..., SupervisedStack]) -> None:
    stack = run()
    assert stack.is_up(), stack.output()
    kill(postmaster_pid(stack.data_dir))
    assert stack.is_up("PostgreSQL had died and was restarted")
    assert stack.stop() == 0
    assert stack.nothing_is_running()


def test_everything_ends_when_the_supervisor_is_killed(run: Callable[..., SupervisedStack]) -> None:
    stack = run()
    assert stack.is_up(), stack.output()
    kill(stack.process.pid)
    stack.process.wait()
    wait_until(stack.nothing_is_running)
    assert [stack.events(name, "ended")[0]["database"] for name in stack.ports] == ["there", "there"]
    stack.start()
    assert stack.is_up(), stack.output()
    assert stack.stop() == 0


def test_a_start_waits_for_the_applications_of_a_killed_run(run: Callable[..., SupervisedStack]) -> None:
    stack = run(STUBBORN="cellar")
    assert stack.is_up(), stack.output()
    unwilling = stack.pids()[1]
    kill(stack.process.pid)
    stack.process.wait()
    del stack.environment["STUBBORN"]
    stack.start()
    assert stack.is_up("waiting for the applications of a killed run to stop")
    with suppress(ProcessLookupError):  # its own patience is over too
        os.kill(unwilling, signal.SIGKILL)
    assert stack.is_up(), stack.output()
    assert stack.stop() == 0


def test_the_next_start_works_after_everything_was_killed(run: Callable[..., SupervisedStack]) -> None:
    stack = run()
    assert stack.is_up(), stack.output()
    for pid in (stack.process.pid, *stack.pids(), watchdog_pid(stack.data_dir), postmaster_pid(stack.data_dir)):
        with suppress(ProcessLookupError):  # without a supervisor the others end
            os.kill(pid, signal.SIGKILL)
    stack.process.wait()
    stack.start()
    assert stack.is_up(), stack.output()
    assert stack.stop() == 0
    assert stack.nothing_is_running()


def test_with_databases_elsewhere_no_server_is_started(run: Callable[..., SupervisedStack]) -> None:
    elsewhere = "postgresql://elsewhere/x"
    stack = run(KITCHEN_DATABASE_URL=elsewhere, CELLAR_DATABASE_URL=elsewhere)
    assert stack.is_up(), stack.output()
    assert not stack.data_dir.exists()
    assert stack.stop() == 0
