"""Every table of the provider as JSON, CSV and workbook."""

from datetime import date, timedelta
from typing import Any

import pytest

from common.tables import CSV, XLSX
from common.web.openapi.document import TABLE_ATTRIBUTE
from common.web.resources import Application
from tests.support.tables import rows, sheet

GUEST = {"Authorization": "Bearer 6fa459ea-ee8a-4ca4-894e-db77e160355e"}
OTHER_FORMAT = {"/api/v1/products/{product_id}/offers", "/inbox.json"}
"""Lists in the format of the service that the provider stands in for, and the mails of the demo."""


@pytest.fixture
async def client(provider_app: Application) -> Any:
    """A client of the admin, when there are a table with two prices, a property and an event."""
    client: Any = provider_app.test_client()
    tokens = await (await client.post("/api/token/", json={"username": "admin", "password": "1"})).get_json()
    client.admin = {"Authorization": f"Bearer {tokens['access']}"}
    table = {"table_type": "room", "seats": 4, "price": 10.5, "can_be_booked": True}
    added = await client.post("/api/admin/add_table/", json=table, headers=client.admin)
    client.table_id = (await added.get_json())["id"]
    update = {"id": client.table_id, "price": 12.5}
    changed = await client.patch("/api/admin/update_table/", json=update, headers=client.admin)
    assert changed.status_code == 200, await changed.get_data()
    villa = {"property_id": "villa", "description": "=1+1 villas"}
    assert (await client.post("/properties", json=villa, headers=GUEST)).status_code == 201
    event = {"hotel_id": 1, "event_timestamp": "2024-01-01T00:00:00Z", "status": 1, "room_id": 1}
    await client.post("/events", json={**event, "night_of_stay": "2024-02-01"})
    return client


@pytest.mark.parametrize(
    ("path", "items"),
    [
        ("/events", None),
        ("/properties", None),
        ("/properties/available?start_date={day}&nights=1", None),
        ("/properties/villa/calendar?from=2030-01-01&to=2030-01-05", "nights"),
        ("/conflicts", None),
        ("/api/admin/view_tables/", None),
        ("/api/admin/view_prices/?id={table}", None),
        ("/api/admin/view_active_bookings/", None),
        ("/api/admin/outbox/", None),
        ("/api/customer/view_tables/", None),
        ("/jobs", "jobs"),
    ],
)
async def test_a_table_is_the_same_in_every_form_by_accept_and_by_format(
    client: Any, today: date, path: str, items: str | None
) -> None:
    path = path.format(table=client.table_id, day=today + timedelta(days=30))
    caller = client.admin if path.startswith("/api/admin/") else GUEST
    answer = await client.get(path, headers=caller)
    content = await answer.get_json()
    assert answer.status_code == 200, content
    found = content[items] if items else content
    for form, media_type, read in (("csv", CSV, rows), ("xlsx", XLSX, sheet)):
        by_accept = await client.get(path, headers={**caller, "Accept": media_type})
        header, *lines = await read(by_accept)
        joint = "&" if "?" in path else "?"
        by_format = await client.get(f"{path}{joint}format={form}", headers=caller)
        again, *lines_again = await read(by_format)
        assert (again, len(lines_again)) == (header, len(lines)), path
        assert by_format.content_type.partition(";")[0] == by_accept.content_type.partition(";")[0] == media_type
        assert by_format.headers["Content-Disposition"].endswith(f'.{form}"')
        assert len(lines) == len(found)
        assert set(found[0]) <= set(header) if found else header
    assert (await client.get(path, headers={**caller, "Accept": "image/png"})).status_code == 406
    assert (await client.get(f"{path}{joint}format=ods", headers=caller)).status_code == 400


async def test_texts_of_guests_are_neutralised_in_csv_alone(client: Any) -> None:
    assert (await (await client.get("/properties", headers=GUEST)).get_json())[0]["description"] == "=1+1 villas"
    header, line = await rows(await client.get("/properties?format=csv", headers=GUEST))
    assert line[header.index("description")] == "'=1+1 villas"


async def test_every_list_of_json_is_a_table_or_has_a_reason(provider_app: Application) -> None:
    """A new list is answered as CSV and workbook too."""
    document = await (await provider_app.test_client().get("/openapi.json")).get_json()
    lists = {
        path
        for path, methods in document["paths"].items()
        if "get" in methods
        and methods["get"]["responses"]
        .get("200", {})
        .get("content", {})
        .get("application/json", {})
        .get("schema", {})
        .get("type")
        == "array"
    }
    tabled = {
        rule.rule.partition("<")[0]
        for rule in provider_app.url_map.iter_rules()
        if hasattr(provider_app.view_functions[rule.endpoint], TABLE_ATTRIBUTE) or rule.rule == "/events"
    }
    assert len(lists) > 5
    assert {path for path in lists if path.partition("{")[0] not in tabled} == OTHER_FORMAT
