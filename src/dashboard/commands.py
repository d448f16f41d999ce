"""The command line of the dashboard."""

import argparse
import asyncio
import os
from pathlib import Path

from common import serving
from common.commands import add, database, migrate_command, parser_of, prepare, run
from common.workers import serve_workers
from dashboard.app import MIGRATIONS, create_app
from dashboard.bookings.auditing import run_audit
from dashboard.config import Config
from dashboard.uptime.command import import_files
from dashboard.uptime.parsing import StoreFile

NAME = "dashboard"


def main() -> int:
    """Run the command that the arguments name; returns the exit status."""
    parser, commands = parser_of(NAME, "Nightaudit's dashboard.")
    add(commands, "serve", "serve the dashboard (migrates first)", serve)
    add(commands, "migrate", "bring the database up to date", lambda c, _: migrate_command(c, NAME, MIGRATIONS))
    auditing = add(commands, "audit", "recount the ledger and compare the counters", audit)
    auditing.add_argument(
        "--feed", action="store_true", help="read the whole feed again first and repair the difference"
    )
    stores = add(commands, "import-stores", "take in CSV files of the stores (.gz and .xz too)", import_stores)
    stores.add_argument("--status", type=Path, metavar="FILE", help="polls: store_id, status, timestamp_utc")
    stores.add_argument(
        "--business-hours",
        type=Path,
        metavar="FILE",
        help="hours: store_id, dayOfWeek, start_time_local, end_time_local",
    )
    stores.add_argument("--timezones", type=Path, metavar="FILE", help="zones: store_id, timezone_str")
    return run(parser, Config)


def audit(config: Config, arguments: argparse.Namespace) -> int:
    with database(config, NAME) as url:
        asyncio.run(prepare(url, MIGRATIONS))
        return asyncio.run(run_audit(config, url, feed=arguments.feed))


def import_stores(config: Config, arguments: argparse.Namespace) -> int:
    files = {
        StoreFile.TIMEZONES: arguments.timezones,
        StoreFile.BUSINESS_HOURS: arguments.business_hours,
        StoreFile.STATUS: arguments.status,
    }
    with database(config, NAME) as url:
        asyncio.run(prepare(url, MIGRATIONS))
        return asyncio.run(import_files(url, {kind: path for kind, path in files.items() if path is not None}))


def serve(config: Config, _: argparse.Namespace) -> int:
    config.require_secrets()
    serving.check_port(config.host, config.port, "DASHBOARD_PORT")
    server = serving.hypercorn_config(config.host, config.port)
    with database(config, NAME) as url:
        asyncio.run(prepare(url, MIGRATIONS))
        if config.workers > 1:
            os.environ["DASHBOARD_DATABASE_URL"] = url.reveal()
            return serve_workers("dashboard.asgi:app", server, config.workers)
        serving.event_loop_run(serving.serve(create_app(config, url), server))
    return 0
