"""Both applications in the process of the test, which call each other over HTTP and can be stopped one by one."""

from typing import Any

import aiohttp

import dashboard.app
import dashboard.config
import provider.app
import provider.config
from common.config import Secret, read_config
from tests.support.applications import free_port
from tests.support.served import served


class Applications:
    """Both applications, each of which can be stopped and started again on its port."""

    def __init__(self, environment: dict[str, str], provider_url: Secret, dashboard_url: Secret) -> None:
        ports = free_port(), free_port()
        self.provider, self.dashboard = (f"http://127.0.0.1:{port}" for port in ports)
        self.ports = ports
        self.databases = provider_url, dashboard_url
        self.environment = {
            **environment,
            "PROVIDER_PUBLIC_URL": self.provider,
            "PROVIDER_ACCOUNTING_URL": f"{self.dashboard}/front-desk",
            "DASHBOARD_PROVIDER_URL": self.provider,
            "PROVIDER_OUTBOX_SECONDS": "0.2",
            "DASHBOARD_OUTBOX_SECONDS": "0.2",
        }

    def run_provider(self) -> Any:
        config = read_config(provider.config.Config, self.environment)
        return served(provider.app.create_app(config, self.databases[0]), self.ports[0])

    def run_dashboard(self) -> Any:
        config = read_config(dashboard.config.Config, self.environment)
        return served(dashboard.app.create_app(config, self.databases[1]), self.ports[1])


async def add_table(provider_url: str) -> None:
    """A cabin for four, added by the admin."""
    async with aiohttp.ClientSession() as client:
        login = {"username": "admin", "password": "1"}
        async with client.post(f"{provider_url}/api/token/", json=login) as answer:
            headers = {"Authorization": f"Bearer {(await answer.json())['access']}"}
        table = {"table_type": "cabin", "seats": 4, "price": 25.5}
        async with client.post(f"{provider_url}/api/admin/add_table/", json=table, headers=headers) as answer:
            assert answer.status == 201
