"""The command line of the provider."""

import argparse
import asyncio
import os
from pathlib import Path

from common import serving
from common.commands import add, database, migrate_command, parser_of, prepare, run
from common.workers import serve_workers
from provider.app import MIGRATIONS, create_app
from provider.booking_events.importing import generate_history, import_file
from provider.config import Config
from provider.stays.demo import add_demo_properties
from provider.stays.importing import import_files

NAME = "provider"


def main() -> int:
    """Run the command that the arguments name; returns the exit status."""
    parser, commands = parser_of(NAME, "Nightaudit's provider.")
    add(commands, "serve", "serve the provider (migrates first)", serve)
    add(commands, "migrate", "bring the database up to date", lambda c, _: migrate_command(c, NAME, MIGRATIONS))
    importing = add(commands, "import", "load booking events from a CSV file (.gz too)", import_events)
    importing.add_argument("file", type=Path)
    stays = add(commands, "import-stays", "load properties and reservations from two CSV files", import_stays)
    stays.add_argument("--properties", type=Path, required=True, help="property_id, description")
    stays.add_argument("--reservations", type=Path, required=True, help="property_id, start_date, number_of_nights")
    generating = add(commands, "generate", "write the history of simulated hotels", generate)
    generating.add_argument("--hotels", type=int, default=5, help="how many hotels (5)")
    generating.add_argument("--years", type=int, default=1, help="years of nights before today (1)")
    generating.add_argument("--rooms", type=int, default=40, help="rooms of each hotel (40)")
    generating.add_argument("--seed", type=int, default=1, help="the same seed gives the same history (1)")
    return run(parser, Config)


def serve(config: Config, _: argparse.Namespace) -> int:
    config.require_secrets()
    serving.check_port(config.host, config.port, "PROVIDER_PORT")
    server = serving.hypercorn_config(config.host, config.port)
    with database(config, NAME) as url:
        asyncio.run(prepare(url, MIGRATIONS))
        if config.demo:
            asyncio.run(add_demo_properties(url))
        if config.workers > 1:
            os.environ["PROVIDER_DATABASE_URL"] = url.reveal()
            return serve_workers("provider.asgi:app", server, config.workers)
        serving.event_loop_run(serving.serve(create_app(config, url), server))
    return 0


def generate(config: Config, arguments: argparse.Namespace) -> int:
    with database(config, NAME) as url:
        asyncio.run(prepare(url, MIGRATIONS))
        return asyncio.run(generate_history(url, arguments.hotels, arguments.years, arguments.rooms, arguments.seed))


def import_events(config: Config, arguments: argparse.Namespace) -> int:
    with database(config, NAME) as url:
        asyncio.run(prepare(url, MIGRATIONS))
        return asyncio.run(import_file(url, arguments.file))


def import_stays(config: Config, arguments: argparse.Namespace) -> int:
    with database(config, NAME) as url:
        asyncio.run(prepare(url, MIGRATIONS))
        return asyncio.run(import_files(url, arguments.properties, arguments.reservations))
