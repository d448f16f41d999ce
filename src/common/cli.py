"""What the commands of both applications share: configuration, the database they work on, migrations, serving."""

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, Protocol, TypeVar

import asyncpg
import uvloop
from quart import Quart

from common.config import ConfigError, Secret, read
from common.db.migrate import MigrationError, migrate
from common.db.pool import wait_until_reachable
from common.server import hypercorn, ports
from common.server.worker_pool import serve_workers
from common.telemetry import metrics
from common.web.errors import DATABASE_GONE


class HasDatabase(Protocol):
    """What a configuration has to have for any command."""

    @property
    def data_dir(self) -> Path: ...
    @property
    def log_level(self) -> str: ...
    @property
    def database_url(self) -> Secret | None: ...


class Servable(HasDatabase, Protocol):
    """What it has to have for serving."""

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


def fail(message: str) -> NoReturn:
    """End the program with one line on standard error and status 1."""
    sys.exit(f"nightaudit: {message}")


def configuration(model: type[C]) -> C:
    """The configuration from the environment. Raises ConfigError."""
    config = read(model, os.environ)
    metrics.configure_logging(level=config.log_level)
    return config


@contextmanager
def database(config: HasDatabase, name: str) -> Iterator[Secret]:
    """Give the configured database, or `name` on the embedded server, which is started if necessary."""
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
    """Wait for PostgreSQL and bring the schema up to date; ends the program with one line when that cannot be done."""
    try:
        await wait_until_reachable(url, seconds=START_SECONDS)
        return await migrate(url, migrations)
    except DATABASE_GONE as error:
        fail(f"PostgreSQL cannot be reached: {error}")
    except (MigrationError, asyncpg.PostgresError) as error:
        fail(f"the database cannot be used: {error}")


def on_database(
    config: HasDatabase, name: str, migrations: Path, work: Callable[[Secret], Coroutine[Any, Any, int]]
) -> int:
    """Do a command's work on its database, which is brought up to date first; returns the work's exit status."""
    with database(config, name) as url:
        asyncio.run(prepare(url, migrations))
        return asyncio.run(work(url))


def serve_command(
    config: S,
    name: str,
    migrations: Path,
    create_app: Callable[[S, Secret], Quart],
    *,
    first: Callable[[Secret], Coroutine[Any, Any, None]] | None = None,
) -> int:
    """Migrate, do what comes first, and serve until SIGTERM or SIGINT; returns the exit status.

    Several workers import `NAME.asgi`, which finds the database in the environment.
    """
    variable = name.upper()
    config.require_secrets()
    if obstacle := ports.obstacle(config.host, config.port):
        fail(f"cannot listen on {config.host}:{config.port} ({obstacle}); choose another port with {variable}_PORT")
    server = hypercorn.hypercorn_config(config.host, config.port)
    with database(config, name) as url:
        asyncio.run(prepare(url, migrations))
        if first is not None:
            asyncio.run(first(url))
        if config.workers > 1:
            os.environ[f"{variable}_DATABASE_URL"] = url.reveal()
            return serve_workers(f"{name}.asgi:app", server, config.workers)
        uvloop.run(hypercorn.serve(create_app(config, url), server))
    return 0


def migrate_command(config: HasDatabase, name: str, migrations: Path) -> int:
    """Apply what is missing and say what was applied."""
    with database(config, name) as url:
        applied = asyncio.run(prepare(url, migrations))
    print(f"{name}: applied {', '.join(applied)}" if applied else f"{name}: up to date")
    return 0


def parser_of(name: str, words: str) -> tuple[argparse.ArgumentParser, Any]:
    """The parser of `python -m NAME`, and its commands, to which `add` adds."""
    parser = argparse.ArgumentParser(prog=f"python -m {name}", description=words)
    return parser, parser.add_subparsers(required=True, metavar="COMMAND")


def add(
    commands: Any, name: str, words: str, command: Callable[[Any, argparse.Namespace], int]
) -> argparse.ArgumentParser:
    """Add a command; it gets the configuration and the arguments and returns the exit status."""
    parser: argparse.ArgumentParser = commands.add_parser(name, help=words, description=words)
    parser.set_defaults(command=command)
    return parser


def run(parser: argparse.ArgumentParser, model: type[Any]) -> int:
    """Run the command that the program's arguments name. What it lacks in the environment ends it with one line."""
    arguments = parser.parse_args()
    try:
        status: int = arguments.command(configuration(model), arguments)
    except ConfigError as error:
        fail(str(error))
    return status
