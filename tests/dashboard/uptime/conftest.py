"""The dashboard over HTTP, as a user of the store reports uses it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from quart.typing import TestClientProtocol

import dashboard.app
import dashboard.config
from common.config import Secret, read_config
from common.web.resources import Application
from tests.support.applications import free_port
from tests.support.served import served
from tests.support.waiting import eventually

STATUS = "store_id,status,timestamp_utc\n"
HOURS = "store_id,dayOfWeek,start_time_local,end_time_local\n"
ZONES = "store_id,timezone_str\n"

MONDAY = (
    STATUS + "1,active,2023-01-23 16:14:00 UTC\n1,inactive,2023-01-23 17:15:00 UTC\n2,active,2023-01-23 18:00:00 UTC\n"
)
MONDAY_HOURS = HOURS + "1,0,09:00:00,12:00:00\n"
"""The example of the source: Chicago, Monday 9 to 12, up at 10:14 and down at 11:15."""


class Stores:
    """Requests of a user of the reports."""

    def __init__(self, app: Application) -> None:
        self.app = app
        self.client: TestClientProtocol = app.test_client()

    async def put(self, kind: str, text: str | bytes, **headers: str) -> Any:
        """Upload a file; returns the response."""
        dashed = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.put(f"/stores/{kind}", data=text, headers={"Content-Type": "text/csv", **dashed})

    async def load_monday(self) -> None:
        assert (await self.put("business-hours", MONDAY_HOURS)).status_code == 200
        assert (await self.put("status", MONDAY)).status_code == 200

    async def trigger(self, query: str = "") -> str:
        answer = await self.client.post(f"/trigger_report{query}")
        assert answer.status_code == 202
        body = await answer.get_json()
        assert list(body) == ["report_id"]
        report_id: str = body["report_id"]
        return report_id

    async def fetch(self, report_id: str, **headers: str) -> Any:
        """Fetch a report; returns the response."""
        return await self.client.get(f"/get_report?report_id={report_id}", headers=headers)

    async def complete(self, report_id: str, **headers: str) -> Any:
        """Wait until the report is complete; returns the response."""

        async def ended() -> Any:
            answer = await self.fetch(report_id, **headers)
            assert answer.status_code == 200, await answer.get_data()
            if answer.headers["X-Report-Status"] == "Complete":
                return answer
            body = await answer.get_json()
            assert body["status"] == "Running"
            assert 0 <= body["progress"] < 1
            return None

        return await eventually(ended)

    async def get(self, path: str, status: int = 200) -> Any:
        answer = await self.client.get(path)
        body = await answer.get_json()
        assert answer.status_code == status, body
        return body


@pytest.fixture
async def stores(dashboard_app: Application) -> Stores:
    return Stores(dashboard_app)


@pytest.fixture
async def base(dashboard_url: Secret, environment: dict[str, str]) -> AsyncIterator[str]:
    """The URL of the dashboard behind a real HTTP server."""
    app = dashboard.app.create_app(read_config(dashboard.config.Config, environment), dashboard_url)
    async with served(app, free_port()) as url:
        yield url
