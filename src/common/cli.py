"""Commands of both applications: configuration, database, migrations, serving."""

import argparse
import asyncio
import os
import socket
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, Protocol, TypeVar
from urllib.parse import parse_qsl, urlsplit

import asyncpg
import uvloop
from quart import Quart

from common.config import ConfigError, Secret, describe_unknown_variables, read_config
from common.db.distribution import DEFAULT_SHARDS, Distribution, DistributionError, distribute
from common.db.errors import DATABASE_UNAVAILABLE
from common.db.migrate import MigrationError, migrate
from common.db.pool import wait_until_reachable
from common.server import hypercorn, ports
from common.server.worker_pool import serve_workers
from common.telemetry.logging import configure_logging


class HasDatabase(Protocol):
    """The part of a configuration that every command needs."""

    @property
    def data_dir(self) -> Path: ...
    @property
    def log_level(self) -> str: ...
    @property
    def database_url(self) -> Secret | None: ...


class Servable(HasDatabase, Protocol):
    """The part of a configuration that serving needs."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def workers(self) -> int: ...
    def require_secrets(self) -> None: ...


C = TypeVar("C", bound=HasDatabase)
S = TypeVar("S", bound=Servable)

START_SECONDS = 60.0
MAX_SHARDS = 1024

DATABASE_FAILED: tuple[type[Exception], ...] = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    ConnectionError,
    socket.gaierror,
    TimeoutError,
)
"""Raised when PostgreSQL refuses, cannot be reached or stops. Not every OSError: a file may be missing."""


def fail(message: str) -> NoReturn:
    """End the program with one line on standard error and status 1."""
    sys.exit(f"nightaudit: {message}")


def warn(message: str) -> None:
    """Print one line on standard error."""
    sys.stderr.write(f"nightaudit: {message}\n")


def configuration(model: type[C]) -> C:
    """Read the configuration from the environment, and warn of misspelt variables. Raises ConfigError.

    Without a database URL the embedded server is used; the addresses of applications that run on it are the defaults.
    """
    config = read_config(model, os.environ)
    if config.database_url is None and (addresses := _running_addresses(config.data_dir)):
        config = read_config(model, {**addresses, **{name: value for name, value in os.environ.items() if value}})
    for warning in describe_unknown_variables(model, os.environ):
        warn(warning)
    configure_logging(level=config.log_level)
    return config


def _running_addresses(data_dir: Path) -> Mapping[str, str]:
    try:
        # Not at the top: the image has no devstack.
        from common.devstack.local_state import running_addresses
    except ModuleNotFoundError:
        return {}
    return running_addresses(data_dir)


@contextmanager
def database(config: HasDatabase, name: str) -> Iterator[Secret]:
    """The URL of the database: the configured one, or `name` on the embedded server, started if need be."""
    if config.database_url is not None:
        yield config.database_url
        return
    try:
        # Not at the top: the image has no devstack.
        from common.devstack.embedded import EmbeddedError, attach
    except ModuleNotFoundError:
        fail(f"set {name.upper()}_DATABASE_URL to a PostgreSQL server; the embedded one is not installed here")
    try:
        with attach(config.data_dir) as server:
            server.ensure_database(name)
            yield Secret(server.url(name))
    except EmbeddedError as error:
        fail(str(error))


async def prepare(url: Secret, migrations: Path) -> list[str]:
    """Wait for PostgreSQL and apply missing migrations; exits with one line when that fails. Returns those applied.

    A line says at once that PostgreSQL is not reachable, and for how long this waits for it.
    """

    def report(error: Exception) -> None:
        warn(f"{describe_database_failure(url, error)}; waiting up to {START_SECONDS:g} s for it")

    with one_line_failures(url):
        await wait_until_reachable(url, seconds=START_SECONDS, report=report)
        try:
            return await migrate(url, migrations)
        except MigrationError as error:
            fail(f"the database cannot be used: {error}")


@contextmanager
def one_line_failures(url: Secret) -> Iterator[None]:
    """End the program with one line when the database in use fails."""
    try:
        yield
    except DATABASE_FAILED as error:
        fail(describe_database_failure(url, error))


def describe_database_failure(url: Secret, error: Exception) -> str:
    """What is wrong with the database, in one line without a secret."""
    reason = " ".join((getattr(error, "strerror", None) or str(error) or type(error).__name__).split())
    if isinstance(error, asyncpg.InsufficientResourcesError):
        return f"PostgreSQL at {address_of(url)} lacks resources: {reason}"
    if isinstance(error, asyncpg.PostgresError) and not isinstance(error, DATABASE_UNAVAILABLE):
        return f"the database cannot be used: {reason}"
    return f"PostgreSQL at {address_of(url)} is not reachable: {reason}"


def address_of(url: Secret) -> str:
    """Host and port of a database URL, without user and password."""
    parts = urlsplit(url.reveal())
    if parts.netloc.rpartition("@")[2]:
        return parts.netloc.rpartition("@")[2]
    query = dict(parse_qsl(parts.query))
    return query.get("host", "the default address")


def on_database(
    config: HasDatabase, name: str, migrations: Path, work: Callable[[Secret], Coroutine[Any, Any, int]]
) -> int:
    """Migrate the database, then run `work` on it; returns the exit status of `work`."""
    with database(config, name) as url:
        asyncio.run(prepare(url, migrations))
        with one_line_failures(url):
            return asyncio.run(work(url))


def serve_command(
    config: S,
    name: str,
    migrations: Path,
    create_app: Callable[[S, Secret], Quart],
    *,
    first: Callable[[Secret], Coroutine[Any, Any, None]] | None = None,
) -> int:
    """Migrate, call `first`, and serve until SIGTERM or SIGINT; returns the exit status.

    Several workers import `NAME.asgi`, which reads the database URL from the environment.
    """
    variable = name.upper()
    config.require_secrets()
    if reason := ports.why_not_listening(name, config.host, config.port):
        fail(reason)
    server = hypercorn.hypercorn_config(config.host, config.port)
    with database(config, name) as url:
        asyncio.run(prepare(url, migrations))
        if first is not None:
            with one_line_failures(url):
                asyncio.run(first(url))
        if config.workers > 1:
            os.environ[f"{variable}_DATABASE_URL"] = url.reveal()
            return serve_workers(f"{name}.asgi:app", server, config.workers)
        uvloop.run(hypercorn.serve(create_app(config, url), server))
    return 0


def migrate_command(config: HasDatabase, name: str, migrations: Path) -> int:
    """Apply the missing migrations and print their names."""
    with database(config, name) as url:
        applied = asyncio.run(prepare(url, migrations))
    print(f"{name}: applied {', '.join(applied)}" if applied else f"{name}: up to date")
    return 0


def add_distribute_command(commands: Any, name: str, migrations: Path, layout: Distribution) -> None:
    """Add the command `distribute`, which spreads the tables of the application over the nodes of a Citus cluster."""

    def run(config: HasDatabase, arguments: argparse.Namespace) -> int:
        return distribute_command(config, name, migrations, layout, arguments.shards)

    parser = add_command(commands, "distribute", "migrate, then spread the large tables over a Citus cluster", run)
    parser.add_argument(
        "--shards",
        metavar="N",
        type=shard_count,
        default=DEFAULT_SHARDS,
        help=f"parts of each table (default {DEFAULT_SHARDS}); as many nodes can share its rows",
    )


def shard_count(text: str) -> int:
    """A number of parts of a table. Raises ArgumentTypeError."""
    if not text.isdecimal() or not 1 <= int(text) <= MAX_SHARDS:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 to {MAX_SHARDS}")
    return int(text)


def distribute_command(config: HasDatabase, name: str, migrations: Path, layout: Distribution, shards: int) -> int:
    """Migrate, spread the tables that are not yet, and print which."""
    with database(config, name) as url:
        asyncio.run(prepare(url, migrations))
        with one_line_failures(url):
            try:
                lines = asyncio.run(distribute(url, layout, shards))
            except DistributionError as error:
                fail(f"the tables cannot be distributed: {error}")
    print("\n".join(f"{name}: {line}" for line in lines) or f"{name}: is distributed")
    return 0


def command_parser(name: str, words: str) -> tuple[argparse.ArgumentParser, Any]:
    """The parser of `python -m NAME`, and its subparsers for `add_command`."""
    parser = argparse.ArgumentParser(prog=f"python -m {name}", description=words)
    return parser, parser.add_subparsers(required=True, metavar="COMMAND")


def add_command(
    commands: Any, name: str, words: str, command: Callable[[Any, argparse.Namespace], int]
) -> argparse.ArgumentParser:
    """Add a command: a function of configuration and arguments that returns the exit status."""
    parser: argparse.ArgumentParser = commands.add_parser(name, help=words, description=words)
    parser.set_defaults(command=command)
    return parser


def run_command(parser: argparse.ArgumentParser, model: type[Any]) -> int:
    """Run the command that the arguments name; an invalid environment ends it with one line."""
    arguments = parser.parse_args()
    try:
        status: int = arguments.command(configuration(model), arguments)
    except ConfigError as error:
        fail(str(error))
    return status
