"""`make pictures`: take the pictures of README of the simulated hotels on one fixed morning, so that they stay true."""

import asyncio
import tempfile
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import msgspec
import time_machine
from playwright.async_api import Browser

import dashboard.app
import dashboard.config
from common.config import Secret, read_config
from common.db.migrate import migrate
from common.db.pool import connect_with
from common.devstack.embedded import attach
from common.telemetry.logging import configure_logging
from dashboard.bookings.decoding import BookingEvent
from dashboard.bookings.demo import NAMES, add_demo_profiles
from dashboard.bookings.queries.ledger import LedgerFeed, insert_events
from provider.simulated_hotels.simulation import Simulation
from tests.support.applications import free_port
from tests.support.browser import running_browser
from tests.support.served import served

MORNING = datetime(2026, 11, 27, 7, 2, tzinfo=UTC)
YEARS, ROOMS, SEED = 3, 60, 1
BATCH = 50_000
FOLDER = Path(__file__).parent
PAGES = {
    "morning": "/",
    "hotel": "/board/hotels/1",
    "night": "/board/hotels/1/nights/2026-12-12",
}
WIDTH = 1280
HEIGHTS = {"morning": 900, "hotel": 1500, "night": 900}
ENVIRONMENT = {
    "NIGHTAUDIT_DEMO": "1",
    "DASHBOARD_LOG_LEVEL": "error",
    "DASHBOARD_INGEST_SECONDS": "0",
    "DASHBOARD_AUDIT_SECONDS": "0",
    "DASHBOARD_OFFERS_SECONDS": "0",
    "DASHBOARD_STORES_SECONDS": "0",
}
"""Nothing is read from a provider: the feed is written as it stood that morning."""


async def fill(url: Secret) -> None:
    """Count the past of the demo's hotels, and give them their names."""
    history = Simulation(SEED, len(NAMES), ROOMS).history_through(MORNING, YEARS)
    connection = await connect_with(url, "pictures")
    numbered = enumerate(history, 1)
    events = (msgspec.convert({"id": number, **event._asdict()}, BookingEvent) for number, event in numbered)
    while batch := list(islice(events, BATCH)):
        async with connection.transaction():
            await insert_events(connection, LedgerFeed(1, "UTC"), batch)
    await connection.execute("UPDATE feed_progress SET data_through = $1, first_read_at = $1", MORNING)
    await connection.close()
    await add_demo_profiles(url, len(NAMES), ROOMS)


async def take(browser: Browser, origin: str, name: str) -> None:
    """Take the upper part of a page, in a light colour scheme."""
    page = await browser.new_page(viewport={"width": WIDTH, "height": 900}, color_scheme="light")
    await page.goto(origin + PAGES[name])
    await page.screenshot(
        path=FOLDER / f"{name}.png",
        full_page=True,
        clip={"x": 0, "y": 0, "width": WIDTH, "height": HEIGHTS[name]},
    )
    await page.close()


async def main() -> None:
    with tempfile.TemporaryDirectory(prefix="nightaudit-pictures-") as folder, attach(Path(folder)) as postgres:
        postgres.ensure_database("dashboard")
        url = Secret(postgres.url("dashboard"))
        await migrate(url, dashboard.app.MIGRATIONS)
        await fill(url)
        config = read_config(dashboard.config.Config, {**ENVIRONMENT, "NIGHTAUDIT_DATA_DIR": folder})
        with time_machine.travel(MORNING, tick=True):
            app = dashboard.app.create_app(config, url)
            async with served(app, free_port()) as origin, running_browser() as browser:
                for name in PAGES:
                    await take(browser, origin, name)


if __name__ == "__main__":
    configure_logging(level="error")
    asyncio.run(main())
