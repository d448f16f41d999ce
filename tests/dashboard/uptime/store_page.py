"""The page of a store as a browser gets it, and the figures that it shows as JSON."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from common.web.resources import Application
from tests.dashboard.uptime.reference import Poll
from tests.support.pages import Element, browse_page, by_id, named


def hourly(first: datetime, last: datetime, down: Sequence[datetime] = ()) -> list[Poll]:
    """A poll in every hour, active but at some."""
    hours = int((last - first) / timedelta(hours=1)) + 1
    return [(at, at not in down) for at in (first + timedelta(hours=number) for number in range(hours))]


async def page_of(app: Application, store_id: str, query: str = "") -> Element:
    return await browse_page(app, f"/board/stores/{quote(store_id, safe='')}{query}")


async def json_of(app: Application, path: str) -> Any:
    response = await app.test_client().get(path)
    assert response.status_code == 200, await response.get_data()
    return await response.get_json()


def wide_strip(page: Element) -> Element:
    """The drawing of all days."""
    (wide, _) = (svg for svg in named(by_id(page, "strip"), "svg") if svg.attributes.get("role") == "group")
    return wide


def strip_names(page: Element) -> list[str]:
    """The names of the days of the wide strip."""
    return [link.attributes["aria-label"] for link in named(wide_strip(page), "a")]


def strip_styles(page: Element, day: str) -> list[str]:
    """The styles of which a day of the wide strip is drawn. day: as its name begins, such as `Jun 10 2025`."""
    (link,) = (link for link in named(wide_strip(page), "a") if link.attributes["aria-label"].startswith(day))
    return [path.attributes["class"] for path in named(link, "path")]
