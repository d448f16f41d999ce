"""The command line of the dashboard."""

import argparse
from datetime import UTC, datetime, timedelta
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
from common.db.pool import create_pool
from common.db.time_zones import select_differing_zones
from dashboard.app import MIGRATIONS, create_app
from dashboard.bookings.cli import AuditOptions, run_audit
from dashboard.bookings.demo import add_demo_profiles
from dashboard.bookings.profile_import import import_profiles
from dashboard.catalog.demo import add_demo_products
from dashboard.config import Config
from dashboard.distribution import DISTRIBUTION
from dashboard.uptime.cli import import_files, pull_files
from dashboard.uptime.intake.parse import StoreFile
from dashboard.uptime.jobs import PullOptions

NAME = "dashboard"


def main() -> int:
    """Run the command named by the arguments; returns the exit status."""
    parser, commands = command_parser(
        NAME,
        "The dashboard. Its settings are the environment variables DASHBOARD_*; .env.example lists them.",
    )
    add_command(commands, "serve", "serve the dashboard (migrates first)", serve)
    add_command(commands, "migrate", "migrate the database", lambda c, _: migrate_command(c, NAME, MIGRATIONS))
    add_distribute_command(commands, NAME, MIGRATIONS, DISTRIBUTION)
    audit_command = add_command(commands, "audit", "recount the ledger and compare it with the counters", audit)
    audit_command.add_argument(
        "--feed",
        action="store_true",
        help="first read every feed again, add missing events, and name those that a feed has changed or no longer has",
    )
    audit_command.add_argument(
        "--apply", action="store_true", help="with --feed: correct the ledger by the events that it names"
    )
    audit_command.add_argument(
        "--reason", default="the feed is right", metavar="TEXT", help="with --apply: why; GET /audits keeps it"
    )
    stores = add_command(commands, "import-stores", "import store files (CSV; also gzip, xz, zip)", import_stores)
    for option, columns in (
        ("--status", "polls: store_id, status, timestamp_utc"),
        ("--business-hours", "hours: store_id, dayOfWeek, start_time_local, end_time_local"),
        ("--timezones", "zones: store_id, timezone_str"),
    ):
        stores.add_argument(
            option, type=Path, action="append", default=[], metavar="FILE", help=f"{columns}; may be repeated"
        )
    add_import_options(stores)
    pull = add_command(commands, "pull-stores", "read the store files of DASHBOARD_STORES_URL now", pull_stores)
    pull.add_argument("--all", action="store_true", help="read every file as a whole, also polls that came very late")
    names = add_command(commands, "name-hotels", "store the profiles of hotels (CSV; also gzip, xz, zip)", name_hotels)
    names.add_argument(
        "file", type=Path, metavar="FILE", help="columns: hotel_id, and of name, rooms, timezone and hidden any"
    )
    add_import_options(names)
    add_command(
        commands,
        "time-zones",
        "name the time zones on which Python and PostgreSQL disagree in the coming two years",
        lambda config, _: on_database(config, NAME, MIGRATIONS, compare_time_zones),
    )
    return run_command(parser, Config)


def serve(config: Config, _: argparse.Namespace) -> int:
    async def add_demo(url: Secret) -> None:
        await add_demo_products(url)
        await add_demo_profiles(url, config.demo_hotels, config.demo_rooms)

    return serve_command(config, NAME, MIGRATIONS, create_app, first=add_demo if config.demo else None)


def audit(config: Config, arguments: argparse.Namespace) -> int:
    options = AuditOptions(feed=arguments.feed, apply=arguments.apply, reason=arguments.reason)
    return on_database(config, NAME, MIGRATIONS, lambda url: run_audit(config, url, options))


def import_stores(config: Config, arguments: argparse.Namespace) -> int:
    files = {
        StoreFile.TIMEZONES: arguments.timezones,
        StoreFile.BUSINESS_HOURS: arguments.business_hours,
        StoreFile.STATUS: arguments.status,
    }
    named = [(kind, path) for kind, paths in files.items() for path in paths]
    options = import_options(arguments)
    return on_database(config, NAME, MIGRATIONS, lambda url: import_files(url, named, options))


def pull_stores(config: Config, arguments: argparse.Namespace) -> int:
    options = PullOptions(timedelta(hours=config.stores_overlap_hours), read_all=arguments.all)
    return on_database(config, NAME, MIGRATIONS, lambda url: pull_files(url, config.stores_url, options))


async def compare_time_zones(url: Secret) -> int:
    """Print the zones on which Python and the database disagree; returns the exit status, 1 if there are any."""
    async with create_pool(url, application="dashboard-time-zones", size=1) as db:
        found = await select_differing_zones(db, datetime.now(UTC))
    print("\n".join(map(str, found)) or "Python and PostgreSQL agree on all time zones for the coming two years")
    return 1 if found else 0


def name_hotels(config: Config, arguments: argparse.Namespace) -> int:
    path, options = arguments.file, import_options(arguments)
    return on_database(config, NAME, MIGRATIONS, lambda url: import_profiles(url, path, config.hotel_timezone, options))
