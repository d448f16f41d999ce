"""Every table of the provider as JSON, CSV and workbook."""

import csv
import io
from typing import Any

import asyncpg
import openpyxl
import pytest

from common.tables import CSV, XLSX
from common.web.openapi.document import TABLE_ATTRIBUTE
from common.web.resources import Application
from tests.support.restaurant import Restaurant

NO_TABLES = {"/events", "/api/v1/products/{product_id}/offers", "/inbox.json"}
"""The feed, which makes its tables as a stream; the form of another service that the offers stand in for; whole emails
of the demo."""


async def rows(response: Any) -> list[list[str]]:
    return list(csv.reader(io.StringIO(await response.get_data(as_text=True))))


async def sheet(response: Any) -> list[list[str]]:
    book = openpyxl.load_workbook(io.BytesIO(await response.get_data(as_text=False)))
    return [[str(cell) for cell in row] for row in book.worksheets[0].iter_rows(values_only=True)]


@pytest.mark.parametrize("path", ["/api/customer/view_tables/?seats_min=3", "/api/admin/view_prices/?id={}"])
async def test_a_list_of_the_restaurant_is_the_same_in_every_form_by_accept_and_by_format(
    provider_app: Application, provider_db: asyncpg.Pool, path: str
) -> None:
    restaurant = Restaurant(provider_app, provider_db)
    await restaurant.add_table(seats=2)
    path = path.format(await restaurant.add_table(seats=4, price=25.5))
    headers = restaurant.headers
    (item,) = await (await restaurant.client.get(path, headers=headers)).get_json()

    for form, media_type, read in (("csv", CSV, rows), ("xlsx", XLSX, sheet)):
        by_accept = await restaurant.client.get(path, headers=headers | {"Accept": media_type})
        by_format = await restaurant.client.get(f"{path}&format={form}", headers=headers)
        assert by_format.content_type.partition(";")[0] == media_type
        header, line = await read(by_accept)
        assert await read(by_format) == [header, line]
        assert header == list(item)
        assert "25.5" in line


async def test_every_list_of_json_is_a_table(provider_app: Application) -> None:
    """A new list is answered as CSV and workbook too."""
    document = await (await provider_app.test_client().get("/openapi.json")).get_json()
    lists = {
        path
        for path, methods in document["paths"].items()
        for media in [methods.get("get", {}).get("responses", {}).get("200", {}).get("content", {})]
        if media.get("application/json", {}).get("schema", {}).get("type") == "array"
    }
    tables = {
        rule.rule
        for rule in provider_app.url_map.iter_rules()
        if hasattr(provider_app.view_functions[rule.endpoint], TABLE_ATTRIBUTE)
    }
    assert len(tables) > 8
    assert lists - tables == NO_TABLES
