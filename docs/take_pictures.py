"""`make pictures`: take the pictures of README, on one fixed day of the simulated hotels, so that they stay true."""

import asyncio
import tempfile
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import msgspec
import time_machine
from playwright.async_api import Browser, Page

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
from dashboard.config import DEMO_STAFF_TOKEN
from dashboard.front_desk.inputs import OrderInput
from dashboard.front_desk.service import receive_order
from provider.simulated_hotels.simulation import Simulation
from tests.support.applications import free_port
from tests.support.browser import running_browser
from tests.support.served import served

MORNING = datetime(2026, 11, 27, 7, 2, tzinfo=UTC)
EVENING = MORNING.replace(hour=18, minute=35)
YEARS, ROOMS, SEED = 3, 60, 1
BATCH = 50_000
FOLDER = Path(__file__).parent
PAGES = {
    "morning": "/",
    "hotel": "/board/hotels/1",
    "night": "/board/hotels/1/nights/2026-12-12",
}
WIDTH = 1280
HEIGHTS = {"morning": 900, "hotel": 1500, "night": 900, "front-desk": 840}
TABLET = 1180
ENVIRONMENT = {
    "NIGHTAUDIT_DEMO": "1",
    "DASHBOARD_LOG_LEVEL": "error",
    "DASHBOARD_INGEST_SECONDS": "0",
    "DASHBOARD_AUDIT_SECONDS": "0",
    "DASHBOARD_OFFERS_SECONDS": "0",
    "DASHBOARD_STORES_SECONDS": "0",
}
"""Nothing is read from a provider: the feed and the orders are written as they stood."""

PROVIDER = "http://127.0.0.1:9000"


class TableOrder(NamedTuple):
    """An order of that evening. ordered: how many minutes ago. starts: the time of day in UTC."""

    table_id: int
    seats: int
    name: str
    guests: int
    starts: str
    ordered: int
    status: str = "confirmed"
    minutes: int = 120
    notes: str | None = None


ORDERS = (
    TableOrder(1, 2, "Ines Duarte", 2, "18:00", 300),
    TableOrder(1, 2, "Tom Fairley", 2, "20:30", 4, "waiting", 90),
    TableOrder(2, 4, "Mara Lindqvist", 4, "17:30", 1500),
    TableOrder(2, 4, "Jonas Beck", 3, "20:00", 1, "waiting"),
    TableOrder(3, 4, "Aiko Tanaka", 4, "19:00", 640, notes="Window, if there is one"),
    TableOrder(3, 4, "Priya Raman", 4, "19:30", 11, "waiting", notes="One guest must not eat nuts"),
    TableOrder(4, 6, "Lucas Moreau", 6, "18:30", 2900),
    TableOrder(5, 12, "Rotary Club", 11, "19:00", 8000, minutes=180),
    TableOrder(6, 2, "Grace Obi", 2, "19:30", 90),
    TableOrder(7, 2, "Peter Novak", 2, "18:30", 70, "declined"),
)


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


async def pass_the_day(url: Secret) -> None:
    """Receive the evening's orders; the feed has been read until then."""
    connection = await connect_with(url, "pictures")
    await connection.execute("UPDATE feed_progress SET data_through = $1", EVENING)
    for number, order in enumerate(ORDERS, 301):
        hour, minute = order.starts.split(":")
        fields = {
            "id": number,
            "status": "waiting",
            "callback_url": f"{PROVIDER}/decisions",
            "table_id": order.table_id,
            "table_type": "regular" if order.seats < 6 else "cabin",
            "seats": order.seats,
            "price": 25,
            "name": order.name,
            "email": f"guest-{number}@example.com",
            "guests": order.guests,
            "starts_at": EVENING.replace(hour=int(hour), minute=int(minute)),
            "minutes": order.minutes,
            "ordered_at": EVENING - timedelta(minutes=order.ordered),
            "notes": order.notes,
        }
        received = OrderInput.model_validate(fields)
        async with connection.transaction():
            await receive_order(connection, received, PROVIDER)
            if order.status != "waiting":
                await receive_order(connection, received.model_copy(update={"status": order.status}), PROVIDER)
    await connection.execute("UPDATE front_desk_order SET received_at = ordered_at")
    await connection.close()


async def open_page(browser: Browser, width: int, address: str) -> Page:
    """Open a page in a light colour scheme."""
    page = await browser.new_page(viewport={"width": width, "height": 900}, color_scheme="light")
    await page.goto(address)
    return page


async def take(page: Page, name: str) -> None:
    """Take the upper part of an opened page, and close it."""
    assert page.viewport_size is not None
    width = page.viewport_size["width"]
    await page.screenshot(
        path=FOLDER / f"{name}.png",
        full_page=True,
        clip={"x": 0, "y": 0, "width": width, "height": HEIGHTS[name]},
    )
    await page.close()


async def take_front_desk(browser: Browser, origin: str) -> None:
    """Log in at the front desk, and take its page on a tablet."""
    page = await open_page(browser, TABLET, f"{origin}/front-desk")
    await page.get_by_label("Token").fill(DEMO_STAFF_TOKEN)
    await page.get_by_role("button", name="Log in").click()
    await page.locator("#waiting").wait_for()
    await take(page, "front-desk")


async def main() -> None:
    with tempfile.TemporaryDirectory(prefix="nightaudit-pictures-") as folder, attach(Path(folder)) as postgres:
        postgres.ensure_database("dashboard")
        url = Secret(postgres.url("dashboard"))
        await migrate(url, dashboard.app.MIGRATIONS)
        await fill(url)
        config = read_config(dashboard.config.Config, {**ENVIRONMENT, "NIGHTAUDIT_DATA_DIR": folder})
        with time_machine.travel(MORNING, tick=True) as clock:
            app = dashboard.app.create_app(config, url)
            async with served(app, free_port()) as origin, running_browser() as browser:
                for name, path in PAGES.items():
                    await take(await open_page(browser, WIDTH, origin + path), name)
                clock.move_to(EVENING)
                await pass_the_day(url)
                await take_front_desk(browser, origin)


if __name__ == "__main__":
    configure_logging(level="error")
    asyncio.run(main())
