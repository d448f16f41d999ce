"""The plan of the supervisor: applications, the addresses they listen on, and their environment."""

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from common.config import DEMO_VARIABLE
from common.server import ports


class StackError(Exception):
    """The applications cannot be started; the message is one line with the reason."""


@dataclass(frozen=True, slots=True)
class Program:
    """One application: the package `name`, whose variables begin with the name in capitals."""

    name: str
    host: str
    port: int

    def variable(self, name: str) -> str:
        return f"{self.name.upper()}_{name}"

    @property
    def reachable_at(self) -> tuple[str, int]:
        return ports.reachable_host(self.host), self.port

    @property
    def address(self) -> str:
        """`host:port`, as in a URL."""
        return ports.reachable_address(self.host, self.port)


@dataclass(frozen=True, slots=True)
class Plan:
    programs: tuple[Program, ...]
    environment: Mapping[str, str]
    """The caller's environment and the derived variables, the same for all applications."""
    derived: Mapping[str, str]
    """The variables of --set, as the applications get them."""
    secrets: tuple[tuple[str, ...], ...] = ()
    """Variables that get a secret unless the environment sets them; those of one group get the same."""
    shown: tuple[tuple[str, str], ...] = ()
    """The addresses that the terminal shows once everything is up, each with the words before it."""

    @property
    def addresses(self) -> dict[str, str]:
        """The derived variables by which the applications, and commands, find each other."""
        return {name: value for name, value in self.derived.items() if name.endswith("_URL")}

    @property
    def is_demo(self) -> bool:
        return self.environment[DEMO_VARIABLE] not in ("", "0")

    def without_database(self) -> list[Program]:
        """The programs whose database is on the embedded server."""
        return [p for p in self.programs if not self.environment.get(p.variable("DATABASE_URL"))]


def read_plan(arguments: list[str], environment: Mapping[str, str]) -> Plan:
    """Read the plan from the command line and the environment. Raises StackError."""
    parser = argparse.ArgumentParser(
        prog="python -m common.devstack.supervisor",
        description="Run applications until Ctrl-C, and PostgreSQL for those without a database URL.",
    )
    parser.add_argument("programs", nargs="+", metavar="NAME:PORT", help="a package and its default port")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="VARIABLE=VALUE",
        help="set a variable unless the environment sets it; {NAME} stands for the host and port of that application",
    )
    parser.add_argument(
        "--secret",
        action="append",
        default=[],
        metavar="VARIABLE[,VARIABLE]",
        help="set variables that the environment does not set to a secret, made once and kept in the data directory",
    )
    parser.add_argument(
        "--show",
        action="append",
        default=[],
        metavar="WORDS=ADDRESS",
        help="show an address when everything is up, instead of those of the applications; {NAME} as with --set",
    )
    parsed = parser.parse_args(arguments)
    programs = tuple(_program(text, environment) for text in parsed.programs)
    numbers = [program.port for program in programs]
    for program in programs:
        if numbers.count(program.port) > 1:
            raise StackError(f"port {program.port} is used twice; change {program.variable('PORT')}")
    derived = {}
    for name, value in _settings(parsed.set, programs):
        derived[name] = environment.get(name) or value
    listening = {}
    for program in programs:
        listening[program.variable("PORT")] = str(program.port)
        listening[program.variable("HOST")] = program.host
    secrets = tuple(tuple(group.split(",")) for group in parsed.secret)
    shown = _settings(parsed.show, programs) or [(program.name, f"http://{program.address}/") for program in programs]
    return Plan(programs, {DEMO_VARIABLE: "1", **environment, **derived, **listening}, derived, secrets, tuple(shown))


def check_ports(plan: Plan) -> None:
    """Raise StackError, naming port and variable, where an application could not listen."""
    for program in plan.programs:
        if reason := ports.why_not_listening(program.name, program.host, program.port):
            raise StackError(f"{program.name} {reason}")


def _settings(texts: Sequence[str], programs: Sequence[Program]) -> list[tuple[str, str]]:
    """The parts before and after the first `=` of each text; in the second, `{NAME}` is that application's address."""
    settings = []
    for text in texts:
        name, _, value = text.partition("=")
        for program in programs:
            value = value.replace(f"{{{program.name}}}", program.address)
        settings.append((name, value))
    return settings


def _program(text: str, environment: Mapping[str, str]) -> Program:
    name, _, default = text.partition(":")
    variable = f"{name.upper()}_PORT"
    port = environment.get(variable) or default
    if not re.fullmatch(r"[0-9]{1,5}", port) or not 1 <= int(port) <= 65535:
        raise StackError(f"{variable} must be a whole number from 1 to 65535")
    return Program(name, environment.get(f"{name.upper()}_HOST") or "127.0.0.1", int(port))
