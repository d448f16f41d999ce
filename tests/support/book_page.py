"""The pages on which guests order a table, as a browser uses them."""

import re
from html import unescape
from typing import Any
from urllib.parse import urlencode

from tests.support.pages import BROWSER
from tests.support.restaurant import EVENING, Restaurant

WHEN = {"guests": "2", "day": f"{EVENING:%Y-%m-%d}", "time": "19:00"}
ANN = {"name": "Ann <Baker>", "email": "ann@example.com", "phone": "", "notes": "A high chair"}


async def get(restaurant: Restaurant, path: str, **query: Any) -> tuple[Any, str]:
    response = await restaurant.client.get(f"{path}?{urlencode(query)}" if query else path, headers=BROWSER)
    return response, unescape(await response.get_data(as_text=True))


async def open_form(restaurant: Restaurant, table: int, **changes: str) -> dict[str, str]:
    """The fields of the form that orders a table."""
    response, page = await get(restaurant, "/book/order", **{**WHEN, "table": str(table), **changes})
    assert response.status_code == 200, page
    return fields_of(page)


def fields_of(page: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))


async def send(restaurant: Restaurant, fields: dict[str, str], **options: Any) -> tuple[Any, str]:
    headers = {**BROWSER, **options.pop("headers", {})}
    response = await restaurant.client.post("/book/order", form=fields, headers=headers, **options)
    return response, unescape(await response.get_data(as_text=True))


def wrong(page: str) -> list[str]:
    return re.findall(r'<p class="wrong" id="wrong-\w+">(.*?)</p>', page)


def notices(page: str) -> list[str]:
    block = re.search(r'<div class="notice bad" role="alert">(.*?)</div>', page, re.DOTALL)
    return re.findall(r"<p>([^<]*)</p>", block[1]) if block else []


async def count(restaurant: Restaurant) -> int:
    return await restaurant.db.fetchval("SELECT count(*) FROM dining_booking")
