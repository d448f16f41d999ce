"""The page of all hotels: a page of the summary, with the months ahead."""

import gzip
import re
from datetime import UTC, date, datetime, timedelta

import asyncpg
import pytest

from common.web.resources import Application
from dashboard.bookings.decoding import BookingEvent
from tests.dashboard.board.conftest import GetPage, store_events


@pytest.fixture
async def sixty_hotels(dashboard_db: asyncpg.Pool, today: date) -> None:
    """Hotels of two years, each with other figures."""
    times = (datetime.now(UTC) - timedelta(days=days) for days in (800, 500, 1))
    await store_events(
        dashboard_db,
        [
            BookingEvent(1 + number, hotel, at, 1, 1, at.date() + timedelta(days=(ahead * hotel) % 330))
            for number, (at, hotel, ahead) in enumerate(
                (at, hotel, ahead) for at in times for hotel in range(1, 61) for ahead in range(60)
            )
        ],
    )


def hotels_of(page: str) -> list[int]:
    return [int(hotel) for hotel in re.findall(r'data-hotel="(\d+)"', page)]


@pytest.mark.parametrize("sort", ["name", "pickup", "behind"])
async def test_pages_of_fifty_hotels_follow_each_other_in_every_order(
    get_page: GetPage, dashboard_app: Application, sixty_hotels: None, sort: str
) -> None:
    _, first = await get_page(f"/board/hotels?sort={sort}&match=date")
    found = re.search(r'<a href="([^"]+)" rel="next">Next page</a>', first)
    assert found is not None
    assert "match=date" in found[1]
    _, second = await get_page(found[1])

    assert len(hotels_of(first)) == 50
    assert sorted([*hotels_of(first), *hotels_of(second)]) == list(range(1, 61))
    assert "First page" in second
    assert "Next page" not in second
    figures = re.search(r'<a href="(/summary[^"]+)">JSON</a>', second)
    assert figures is not None
    summary = await (await dashboard_app.test_client().get(figures[1])).get_json()
    assert [hotel["hotel_id"] for hotel in summary["items"]] == hotels_of(second)
    assert len(first.encode()) <= 120_000
    assert len(gzip.compress(first.encode())) <= 20_000


async def test_each_hotel_has_a_picture_of_twelve_months(get_page: GetPage, houses: None) -> None:
    _, page = await get_page("/board/hotels")

    assert hotels_of(page) == [1, 2, 3]
    assert page.count(", 12 months</title>") == 4
    assert "Ahead of the same time last year: " in page
    assert 'href="/board/hotels/1">Harbour House</a>' in page


async def test_a_search_is_kept_in_links_and_fields(get_page: GetPage, houses: None) -> None:
    _, page = await get_page("/board/hotels?search=Garden")

    assert hotels_of(page) == [2]
    assert 'href="/board/hotels?sort=behind&search=Garden"' in page
    assert 'href="/summary?search=Garden&format=csv"' in page
    assert 'name="search" value="Garden"' in page


async def test_a_search_without_a_hotel_says_so(get_page: GetPage, houses: None) -> None:
    response, page = await get_page("/board/hotels?search=<b>Nowhere")

    assert response.status_code == 200
    assert "No hotel has “<b>Nowhere” in its name or a number that begins with it." in page
    assert "<b>Nowhere" not in await response.get_data(as_text=True)


async def test_the_page_is_answered_by_304_until_an_event_is_counted(
    get_page: GetPage, dashboard_db: asyncpg.Pool, houses: None, today: date
) -> None:
    first, _ = await get_page("/board/hotels")
    tag = {"If-None-Match": first.headers["ETag"]}
    assert (await get_page("/board/hotels", **tag))[0].status_code == 304
    await store_events(dashboard_db, [BookingEvent(900_000, 1, datetime.now(UTC), 1, 1, today)])

    assert (await get_page("/board/hotels", **tag))[0].status_code == 200


async def test_while_the_past_is_read_the_hotels_are_not_compared(
    get_page: GetPage, dashboard_db: asyncpg.Pool, houses: None
) -> None:
    await dashboard_db.execute("UPDATE feed_progress SET first_read_at = NULL, past_events = 7, about_events = 9")
    _, page = await get_page("/board/hotels")

    assert "Reading the past: 7 of about 9 events" in page
    assert "Ahead of the same time last year" not in page
    assert not re.search(r'data-label="30 nights ±"><span', page)


async def test_a_cursor_of_another_order_is_refused(get_page: GetPage, sixty_hotels: None) -> None:
    _, page = await get_page("/board/hotels?sort=behind")
    found = re.search(r"cursor=([\w-]+)", page)
    assert found is not None
    response, error = await get_page(f"/board/hotels?cursor={found[1]}")

    assert response.status_code == 400
    assert "Page is not a valid cursor for this list" in error
