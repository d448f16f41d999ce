"""The dashboard's landing page shows few hotels, says so, and counts as the figures do that it links to."""

from datetime import UTC, date, datetime, time, timedelta

import asyncpg

from common.web.resources import Application
from dashboard.bookings.decoding import BookingEvent
from dashboard.bookings.queries.ledger import insert_events
from tests.support.feeds import MAIN_LEDGER


async def landing_page(app: Application) -> str:
    return await (await app.test_client().get("/")).get_data(as_text=True)


async def store(db: asyncpg.Pool, *events: BookingEvent) -> None:
    async with db.acquire() as connection, connection.transaction():
        await insert_events(connection, MAIN_LEDGER, events)


async def test_a_page_without_hotels_is_a_page(dashboard_app: Application) -> None:
    page = await landing_page(dashboard_app)

    assert "The next 30 nights</h2>" in page
    assert "<td>" not in page
    assert "<b>0</b><span>events" in page


async def test_of_many_hotels_the_page_shows_twenty_and_says_so(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, today: date
) -> None:
    now = datetime.combine(today, time(), UTC)
    await store(
        dashboard_db, *(BookingEvent(hotel, hotel, now - timedelta(hours=hotel), 1, 1, today) for hotel in range(1, 31))
    )

    page = await landing_page(dashboard_app)

    assert "The next 30 nights of the 20 hotels with the latest events</h2>" in page
    assert page.count("<meter") == 20
    assert "<b>30</b><span>hotels</span>" in page
    assert "<b>30</b><span>events counted</span>" in page
    assert "hotel_id=20&amp;" in page
    assert "hotel_id=21&amp;" not in page
    assert 'href="/hotels"' in page


async def test_a_hotel_without_nights_ahead_is_on_the_page(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, today: date
) -> None:
    long_ago = datetime.combine(today - timedelta(days=400), time(), UTC)
    await store(dashboard_db, BookingEvent(1, 77, long_ago, 1, 1, today - timedelta(days=300)))

    page = await landing_page(dashboard_app)

    assert "hotel_id=77&amp;" in page
    assert "The next 30 nights</h2>" in page


async def test_an_event_dated_tomorrow_is_neither_on_the_page_nor_in_the_figures_that_it_links_to(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, today: date
) -> None:
    now = datetime.combine(today, time(), UTC)
    await store(
        dashboard_db,
        BookingEvent(1, 1, now, 1, 1, today),
        BookingEvent(2, 1, now + timedelta(days=1), 1, 1, today),
        BookingEvent(3, 2, now + timedelta(days=1), 2, 1, today),
    )

    page = await landing_page(dashboard_app)
    client = dashboard_app.test_client()
    figures = await (await client.get(f"/dashboard?hotel_id=1&period=year&year={today.year}")).get_json()
    curve = await (await client.get(f"/hotels/1/booking-curve?night={today}")).get_json()
    lead_time = await (await client.get(f"/hotels/1/lead-time?year={today.year}")).get_json()

    assert "<td>1</td><td>+1</td>" in page
    assert "<td>0</td><td>+0</td>" in page
    assert figures["totals"]["bookings"] == 1
    assert curve["items"] == [{"days_before": 0, "on_the_books": 1}]
    assert sum(bucket["bookings"] for bucket in lead_time["items"]) == 1


async def test_a_hotel_with_more_cancellations_than_bookings_has_an_empty_bar(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, today: date
) -> None:
    await store(dashboard_db, BookingEvent(1, 1, datetime.combine(today, time(), UTC), 2, 1, today))

    assert '<meter min="0" max="1" value="0.0000">' in await landing_page(dashboard_app)
