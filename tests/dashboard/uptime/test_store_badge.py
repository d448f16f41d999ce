"""The badge of a store: a picture for other pages that says what its page says."""

from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree as ET

import asyncpg
import pytest

from common.web.resources import Application
from tests.dashboard.uptime.fleet import Store, load, utc
from tests.dashboard.uptime.store_page import hourly, page_of
from tests.support.pages import by_id, figure_text, named, styled
from tests.support.waiting import eventually

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC).replace(second=0, microsecond=0)


async def badge_of(app: Application, store_id: str) -> tuple[Any, ET.Element]:
    response = await app.test_client().get(f"/board/stores/{store_id}/badge.svg")
    assert response.status_code == 200
    return response, ET.fromstring(await response.get_data(as_text=True))


async def test_a_badge_can_be_shown_by_other_pages_and_be_cached(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    polls = hourly(utc("2023-01-20 00:00"), utc("2023-01-25 12:00"))
    await load(dashboard_db, {"s": Store(polls, timezone="UTC"), "never": Store([])})
    response, picture = await badge_of(dashboard_app, "s")

    assert response.content_type == "image/svg+xml; charset=utf-8"
    assert response.headers["Content-Security-Policy"] == "default-src 'none'"
    assert response.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert response.headers["Cache-Control"] == "public, max-age=60"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert picture.attrib["role"] == "img"
    assert (
        picture.attrib["aria-label"]
        == picture.findtext(f"{SVG}title")
        == "Store no data, 100.00% up in 30 days to Jan 25 2023"
    )
    assert not any(name in element.attrib for element in picture.iter() for name in ("style", "onload"))
    again = await dashboard_app.test_client().get(
        "/board/stores/s/badge.svg", headers={"If-None-Match": response.headers["ETag"]}
    )
    assert (again.status_code, await again.get_data()) == (304, b"")
    assert again.headers["Cache-Control"] == "public, max-age=60"
    for query in ("?v=2", "?v=1&v=2"):  # which some pages add, so that a picture is not taken from a cache
        assert (await dashboard_app.test_client().get(f"/board/stores/s/badge.svg{query}")).status_code == 200
    _, never = await badge_of(dashboard_app, "never")
    assert never.attrib["aria-label"] == "Store no data, never polled"
    assert (await dashboard_app.test_client().get("/board/stores/nobody/badge.svg")).status_code == 404


@pytest.mark.parametrize(("last", "word"), [(True, "up"), (False, "down")])
async def test_a_badge_says_what_the_page_says_and_is_drawn_on_it(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, now: datetime, last: bool, word: str
) -> None:
    await load(dashboard_db, {"s": Store([*hourly(now - timedelta(days=2), now), (now, last)], timezone="UTC")})

    async def agree() -> bool:
        page = await page_of(dashboard_app, "s")
        _, picture = await badge_of(dashboard_app, "s")
        assert figure_text(page, "state").lower() == word
        (drawn,) = styled(by_id(page, "badge"), "badge-picture")
        assert drawn.attributes["aria-label"] == f"Store {word}, {figure_text(page, '30d')} up in 30 days"
        return [each.text for each in named(drawn, "text")] == [each.text for each in picture.iter(f"{SVG}text")]

    assert await eventually(agree)  # the share of a store that is down falls between the two


async def test_a_badge_has_as_much_room_as_its_words_need(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, now: datetime
) -> None:
    await load(dashboard_db, {"s": Store(hourly(now - timedelta(days=2), now), timezone="UTC")})
    _, picture = await badge_of(dashboard_app, "s")

    state, share = picture.iter(f"{SVG}text")
    assert float(state.attrib["x"]) + float(state.attrib["textLength"]) < float(share.attrib["x"])
    assert float(share.attrib["x"]) + float(share.attrib["textLength"]) < float(picture.attrib["width"])
