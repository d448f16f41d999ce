"""Every table of the dashboard as JSON, CSV and workbook."""

from datetime import UTC, date, datetime
from typing import Any

import asyncpg
import pytest

from common.tables import CSV, XLSX
from common.web.openapi.document import TABLE_ATTRIBUTE
from common.web.resources import Application
from dashboard.bookings.decoding import BookingEvent, RejectedEvent
from dashboard.bookings.queries.ledger import insert_events
from dashboard.bookings.queries.quarantine import upsert_quarantine
from tests.support.feeds import MAIN_LEDGER
from tests.support.tables import rows, sheet

STATUS = "store_id,status,timestamp_utc\n"


@pytest.fixture
async def client(dashboard_app: Application) -> Any:
    client = dashboard_app.test_client()
    text = STATUS + "=1+1,active,2023-01-23 16:14:00\n2,inactive,2023-01-23 17:15:00\n"
    answer = await client.put("/stores/status", data=text, headers={"Content-Type": CSV})
    assert answer.status_code == 200
    return client


@pytest.mark.parametrize(
    "path", ["/stores", "/stores/sla/breaches", "/stores/imports", "/reports", "/products", "/hotels"]
)
async def test_a_list_is_the_same_in_every_form_by_accept_and_by_format(client: Any, path: str) -> None:
    found = await (await client.get(path)).get_json()
    items = found if isinstance(found, list) else found["hotels"]
    for form, media_type in (("csv", CSV), ("xlsx", XLSX)):
        by_accept = await client.get(path, headers={"Accept": media_type})
        by_format = await client.get(f"{path}?format={form}", headers={"Accept": "application/json"})
        read = rows if form == "csv" else sheet
        header, *lines = await read(by_accept)
        assert await read(by_format) == [header, *lines]
        assert by_format.content_type.partition(";")[0] == media_type
        assert by_format.headers["Content-Disposition"].endswith(f'.{form}"')
        assert len(lines) == len(items)
        assert set(items[0]) <= set(header) if items else header
    assert (await client.get(f"{path}?format=json", headers={"Accept": CSV})).content_type == "application/json"
    assert (await client.get(f"{path}?format=ods")).status_code == 400
    assert (await client.get(path, headers={"Accept": "image/png"})).status_code == 406


async def add_bookings(db: asyncpg.Pool) -> None:
    """Two events of a hotel, one that is not valid, a run of the audit, and what a product costs."""
    at = datetime(2023, 1, 5, tzinfo=UTC)
    events = [BookingEvent(number, 1, at, 1, 7, date(2023, 2, number)) for number in (1, 2)]
    async with db.acquire() as connection:
        await insert_events(connection, MAIN_LEDGER, events)
        await upsert_quarantine(connection, "main", [RejectedEvent("[]", "is not an object", at)])
        await connection.execute("UPDATE feed_progress SET data_through = now()")


@pytest.mark.parametrize(
    ("path", "items"),
    [
        ("/dashboard?hotel_id=1&period=month&year=2023", "items"),
        ("/hotels/1/nights", "items"),
        ("/hotels/1/pickup", "items"),
        ("/summary", "items"),
        ("/hotels/1/pace?year=2023", "items"),
        ("/hotels/1/booking-curve?night=2023-02-01", "items"),
        ("/hotels/1/lead-time?year=2023", "items"),
        ("/hotels/1/build-up?month=2023-02", "items"),
        ("/hotels/1/booking-curve/usual?night=2023-02-01", "items"),
        ("/hotels/1/cancellations?year=2023", "by_lead"),
        ("/hotels/1/cancellations?year=2023&table=by_month", "by_month"),
        ("/quarantine", "items"),
        ("/audits", "items"),
        ("/stores/2/days?days=3&to=2023-01-24", None),
        ("/stores/2/uptime", "items"),
        ("/stores/2/incidents?from=2023-01-20T00:00:00Z&to=2023-01-24T00:00:00Z", None),
        ("/stores/2/coverage?from=2023-01-20T00:00:00Z&to=2023-01-24T00:00:00Z", "no_data"),
        ("/stores/2/timeline?from=2023-01-20T00:00:00Z&to=2023-01-24T00:00:00Z", "stretches"),
        ("/stores/gaps?from=2023-01-20T00:00:00Z&to=2023-01-24T00:00:00Z", None),
        ("/stores/sla", ""),
        ("/front-desk/orders", None),
        ("/front-desk/day", "items"),
        ("/front-desk/outbox", None),
        ("/products/{}/offers", None),
        ("/products/{}/trend", "prices"),
        ("/jobs", "jobs"),
    ],
)
async def test_the_rows_of_every_other_table_are_the_same_in_every_form(
    client: Any, dashboard_db: asyncpg.Pool, path: str, items: str | None
) -> None:
    await add_bookings(dashboard_db)
    product = await client.post("/products", json={"name": "Kettle", "description": "Boils."})
    path = path.format((await product.get_json())["id"])
    staff = {"Authorization": "Bearer staff"}
    content = await (await client.get(path, headers=staff)).get_json()
    found = [content] if items == "" else content[items] if items else content
    assert isinstance(found, list), content
    for form, media_type, read in (("csv", CSV, rows), ("xlsx", XLSX, sheet)):
        header, *lines = await read(await client.get(path, headers={**staff, "Accept": media_type}))
        by_format = await client.get(f"{path}{'&' if '?' in path else '?'}format={form}", headers=staff)
        again, *lines_again = await read(by_format)
        assert (again, len(lines_again)) == (header, len(lines))
        assert by_format.content_type.partition(";")[0] == media_type
        assert len(lines) == len(found)
        assert header


async def test_ids_that_begin_as_a_formula_keep_their_value_in_json_and_are_neutralised_in_csv(client: Any) -> None:
    stores = await (await client.get("/stores")).get_json()
    assert [store["store_id"] for store in stores] == ["2", "=1+1"]
    _, *lines = await rows(await client.get("/stores?format=csv"))
    assert [line[0] for line in lines] == ["2", "'=1+1"]
    _, *cells = await sheet(await client.get("/stores?format=xlsx"))
    assert [line[0] for line in cells] == ["2", "=1+1"]
    (report,) = await (await client.get("/reports")).get_json()
    path = f"/get_report?report_id={report['report_id']}"
    header, *lines = await rows(await client.get(path))
    assert header[1] == "uptime_last_hour(in minutes)"
    assert [line[0] for line in lines] == ["2", "'=1+1"]
    assert [row["store_id"] for row in (await (await client.get(f"{path}&format=json")).get_json())["rows"]] == [
        "2",
        "=1+1",
    ]
    titles, *cells = await sheet(await client.get(path, headers={"Accept": XLSX}))
    assert titles == header
    assert [(line[0], float(line[3])) for line in cells] == [("2", float(lines[0][3])), ("=1+1", float(lines[1][3]))]


async def test_the_pages_of_a_table_are_linked_in_its_form(client: Any) -> None:
    first = await client.get("/stores?limit=1&format=csv")
    link = first.headers["Link"].partition(">")[0].removeprefix("<")
    assert "format=csv" in link
    second = await client.get(link)
    assert [line[0] for line in (await rows(first))[1:] + (await rows(second))[1:]] == ["2", "'=1+1"]


async def test_every_list_of_json_is_a_table_or_has_a_reason(dashboard_app: Application) -> None:
    """A new list is answered as CSV and workbook too."""
    document = await (await dashboard_app.test_client().get("/openapi.json")).get_json()
    lists = {
        path
        for path, methods in document["paths"].items()
        if "get" in methods
        and methods["get"]["responses"]["200" if "200" in methods["get"]["responses"] else "202"]
        .get("content", {})
        .get("application/json", {})
        .get("schema", {})
        .get("type")
        == "array"
    }
    tabled = {
        rule.rule
        for rule in dashboard_app.url_map.iter_rules()
        if hasattr(dashboard_app.view_functions[rule.endpoint], TABLE_ATTRIBUTE)
    }
    assert len(lists) > 5
    assert {
        path for path in lists if path.partition("{")[0] not in {rule.partition("<")[0] for rule in tabled}
    } == set()
