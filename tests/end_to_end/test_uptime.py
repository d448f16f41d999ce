"""The provider's simulated stores are polled, and the dashboard reports their uptime."""

import csv
import io

import aiohttp
import asyncpg

import dashboard.app
import dashboard.config
import provider.app
import provider.config
from common.config import Secret, read_config
from common.web.resources import Application
from dashboard.uptime.models.reports import CSV_HEADER
from provider.store_polls.jobs import FLEET_SIZE
from tests.support.applications import free_port
from tests.support.served import served
from tests.support.waiting import eventually


async def test_the_fleet_is_polled_pulled_and_reported(
    provider_url: Secret, dashboard_url: Secret, dashboard_db: asyncpg.Pool, environment: dict[str, str]
) -> None:
    port = free_port()
    settings = environment | {
        "PROVIDER_STORES_RATE": "1",
        "DASHBOARD_STORES_URL": f"http://127.0.0.1:{port}/stores",
        "DASHBOARD_STORES_SECONDS": "1",
    }
    provider_app: Application = provider.app.create_app(read_config(provider.config.Config, settings), provider_url)
    app: Application = dashboard.app.create_app(read_config(dashboard.config.Config, settings), dashboard_url)
    async with served(provider_app, port), served(app, free_port()) as base, aiohttp.ClientSession(base) as client:
        await eventually(lambda: dashboard_db.fetchval("SELECT count(*) FROM store_poll"))
        async with client.post("/trigger_report") as answer:
            report_id = (await answer.json())["report_id"]

        async def report() -> str | None:
            async with client.get(f"/get_report?report_id={report_id}") as answer:
                assert answer.status == 200
                return await answer.text() if answer.headers["X-Report-Status"] == "Complete" else None

        text = await eventually(report)
        assert text.startswith(CSV_HEADER)
        rows = list(csv.reader(io.StringIO(text)))[1:]
        assert len(rows) == FLEET_SIZE
        assert rows == sorted(rows, key=lambda row: row[0].encode())
        assert any(float(row[6]) > 0 for row in rows)
        assert any(float(row[3]) + float(row[6]) == 168 for row in rows), "some stores are always open"
        async with client.get("/stores?order=downtime&limit=1") as answer:
            (worst,) = await answer.json()
        assert worst["downtime_seconds"] > 0
        async with client.get(f"/stores/{worst['store_id']}/incidents") as answer:
            assert await answer.json()
