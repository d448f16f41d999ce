"""The page at `/`: its figures are those of the summary, and its lines lead to what is unusual."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import asyncpg
import pytest

from common.web.resources import Application
from dashboard.board import morning_parts
from dashboard.board.routes_page import morning
from dashboard.bookings.decoding import BookingEvent
from tests.dashboard.board.conftest import GetPage, set_profile, store_events


async def test_a_page_without_hotels_says_where_the_feed_is_and_how_to_import(get_page: GetPage) -> None:
    response, page = await get_page("/")

    assert response.status_code == 200
    assert "<code>http://127.0.0.1:9000</code>" in page
    assert "docs/own-data.md" in page


async def test_the_page_shows_the_hotels(get_page: GetPage, houses: None) -> None:
    response, page = await get_page("/")
    assert response.status_code == 200, page
    print(page)
