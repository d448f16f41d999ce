"""The command line of the provider."""

import argparse
from datetime import UTC, datetime
from pathlib import Path

from common.cli import (
    add_command,
    add_distribute_command,
    command_parser,
    migrate_command,
    on_database,
    run_command,
    serve_command,
)
from common.config import Secret
from common.csv_import import add_import_options, import_options
from provider.app import MIGRATIONS, create_app, create_dining_settings
from provider.booking_events.cli import connect, import_event_file
from provider.booking_events.models import COLUMNS
from provider.booking_events.queries import analyze_feed, lock_feed, select_last_hotel
from provider.booking_events.service import append_events, append_in_bulk, append_past
from provider.config import Config
from provider.dining.demo import add_demo_tables
from provider.dining.demo_diners import add_demo_orders
from provider.distribution import DISTRIBUTION
from provider.simulated_hotels.cli import HistoryFeed, HistoryOptions, generate_history
from provider.simulated_hotels.demo import EmptyFeed, add_demo_history
from provider.simulated_hotels.simulation import Simulation
from provider.stays.cli.audit import run_audit
from provider.stays.cli.import_stays import import_files
from provider.stays.demo import add_demo_properties

NAME = "provider"

HISTORY_FEED = HistoryFeed(connect, select_last_hotel, append_in_bulk)
EMPTY_FEED = EmptyFeed(lock_feed, select_last_hotel, append_past, analyze_feed)


def main() -> int:
    """Run the command that the arguments name; returns the exit status."""
    parser, commands = command_parser(
        NAME, "The provider of the booking feed. Its settings are variables PROVIDER_*, listed in .env.example."
    )
    add_command(commands, "serve", "migrate, then serve the provider", serve)
    add_command(commands, "migrate", "bring the database up to date", lambda c, _: migrate_command(c, NAME, MIGRATIONS))
    add_distribute_command(commands, NAME, MIGRATIONS, DISTRIBUTION)
    importing = add_command(commands, "import", "load booking events from a CSV file (gzip, xz, zip)", import_events)
    importing.add_argument("file", type=Path, help=f"columns in any order: {', '.join(COLUMNS)}")
    add_import_options(importing)
    stays = add_command(commands, "import-stays", "load properties and reservations from two CSV files", import_stays)
    stays.add_argument(
        "--properties",
        metavar="FILE",
        type=Path,
        required=True,
        help="property_id, description, and of turnover_days, timezone, min_nights, max_guests and on_sale any",
    )
    stays.add_argument(
        "--reservations", metavar="FILE", type=Path, required=True, help="property_id, start_date, number_of_nights"
    )
    add_import_options(stays)
    auditing = add_command(
        commands, "audit", "recount the nights that can be sold and compare them with those that searches read", audit
    )
    auditing.add_argument("--repair", action="store_true", help="replace what differs")
    generating = add_command(commands, "generate", "write the history of simulated hotels into the feed", generate)
    generating.add_argument("--hotels", metavar="N", type=int, default=5, help="number of hotels (default 5)")
    generating.add_argument("--years", metavar="N", type=int, default=1, help="years before today (default 1)")
    generating.add_argument("--rooms", metavar="N", type=int, default=40, help="rooms per hotel (default 40)")
    generating.add_argument("--seed", metavar="N", type=int, default=1, help="random seed (default 1)")
    return run_command(parser, Config)


def serve(config: Config, _: argparse.Namespace) -> int:
    async def add_demo(url: Secret) -> None:
        await add_demo_properties(url)
        await add_demo_tables(url)
        if config.diners_rate:
            await add_demo_orders(url, create_dining_settings(config), datetime.now(UTC))
        if config.generator_rate and config.generator_years:
            simulation = Simulation(*config.simulated_hotels)
            await add_demo_history(url, simulation, config.generator_years, datetime.now(UTC), EMPTY_FEED)

    return serve_command(config, NAME, MIGRATIONS, create_app, first=add_demo if config.demo else None)


def audit(config: Config, arguments: argparse.Namespace) -> int:
    repair, read_url = arguments.repair, config.read_database_url
    return on_database(config, NAME, MIGRATIONS, lambda url: run_audit(url, repair=repair, read_url=read_url))


def generate(config: Config, arguments: argparse.Namespace) -> int:
    a = arguments
    options = HistoryOptions(a.hotels, a.years, a.rooms, a.seed)
    return on_database(config, NAME, MIGRATIONS, lambda url: generate_history(url, options, HISTORY_FEED))


def import_events(config: Config, arguments: argparse.Namespace) -> int:
    return on_database(
        config, NAME, MIGRATIONS, lambda url: import_event_file(url, arguments.file, import_options(arguments))
    )


def import_stays(config: Config, arguments: argparse.Namespace) -> int:
    a = arguments
    return on_database(
        config,
        NAME,
        MIGRATIONS,
        lambda url: import_files(url, a.properties, a.reservations, append_events, import_options(a)),
    )
