"""Both applications as processes on databases of a Citus cluster, with all of their timers on."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from common.config import Secret
from tests.support.alerts import SECRET, FakeReceiver, listening
from tests.support.applications import ApplicationProcess, run_process
from tests.support.calendar_site import CalendarSite, calendar_of
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

DAY = timedelta(days=1)
WAIT = 120.0


async def failed_jobs(client: aiohttp.ClientSession, base: str) -> list[tuple[str, Any]]:
    """The jobs that failed the last time, with the reason."""
    async with client.get(f"{base}/jobs") as answer:
        jobs = (await answer.json())["jobs"]
    assert jobs
    return [(job["name"], job["last_error"]) for job in jobs if job.get("last_error")]


async def test_they_simulate_count_pull_refresh_read_calendars_and_announce(
    make_application: Callable[..., ApplicationProcess],
    provider_url: Secret,
    dashboard_url: Secret,
    site: CalendarSite,
    today: date,
) -> None:
    soon = today + 30 * DAY
    site.answer = calendar_of(("a", soon, soon + 2 * DAY))
    simulation = {"PROVIDER_GENERATOR_RATE": "600", "PROVIDER_STORES_RATE": "1", "PROVIDER_OFFERS_TICK_SECONDS": "1"}
    calendars = {"PROVIDER_CALENDAR_HOSTS": "127.0.0.1", "PROVIDER_CALENDAR_SECONDS": "1"}
    provider = make_application("provider", provider_url, PROVIDER_OUTBOX_SECONDS="1", **simulation, **calendars)
    provider.start()
    async with listening(FakeReceiver()) as receiver:
        sources = {
            "DASHBOARD_PROVIDER_URL": provider.url,
            "DASHBOARD_OFFERS_URL": f"{provider.url}/api/v1",
            "DASHBOARD_STORES_URL": f"{provider.url}/stores",
            "DASHBOARD_ALERT_WEBHOOK_URL": receiver.url,
            "DASHBOARD_ALERT_SECRET": SECRET,
        }
        intervals = ("INGEST", "OFFERS", "STORES", "ALERT", "OUTBOX")
        timers = {f"DASHBOARD_{name}_SECONDS": "1" for name in intervals} | {"DASHBOARD_AUDIT_SECONDS": "5"}
        dashboard = make_application("dashboard", dashboard_url, **sources, **timers)
        dashboard.start()
        headers = {"Authorization": f"Bearer {uuid4()}"}
        async with aiohttp.ClientSession(headers=headers) as client:

            async def get(url: str) -> Any:
                async with client.get(url) as answer:
                    return await answer.json() if answer.status == 200 else None

            # 1. A calendar of another site holds nights.
            hut = f"{provider.url}/properties/hut"
            async with client.post(
                f"{provider.url}/properties", json={"property_id": "hut", "description": "A hut"}
            ) as answer:
                assert answer.status == 201
            async with client.put(f"{hut}/calendar-sources/site", json={"url": site.url}) as answer:
                assert answer.status == 201
            await eventually(lambda: site.requests, WAIT)

            async def nights_held() -> bool:
                return (await get(f"{hut}/calendar-sources/site"))["nights_off_sale"] == 2

            await eventually(nights_held, WAIT)
            # 2. Stores are pulled, and prices refreshed; a price below its mark is announced to the receiver.
            await eventually(lambda: get(f"{dashboard.url}/stores?limit=1"), WAIT)

            async def priced() -> str | None:
                products = await get(f"{dashboard.url}/products?limit=100")
                return next((str(each["id"]) for each in products if each["best_offer"]), None)

            product_id = await eventually(priced, WAIT)
            async with client.put(f"{dashboard.url}/products/{product_id}/mark", json={"below": 10**9}) as answer:
                assert answer.status == 200
            await eventually(lambda: (product_id, "firing") in receiver.told, WAIT)
            assert await get(f"{dashboard.url}/products/{product_id}/price-history?interval=hour")
            # 3. Events are counted, and no job has failed.

            async def counted() -> bool:
                return bool((await get(f"{dashboard.url}/hotels"))["hotels"])

            await eventually(counted, WAIT)
            assert await failed_jobs(client, provider.url) == []
            assert await failed_jobs(client, dashboard.url) == []
    for application in (dashboard, provider):
        assert application.stop() == 0
        audit = run_process(application.name, "audit", environment=application.environment)
        assert (audit.returncode, audit.stderr) == (0, "")
        assert "equal to the recount" in audit.stdout
