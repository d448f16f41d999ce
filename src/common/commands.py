"""What the commands of both applications share: configuration, the database they work on, migrations, serving."""

import argparse
import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

import asyncpg
import structlog

from common import telemetry
from common.config import ConfigError, Secret, read
from common.database import wait_until_reachable
from common.errors import DATABASE_GONE
from common.migrate import MigrationError, migrate
from common.serving import fail

log = structlog.get_logger()


class HasDatabase(Protocol):
    """What a configuration has to have for the commands here."""

    @property
    def data_dir(self) -> Path: ...
    @property
    def log_level(self) -> str: ...
    @property
    def database_url(self) -> Secret | None: ...


C = TypeVar("C", bound=HasDatabase)

START_SECONDS = 60.0


def configuration(model: type[C]) -> C:
    """The configuration from the environment; ends the program with one line when it cannot be used."""
    try:
        config = read(model, os.environ)
    except ConfigError as error:
        fail(str(error))
        raise
    telemetry.configure_logging(level=config.log_level)
    return config


@contextmanager
def database(config: HasDatabase, name: str) -> Iterator[Secret]:
    """The database to work on: the configured server's, or `name` on the embedded server, started if need be."""
    if config.database_url is not None:
        yield config.database_url
        return
    from common.embedded import EmbeddedError, attach

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
    return []


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
    config = configuration(model)
    try:
        status: int = arguments.command(config, arguments)
    except ConfigError as error:
        fail(str(error))
        raise
    return status
