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

from tests.support.processes import kill, postmaster, processes_of, watchdog
from tests.support.supervised import APPLICATION, Run, lives
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow


@pytest.fixture
def run() -> Iterator[Callable[..., Run]]:
    """Starts supervisors; whatever a test leaves is killed."""
    started: list[Run] = []
    with tempfile.TemporaryDirectory(prefix="nightaudit-test-") as name:
        place = Path(name)
        (place / "diaries").mkdir()
        for application in ("kitchen", "cellar"):
            (place / application).mkdir()
            (place / application / "__init__.py").touch()
            (place / application / "__main__.py").write_text(APPLICATION)

        def start(**options: Any) -> Run:
            started.append(Run(place, **options))
            return started[-1]

        yield start
        for left in started:
            if left.process.poll() is None:
                left.process.kill()
                left.process.wait()
            wait_until(lambda left=left: processes_of(left.data_dir) == [])  # type: ignore[misc]  # mypy cannot infer a default of a lambda


def test_both_applications_get_ports_addresses_databases_and_the_demo(run: Callable[..., Run]) -> None:
    stack = run(KITCHEN_OWN="mine", KITCHEN_PORT="", DASHBOARD_X="passed through")
    assert stack.is_up(), stack.said()
    (entry,) = stack.diary("kitchen", "started")
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
        assert f"http://127.0.0.1:{cellar}{path}" in stack.said()
    assert str(stack.data_dir) in stack.said()
    assert stack.end() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_applications_before_the_database(run: Callable[..., Run], number: signal.Signals) -> None:
    stack = run()
    assert stack.is_up(), stack.said()
    assert stack.end(number) == 0
    assert [stack.diary(name, "ended")[0]["database"] for name in stack.ports] == ["there", "there"]
    assert stack.nothing_lives()
    assert "Traceback" not in stack.said()
    stack.start()
    assert stack.is_up(), stack.said()
    assert stack.end() == 0


def test_ctrl_c_in_the_terminal_reaches_the_supervisor_alone(run: Callable[..., Run]) -> None:
    stack = run()
    assert stack.is_up(), stack.said()
    os.killpg(stack.process.pid, signal.SIGINT)
    assert stack.process.wait(60) == 0
    assert [stack.diary(name, "ended")[0]["database"] for name in stack.ports] == ["there", "there"]
    assert stack.nothing_lives()


def test_everything_ends_with_the_terminal_even_when_its_leader_does_not_tell(run: Callable[..., Run]) -> None:
    terminal, inner = os.openpty()
    stack = run(stdin=inner)
    os.close(inner)
    assert stack.is_up(), stack.said()
    os.close(terminal)
    assert stack.process.wait(60) == 0
    assert stack.nothing_lives()


def test_everything_ends_with_a_make_that_is_killed(run: Callable[..., Run]) -> None:
    stack = run(by_make=True)
    assert stack.is_up(), stack.said()
    kill(stack.process.pid)
    stack.process.wait()
    wait_until(stack.nothing_lives)
    assert stack.is_up("stopping")


def test_a_second_sigterm_is_no_hurry(run: Callable[..., Run]) -> None:
    stack = run(SLOW="cellar")
    assert stack.is_up(), stack.said()
    stack.process.send_signal(signal.SIGTERM)
    assert stack.is_up("stopping")
    stack.process.send_signal(signal.SIGTERM)
    (stack.diaries / "leave").touch()
    assert stack.process.wait(60) == 0
    assert "is killed" not in stack.said()
    assert all(stack.diary(name, "ended") for name in stack.ports)


def test_a_signal_in_the_middle_of_the_start_leaves_nothing(run: Callable[..., Run]) -> None:
    stack = run()
    wait_until(lambda: (stack.data_dir / "locks" / "watchdog").exists())
    assert stack.end() == 0
    # A watchdog that was interrupted while it was being started ends by itself.
    wait_until(lambda: processes_of(stack.data_dir) == [])
    assert "Traceback" not in stack.said()
    stack.start()
    assert stack.is_up(), stack.said()
    assert stack.end() == 0


def test_an_application_that_does_not_end_is_killed_at_the_second_signal(run: Callable[..., Run]) -> None:
    stack = run(STUBBORN="cellar")
    assert stack.is_up(), stack.said()
    stack.process.send_signal(signal.SIGINT)
    assert stack.is_up("stopping")
    assert stack.end(signal.SIGINT) == 0
    assert "cellar did not stop and is killed" in stack.said()
    assert stack.nothing_lives()


def test_a_busy_port_is_told_in_one_line(run: Callable[..., Run]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        busy = listener.getsockname()[1]
        stack = run(CELLAR_PORT=str(busy))
        assert stack.process.wait(60) == 1
    expected = f"nightaudit: cellar cannot listen on 127.0.0.1:{busy} (Address already in use); "
    assert stack.said() == f"{expected}choose another port with CELLAR_PORT\n"
    assert not (stack.data_dir / "postgresql").exists()


def test_a_second_run_on_the_same_data_is_told_in_one_line(run: Callable[..., Run]) -> None:
    first = run()
    assert first.is_up(), first.said()
    pids = first.pids()
    second = Run(first.data_dir.parent)
    assert second.process.wait(60) == 1
    assert second.said() == (
        f"nightaudit: already running on {first.data_dir}; a second run needs its own NIGHTAUDIT_DATA_DIR and ports\n"
    )
    assert first.pids() == pids
    assert all(lives(pid) for pid in pids)
    assert first.end() == 0


def test_an_application_that_dies_is_started_again(run: Callable[..., Run]) -> None:
    stack = run()
    assert stack.is_up(), stack.said()
    kill(stack.pids()[0])
    wait_until(lambda: len(stack.diary("kitchen", "started")) == 2)
    assert "nightaudit: kitchen ended with SIGKILL; restarting it in 0.5 s\n" in stack.said()
    assert len(stack.diary("cellar", "started")) == 1
    assert stack.end() == 0
    assert stack.nothing_lives()


def test_an_application_that_cannot_start_ends_the_run(run: Callable[..., Run]) -> None:
    stack = run(FAULTY="cellar")
    assert stack.process.wait(60) == 1
    assert stack.said() == "nightaudit: cellar ended with exit status 3 before it was ready\n"
    assert processes_of(stack.data_dir) == []


def test_a_database_server_that_dies_is_started_again(run: Callable[..., Run]) -> None:
    stack = run()
    assert stack.is_up(), stack.said()
    kill(postmaster(stack.data_dir))
    assert stack.is_up("PostgreSQL had died and was restarted")
    assert stack.end() == 0
    assert stack.nothing_lives()


def test_everything_ends_when_the_supervisor_is_killed(run: Callable[..., Run]) -> None:
    stack = run()
    assert stack.is_up(), stack.said()
    kill(stack.process.pid)
    stack.process.wait()
    wait_until(stack.nothing_lives)
    assert [stack.diary(name, "ended")[0]["database"] for name in stack.ports] == ["there", "there"]
    stack.start()
    assert stack.is_up(), stack.said()
    assert stack.end() == 0


def test_a_start_waits_for_the_applications_of_a_killed_run(run: Callable[..., Run]) -> None:
    stack = run(STUBBORN="cellar")
    assert stack.is_up(), stack.said()
    unwilling = stack.pids()[1]
    kill(stack.process.pid)
    stack.process.wait()
    del stack.environment["STUBBORN"]
    stack.start()
    assert stack.is_up("waiting for the applications of a killed run to stop")
    with suppress(ProcessLookupError):  # its own patience is over too
        os.kill(unwilling, signal.SIGKILL)
    assert stack.is_up(), stack.said()
    assert stack.end() == 0


def test_the_next_start_works_after_everything_was_killed(run: Callable[..., Run]) -> None:
    stack = run()
    assert stack.is_up(), stack.said()
    for pid in (stack.process.pid, *stack.pids(), watchdog(stack.data_dir), postmaster(stack.data_dir)):
        with suppress(ProcessLookupError):  # without a supervisor the others end
            os.kill(pid, signal.SIGKILL)
    stack.process.wait()
    stack.start()
    assert stack.is_up(), stack.said()
    assert stack.end() == 0
    assert stack.nothing_lives()


def test_with_databases_elsewhere_no_server_is_started(run: Callable[..., Run]) -> None:
    elsewhere = "postgresql://elsewhere/x"
    stack = run(KITCHEN_DATABASE_URL=elsewhere, CELLAR_DATABASE_URL=elsewhere)
    assert stack.is_up(), stack.said()
    assert not stack.data_dir.exists()
    assert stack.end() == 0
