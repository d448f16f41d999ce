"""The supervisor behind `make run`: starts PostgreSQL and the applications together, and stops them together.

    python -m common.devstack.supervisor provider:9000 dashboard:8000 --set DASHBOARD_PROVIDER_URL=http://{provider} \\
      --show 'morning=http://{dashboard}/'

Each application runs (`python -m NAME serve`, which migrates first) in its own session, so Ctrl-C reaches only the
supervisor, which stops the applications first and the database last. An application that ends by itself is started
again. Each holds a lifeline (see `child`) and a claim on the embedded server: if the supervisor is killed, they end,
and PostgreSQL stops after them.
"""

import asyncio
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from common.devstack import file_lock
from common.devstack.child import STOP_SECONDS
from common.devstack.embedded import EmbeddedError, Server, as_embedded_error, attach, data_directory, lock_path
from common.devstack.local_state import (
    DEMO_DATA,
    OWN_DATA,
    publish_addresses,
    read_or_make_secrets,
    require_content,
    secrets_file,
)
from common.devstack.plan import Plan, Program, StackError, check_ports, read_plan

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_NOT_READY_SECONDS = 15.0  # after that long a line says that an application is not ready yet
_FIRST_DELAY_SECONDS, _MAX_DELAY_SECONDS = 0.5, 30.0
_STEADY_SECONDS = 60.0  # after that long the delay of the next restart is the shortest again
_KILLED_RUN_SECONDS = STOP_SECONDS + 15.0


class _Stop(BaseException):
    """A signal arrived before the applications were started."""


@dataclass(frozen=True, slots=True)
class _Inherited:
    """The descriptors and the environment that every application inherits."""

    lifeline: int
    others: tuple[int, ...]
    environment: dict[str, str]


class _Application:
    """One application process: started, restarted when it ends, stopped."""

    def __init__(self, program: Program, inherited: _Inherited) -> None:
        self.program = program
        self.ready = asyncio.Event()
        self._inherited = inherited
        self._process: asyncio.subprocess.Process | None = None

    async def run(self, after: asyncio.Event | None) -> None:
        """Keep the application running until cancelled. Raises StackError when it fails before it was ever ready.

        after: the event to wait for before the first start.
        """
        name = self.program.name
        if after is not None:
            await after.wait()
        delay = _FIRST_DELAY_SECONDS
        while True:
            started = time.monotonic()
            waiting = asyncio.create_task(self._await_ready())
            try:
                status = await self._serve()
            finally:
                waiting.cancel()
            if status > 0 and not self.ready.is_set():
                raise StackError(f"{name} ended with {_describe_status(status)} before it was ready")
            if time.monotonic() - started > _STEADY_SECONDS:
                delay = _FIRST_DELAY_SECONDS
            say(f"{name} ended with {_describe_status(status)}; restarting it in {delay:g} s")
            await asyncio.sleep(delay)
            delay = min(delay * 2, _MAX_DELAY_SECONDS)

    async def stop(self, hurry: asyncio.Event) -> None:
        """Stop the application by SIGTERM; by SIGKILL when that takes too long or `hurry` is set."""
        process = self._process
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.terminate()
        ended = asyncio.create_task(process.wait())
        hurried = asyncio.create_task(hurry.wait())
        await asyncio.wait({ended, hurried}, timeout=STOP_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        hurried.cancel()
        if not ended.done():
            say(f"{self.program.name} did not stop and is killed")
        _kill_group(process.pid)
        await ended

    async def _serve(self) -> int:
        """Run the process until it ends; returns its exit status, negative for a signal."""
        inherited = self._inherited
        self._process = process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "common.devstack.child", str(inherited.lifeline), self.program.name, "serve"),
            stdin=asyncio.subprocess.DEVNULL,
            env=inherited.environment,
            pass_fds=(inherited.lifeline, *inherited.others),
            start_new_session=True,
        )
        status = await process.wait()
        _kill_group(process.pid)  # workers of an application that was killed
        self._process = None
        return status

    async def _await_ready(self) -> None:
        report_at = time.monotonic() + _NOT_READY_SECONDS
        while (answer := await _probe(self.program, "/readyz")) != "200":
            if time.monotonic() > report_at:
                say(f"{self.program.name} is not ready yet: GET /readyz {answer}")
                report_at += _NOT_READY_SECONDS
            await asyncio.sleep(0.1)
        self.ready.set()


def main(arguments: list[str]) -> int:
    """Run until a signal; returns the exit status: 0 after a signal, 1 when an application cannot be started."""
    _on_signals(_raise_stop)
    try:
        return _run(read_plan(arguments, os.environ))
    except (StackError, EmbeddedError) as error:
        say(str(error))
        return 1
    except _Stop:
        return 0


def say(line: str) -> None:
    """Print a line for the person at the terminal; the terminal may be closed, or the pipe broken."""
    with suppress(OSError):
        os.write(sys.stdout.fileno(), f"nightaudit: {line}\n".encode())


def _run(plan: Plan) -> int:
    started = time.monotonic()
    embedded = plan.without_database()
    with ExitStack() as leaving:
        environment = dict(plan.environment)
        descriptors: list[int] = []
        server: Server | None = None
        data_dir = data_directory() if embedded else None
        if data_dir is not None:
            descriptors.append(_only_run(data_dir, leaving))
        check_ports(plan)
        if data_dir is not None:
            require_content(data_dir, DEMO_DATA if plan.is_demo else OWN_DATA)
            secrets = read_or_make_secrets(data_dir, plan.secrets) if plan.secrets else {}
            environment |= {name: value for name, value in secrets.items() if not environment.get(name)}
            leaving.enter_context(publish_addresses(data_dir, plan.addresses))
            server = leaving.enter_context(attach(data_dir))
            for program in embedded:
                server.ensure_database(program.name)
                environment[program.variable("DATABASE_URL")] = server.url(program.name)
            descriptors.append(server.claim)
        lifeline, ours = os.pipe()
        leaving.callback(os.close, lifeline)
        leaving.callback(os.close, ours)
        inherited = _Inherited(lifeline, tuple(descriptors), environment)
        try:
            return asyncio.run(_supervise(plan, inherited, server, started))
        finally:
            _on_signals(signal.SIG_IGN)  # the database is stopping, which does not take long


def _only_run(data_dir: Path, leaving: ExitStack) -> int:
    """Claim the data directory for this run; returns a descriptor that the applications inherit to hold it too."""
    with as_embedded_error(data_dir):
        supervisor = file_lock.try_acquire(lock_path(data_dir, "supervisor"))
    if supervisor is None:
        raise StackError(f"already running on {data_dir}; a second run needs its own NIGHTAUDIT_DATA_DIR and ports")
    leaving.callback(os.close, supervisor)
    with as_embedded_error(data_dir):
        path = lock_path(data_dir, "applications")
        if not file_lock.becomes_free(path, seconds=0.1):
            say("waiting for the applications of a killed run to stop")
        try:
            return leaving.enter_context(file_lock.exclusive(path, seconds=_KILLED_RUN_SECONDS))
        except TimeoutError:
            raise StackError(f"the applications of a killed run on {data_dir} do not stop") from None


async def _supervise(plan: Plan, inherited: _Inherited, server: Server | None, started: float) -> int:
    """Run the applications until a signal, or until one cannot be started."""
    stop, hurry = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal(number: int, _: object) -> None:
        """A second Ctrl-C kills. A second SIGTERM does not: a process group may get it from both the shell and make."""
        asked = hurry if number == signal.SIGINT and stop.is_set() else stop
        with suppress(RuntimeError):  # the loop has ended, so the shutdown is in progress
            loop.call_soon_threadsafe(asked.set)

    _on_signals(on_signal)
    applications = [_Application(program, inherited) for program in plan.programs]
    # An application asks those before it as soon as it starts.
    previous = [None, *(application.ready for application in applications)]
    tasks = [asyncio.create_task(each.run(after)) for each, after in zip(applications, previous, strict=False)]
    extra = [
        asyncio.create_task(_report_when_ready(applications, plan, server, started)),
        asyncio.create_task(_stop_when_abandoned(stop)),
    ]
    if server is not None:
        extra.append(asyncio.create_task(_keep_database(server)))
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({*tasks, stopped}, return_when=asyncio.FIRST_COMPLETED)
    failed = not stop.is_set()
    stop.set()
    for task in extra:
        task.cancel()
    if not failed:
        say("stopping")
    for task in tasks:
        task.cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.gather(*(application.stop(hurry) for application in applications))
    for outcome in outcomes:
        if isinstance(outcome, StackError):
            say(str(outcome))
        elif isinstance(outcome, Exception):
            raise outcome
    return int(failed)


async def _report_when_ready(
    applications: list[_Application], plan: Plan, server: Server | None, started: float
) -> None:
    for application in applications:
        await application.ready.wait()
    say(f"up after {time.monotonic() - started:.1f} s; Ctrl-C stops everything")
    lines = list(plan.shown)
    if server is not None:
        lines.append(("data", str(server.data_dir)))
        if plan.secrets:
            lines.append(("secrets", str(secrets_file(server.data_dir))))
    width = max(len(words) for words, _ in lines)
    for words, address in lines:
        say(f"  {words:{width}}  {address}")


async def _stop_when_abandoned(stop: asyncio.Event) -> None:
    """Stop when the process that started this one is gone without a signal.

    A closed terminal signals only the leader of its session, and a make that leads one waits for this process without
    passing the signal on. A killed make passes nothing on either.
    """
    terminal = next((number for number in (0, 1, 2) if os.isatty(number)), None)
    hang_up = select.poll()
    if terminal is not None:
        hang_up.register(terminal, 0)  # without reading, which would stop this process in the background
    make = os.getppid() if "MAKELEVEL" in os.environ else None
    while not any(event & select.POLLHUP for _, event in hang_up.poll(0)):
        if make is not None and os.getppid() != make:
            break
        await asyncio.sleep(0.5)
    stop.set()


async def _keep_database(server: Server) -> None:
    """Start the database server again when it has died."""
    while True:
        await asyncio.sleep(1.0)
        try:
            if await asyncio.to_thread(server.ensure_running):
                say("PostgreSQL had died and was restarted")
        except EmbeddedError as error:
            say(str(error))
            await asyncio.sleep(_MAX_DELAY_SECONDS)


async def _probe(program: Program, path: str) -> str:
    """The status of a GET, or the reason why there is none."""
    try:
        async with asyncio.timeout(5.0):
            reader, writer = await asyncio.open_connection(*program.reachable_at)
            try:
                request = f"GET {path} HTTP/1.1\r\nHost: {program.address}\r\nConnection: close\r\n\r\n"
                writer.write(request.encode())
                parts = (await reader.readline()).split()
            finally:
                writer.close()
    except TimeoutError:
        return "timed out"
    except OSError as error:
        return f"failed: {error.strerror or error}"
    return parts[1].decode(errors="replace") if len(parts) > 1 else "gave no answer"


def _kill_group(leader: int) -> None:
    with suppress(ProcessLookupError, PermissionError):  # macOS raises PermissionError for a group of zombies
        os.killpg(leader, signal.SIGKILL)


def _describe_status(status: int) -> str:
    return f"exit status {status}" if status >= 0 else signal.Signals(-status).name


def _on_signals(action: Callable[[int, object], None] | signal.Handlers) -> None:
    for number in _SIGNALS:
        signal.signal(number, action)


def _raise_stop(number: int, _: object) -> None:
    raise _Stop(number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
