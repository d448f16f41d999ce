"""The command line of the provider."""

import argparse
from pathlib import Path

from common.cli import add_command, command_parser, migrate_command, on_database, run_command, serve_command
from common.config import Secret
from provider.app import MIGRATIONS, create_app
from provider.booking_events.cli import generate_history, import_file
from provider.booking_events.import_csv import COLUMNS
from provider.config import Config
from provider.dining.demo import add_demo_tables
from provider.stays.cli import import_files
from provider.stays.demo import add_demo_properties

NAME = "provider"


def main() -> int:
    """Run the command that the arguments name; returns the exit status."""
    parser, commands = command_parser(
        NAME, "The provider: where things happen. Its settings are variables, PROVIDER_*; .env.example lists them."
    )
    add_command(commands, "serve", "serve the provider (migrates first)", serve)
    add_command(commands, "migrate", "bring the database up to date", lambda c, _: migrate_command(c, NAME, MIGRATIONS))
    importing = add_command(commands, "import", "load booking events from a CSV file (.gz too)", import_events)
    importing.add_argument("file", type=Path, help=f"columns in any order: {', '.join(COLUMNS)}")
    stays = add_command(commands, "import-stays", "load properties and reservations from two CSV files", import_stays)
    stays.add_argument("--properties", metavar="FILE", type=Path, required=True, help="property_id, description")
    stays.add_argument(
        "--reservations", metavar="FILE", type=Path, required=True, help="property_id, start_date, number_of_nights"
    )
    generating = add_command(commands, "generate", "write the history of simulated hotels", generate)
    generating.add_argument("--hotels", metavar="N", type=int, default=5, help="how many hotels (5)")
    generating.add_argument("--years", metavar="N", type=int, default=1, help="years of nights before today (1)")
    generating.add_argument("--rooms", metavar="N", type=int, default=40, help="rooms of each hotel (40)")
    generating.add_argument("--seed", metavar="N", type=int, default=1, help="the same seed gives the same history (1)")
    return run_command(parser, Config)


def serve(config: Config, _: argparse.Namespace) -> int:
    return serve_command(config, NAME, MIGRATIONS, create_app, first=add_demo if config.demo else None)


async def add_demo(url: Secret) -> None:
    await add_demo_properties(url)
    await add_demo_tables(url)


def generate(config: Config, arguments: argparse.Namespace) -> int:
    a = arguments
    return on_database(config, NAME, MIGRATIONS, lambda url: generate_history(url, a.hotels, a.years, a.rooms, a.seed))


def import_events(config: Config, arguments: argparse.Namespace) -> int:
    return on_database(config, NAME, MIGRATIONS, lambda url: import_file(url, arguments.file))


def import_stays(config: Config, arguments: argparse.Namespace) -> int:
    a = arguments
    return on_database(config, NAME, MIGRATIONS, lambda url: import_files(url, a.properties, a.reservations))
