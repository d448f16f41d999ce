"""What the pages of a hotel have in common: when they are sent again, and what they say while the past is read."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import pytest

from common.web.resources import Application
from dashboard.board.page_views.books import Books
from dashboard.board.page_views.words import percent_text
from dashboard.board.routes_page import month as month_route
from dashboard.board.routes_page import night as night_route
from dashboard.board.routes_page.hotel_books import require_books
from dashboard.bookings.decoding import BookingEvent
from dashboard.bookings.queries import corrections
from dashboard.bookings.queries.counting import CountedEvents
from dashboard.bookings.queries.differences import update_applied_differences, upsert_changed_events
from dashboard.bookings.queries.ledger import insert_events
from tests.dashboard.bookings.event_sources import insert_in_pages
from tests.dashboard.bookings.expected_curves import HOTEL, booking
from tests.support.feeds import MAIN_LEDGER
from tests.support.pages import addresses, browse, browse_page, by_id, read_page, rows

DAY = timedelta(days=1)
PAGES = ["", "/nights/2025-05-10", "/months/2025-05"]


async def correct(db: asyncpg.Pool, counted: BookingEvent, found: BookingEvent) -> None:
    """Correct an event as a night audit does."""
    feed, now = await db.fetchval("SELECT feed FROM feed_progress"), datetime.now(UTC)
    async with db.acquire() as connection, connection.transaction():
        await upsert_changed_events(connection, feed, [counted], [found], now)
        counted_events = CountedEvents(MAIN_LEDGER.number, [counted.id], [HOTEL])
        await corrections.uncount_events(connection, counted_events, is_distributed=False)
        await corrections.delete_events(connection, MAIN_LEDGER.number, [counted.id])
        await insert_events(connection, MAIN_LEDGER, [found])
        await corrections.update_hotel_summaries(connection, [HOTEL])
        await update_applied_differences(connection, feed, [counted.id], now, "the feed is right")


@pytest.mark.parametrize("path", PAGES)
async def test_a_correction_that_moves_an_event_to_another_night_changes_the_tag(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, path: str
) -> None:
    ends = [booking(1, date(2025, 5, 1), date(2025, 4, 1)), booking(2, date(2025, 5, 31), date(2025, 4, 1))]
    moved = booking(3, date(2025, 5, 10), date(2025, 4, 1))
    await insert_in_pages(dashboard_db, [*ends, moved])
    address = f"/board/hotels/{HOTEL}{path}"
    again = {"If-None-Match": (await browse(dashboard_app, address)).headers["ETag"]}
    assert (await browse(dashboard_app, address, **again)).status_code == 304

    await correct(dashboard_db, moved, msgspec.structs.replace(moved, night_of_stay=date(2025, 5, 11)))

    assert (await browse(dashboard_app, address, **again)).status_code == 200


@pytest.mark.parametrize("path", PAGES)
async def test_while_the_past_is_read_a_page_says_so(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, path: str
) -> None:
    await insert_in_pages(dashboard_db, [booking(1, date(2025, 5, 10), date(2023, 5, 1))])
    assert "Reading the past" not in (await browse_page(dashboard_app, f"/board/hotels/{HOTEL}{path}")).text
    await dashboard_db.execute(
        "UPDATE feed_progress SET first_read_at = NULL, past_events = 212000, about_events = 340000"
    )

    page = await browse_page(dashboard_app, f"/board/hotels/{HOTEL}{path}")
    assert by_id(page, "notes").text.strip() == (
        "Reading the past: 212,000 of about 340,000 events. The figures below count what has been read so far."
    ) or (path == "" and "Reading the past: 212,000 of about 340,000 events. " in by_id(page, "notes").text)


async def test_while_the_past_is_read_nothing_is_compared_with_last_year(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, today: date
) -> None:
    await insert_in_pages(dashboard_db, [booking(1, today, today), booking(2, today - 364 * DAY, today - 800 * DAY)])
    address = f"/board/hotels/{HOTEL}"
    assert "at the same time last year" in by_id(await browse_page(dashboard_app, address), "tiles").text
    await dashboard_db.execute("UPDATE feed_progress SET first_read_at = NULL")

    page = await browse_page(dashboard_app, address)
    assert "at the same time last year" not in by_id(page, "tiles").text
    assert {cell for cells in rows(by_id(page, "nights"))[2:] for cell in cells[-3:]} == {"–"}
    assert "The feed begins" not in by_id(page, "notes").text
    for path, section in ((f"nights/{today}", "curve"), (f"months/{today:%Y-%m}", "build-up")):
        page = await browse_page(dashboard_app, f"{address}/{path}")
        assert {cells[-1] for cells in rows(by_id(page, section))[1:]} == {"–"}
        assert not re.search("Last year (then|slept|[0-9])|Usual for", page.text)


@pytest.mark.parametrize(
    "path", ["nights/2025-05-10", "nights/2024-02-29?match=date", "months/2025-05", "months/2024-02?match=date"]
)
async def test_a_hotel_that_is_deleted_while_its_page_is_read_is_answered_with_the_other_hotels(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    event = booking(1, date(2025, 5, 10), date(2025, 5, 1))
    await insert_in_pages(dashboard_db, [event, msgspec.structs.replace(event, id=2, hotel_id=5)])

    async def read_and_delete(*asked: Any) -> Books:
        books = await require_books(*asked)
        await dashboard_db.execute("DELETE FROM hotel_summary WHERE hotel_id = $1", HOTEL)
        return books

    for route in (night_route, month_route):
        monkeypatch.setattr(route, "require_books", read_and_delete)
    response = await browse(dashboard_app, f"/board/hotels/{HOTEL}/{path}")
    page = read_page(await response.get_data(as_text=True))

    assert response.status_code == 404
    assert f"Hotel {HOTEL} was never heard of" in page.text
    assert addresses(by_id(page, "main")) == ["/board/hotels/5", "/board/hotels"]


async def test_the_page_of_an_unknown_hotel_lists_the_others_by_name(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    event = booking(1, date(2025, 5, 10), date(2025, 5, 1))
    await insert_in_pages(
        dashboard_db, [msgspec.structs.replace(event, id=number, hotel_id=number) for number in (1, 2, 3)]
    )
    for number, name in ((1, "the Mill"), (2, "Harbour House"), (3, "Station Hotel")):
        response = await dashboard_app.test_client().put(f"/hotels/{number}/profile", json={"name": name})
        assert response.status_code == 200
    page = read_page(await (await browse(dashboard_app, "/board/hotels/99")).get_data(as_text=True))

    assert addresses(by_id(page, "main"))[:3] == ["/board/hotels/2", "/board/hotels/3", "/board/hotels/1"]


@pytest.mark.parametrize(
    ("rooms", "whole", "text"),
    [
        (0, 40, "0%"),
        (1, 400, "1%"),
        (18, 40, "45%"),
        (39, 40, "98%"),
        (29, 60, "48%"),
        (399, 400, "99%"),
        (40, 40, "100%"),
        (44, 40, "110%"),
        (401, 400, "100%"),
        (-1, 40, "−2%"),
        (5, None, ""),
        (5, 0, ""),
    ],
)
def test_a_share_is_rounded_half_up_and_only_the_full_and_the_empty_are_100_and_0_percent(
    rooms: int, whole: int | None, text: str
) -> None:
    assert percent_text(rooms, whole) == text
