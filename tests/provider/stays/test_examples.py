"""The requests that Swagger UI has filled in, sent to the demo."""

import asyncio
from typing import Any

import pytest

from common.config import Secret
from common.web.resources import Application
from provider.stays.demo import add_demo_properties
from tests.support.storefront import Guest

REQUESTS = [
    ("get", "/properties/available", 200),
    ("get", "/properties/{property_id}", 200),
    ("get", "/properties/{property_id}/calendar", 200),
    ("get", "/properties/{property_id}/calendar.ics", 200),
    ("post", "/reservations", 200),
    ("get", "/reservations", 200),
    ("post", "/properties", 201),
    ("patch", "/properties/{property_id}", 200),
    ("post", "/properties/{property_id}/blocks", 201),
    ("post", "/properties/{property_id}/calendar-links", 201),
    ("get", "/arrivals", 403),  # for the administrator
    ("delete", "/properties/{property_id}", 204),
]


@pytest.fixture
async def document(provider_url: Secret, provider_app: Application) -> Any:
    await asyncio.gather(*(add_demo_properties(provider_url) for _ in range(2)))  # two starts at once
    return await (await provider_app.test_client().get("/openapi.json")).get_json()


async def test_examples_succeed_in_this_order(document: Any, guest: Guest) -> None:
    for method, path, status in REQUESTS:
        operation = document["paths"][path][method]
        required = [each for each in operation.get("parameters", []) if each.get("required")]
        url = path.format(**{each["name"]: each["example"] for each in required if each["in"] == "path"})
        query = "&".join(f"{each['name']}={each['example']}" for each in required if each["in"] == "query")
        body = operation.get("requestBody")
        options = {} if body is None else {"json": body["content"]["application/json"]["example"]}

        answer, found = await guest.call(method.upper(), f"{url}?{query}", **options)

        assert answer.status_code == status, (method, url, query, options, found)


async def test_no_example_of_a_date_to_send_is_past(document: Any, guest: Guest) -> None:
    (search,) = (
        each["example"]
        for each in document["paths"]["/properties/available"]["get"]["parameters"]
        if each["name"] == "start_date"
    )
    day = document["paths"]["/arrivals"]["get"]["parameters"]
    assert [each["schema"]["examples"] for each in day if each["name"] == "day"] == [[search]]
    assert document["components"]["schemas"]["BlockInput"]["properties"]["start_date"]["examples"] == [search]
