"""The wall: each figure is that of the JSON, and each block fails alone."""

import re
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from common.web.charts.number_text import count_text, signed_text
from common.web.resources import Application
from dashboard.board.routes_page import wall
from tests.dashboard.board.conftest import GetPage
from tests.dashboard.board.unusual import poll_store_down, receive_order


def block(page: str, name: str) -> str:
    """The text of a block, with single spaces."""
    found = re.search(rf'<section class="block [^"]*" id="{name}" data-live>(.*?)</section>', page, re.DOTALL)
    assert found is not None
    return " ".join(re.sub(r"<[^>]*>", " ", found[1]).split())


async def test_each_figure_is_that_of_the_summary(get_page: GetPage, dashboard_app: Application, houses: None) -> None:
    response, page = await get_page("/wall?theme=dark&utm_source=mail")
    summary = await (await dashboard_app.test_client().get("/summary")).get_json()

    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    assert "X-Data-Through" in response.headers
    assert '<body class="wall dark">' in page
    assert 'data-refresh="5"' in page
    rows = re.findall(r'<span class="house" dir="auto">(.*?)</span>.*?<b>(.*?)</b> (.*?)</span>', page)
    assert rows == [
        (
            each["name"] or f"Hotel {each['hotel_id']}",
            count_text(each["tonight"]["on_the_books"]),
            f"of {each['rooms']}" if each["rooms"] else "rooms",
        )
        for each in summary["items"]
    ]
    total, today = summary["total"]["tonight"]["on_the_books"], summary["total"]["today"]
    assert block(page, "tonight").startswith(f"Rooms taken tonight {count_text(total)} rooms ")
    assert block(page, "today").startswith(f"Picked up today {signed_text(today['net'])} {today['bookings']} nights")


async def test_orders_and_stores_are_counts(get_page: GetPage, dashboard_db: asyncpg.Pool, houses: None) -> None:
    await receive_order(dashboard_db, timedelta(minutes=11))
    await poll_store_down(dashboard_db)

    _, page = await get_page("/wall")

    assert block(page, "orders") == "Orders for tables 1 ! order waits, the oldest for 11 min"
    assert block(page, "stores") == "Stores down 1 of 1 store corner"
    assert re.fullmatch(r"Feed \d+ s behind", block(page, "feed"))
    assert "<a " not in page


async def test_before_anything_is_counted_nothing_is_said_to_be_0(get_page: GetPage) -> None:
    _, page = await get_page("/wall")

    assert block(page, "tonight") == "Rooms taken tonight Not known until the past is read"
    assert block(page, "today") == "Picked up today – Not known until the past is read"
    assert block(page, "stores") == "Stores down – No store was polled yet"
    assert block(page, "clock") == "Time – No data yet"


async def test_a_late_feed_is_said(get_page: GetPage, dashboard_db: asyncpg.Pool, houses: None) -> None:
    await dashboard_db.execute("UPDATE feed_progress SET data_through = now() - interval '200 seconds'")

    _, page = await get_page("/wall")

    assert block(page, "feed") == "Feed 3 min behind: what you see of rooms is old"
    assert 'class="block feed bad"' in page


@pytest.mark.parametrize(
    ("reading", "blocks"),
    [
        ("compute_summary", ["tonight", "today"]),
        ("select_desk_counts", ["orders"]),
        ("select_newest_poll", ["stores"]),
        ("select_feed_states", ["clock", "feed"]),
    ],
)
async def test_each_block_fails_alone(
    get_page: GetPage, houses: None, monkeypatch: pytest.MonkeyPatch, reading: str, blocks: list[str]
) -> None:
    async def fail(*_: Any) -> None:
        raise asyncpg.QueryCanceledError("canceling statement due to statement timeout")

    monkeypatch.setattr(wall, reading, fail)

    response, page = await get_page("/wall")

    assert response.status_code == 200
    failed = [
        name
        for name in ("tonight", "today", "orders", "stores", "clock", "feed")
        if "This could not be read. The database took too long to answer." in block(page, name)
    ]
    assert failed == blocks


async def test_an_unknown_theme_is_refused(get_page: GetPage) -> None:
    response, page = await get_page("/wall?theme=blue")

    assert response.status_code == 400
    assert "Colours must be 'dark' or 'light'" in page


async def test_the_morning_leads_to_the_wall(get_page: GetPage, houses: None) -> None:
    assert 'href="/wall?theme=dark"' in (await get_page("/"))[1]
