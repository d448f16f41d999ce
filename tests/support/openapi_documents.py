"""`python -m tests.support.openapi_documents`: write openapi/provider.json and openapi/dashboard.json.

The committed files show a reviewer every change of the API.
"""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from quart import Quart

import dashboard.app
import dashboard.config
import provider.app
import provider.config
from common.config import Secret, read_config
from common.telemetry.logging import configure_logging
from provider.dining.models import example_day
from provider.stays.inputs.fields import EXAMPLE_DAYS_AHEAD, EXAMPLE_NIGHTS
from tests.support.applications import ROOT

FOLDER = ROOT / "openapi"

# The document needs no database; nothing listens at this address.
UNUSED_DATABASE = Secret("postgresql://nobody@127.0.0.1:1/nowhere")
UNUSED = 40 * "0"
UNUSED_SECRETS = {
    "PROVIDER_ADMIN_PASSWORD": UNUSED,
    "PROVIDER_JWT_SECRET": UNUSED,
    "PROVIDER_ACCOUNTING_SECRET": UNUSED,
    "DASHBOARD_ACCOUNTING_SECRET": UNUSED,
    "DASHBOARD_STAFF_TOKEN": UNUSED,
}
# Replaces the examples that depend on the current date.
FIXED_DATE = date(2100, 1, 1)


def create_provider() -> Quart:
    return provider.app.create_app(read_config(provider.config.Config, UNUSED_SECRETS), UNUSED_DATABASE)


def create_dashboard() -> Quart:
    return dashboard.app.create_app(read_config(dashboard.config.Config, UNUSED_SECRETS), UNUSED_DATABASE)


APPLICATIONS: dict[str, Callable[[], Quart]] = {"provider": create_provider, "dashboard": create_dashboard}


async def describe(app: Quart) -> str:
    """Return the OpenAPI document of an application that is not started, as JSON with sorted keys."""
    example = datetime.now(UTC).date() + timedelta(days=EXAMPLE_DAYS_AHEAD)
    stay = timedelta(days=EXAMPLE_NIGHTS)
    response = await app.test_client().get("/openapi.json")
    text = json.dumps(await response.get_json(), indent=2, sort_keys=True, ensure_ascii=False)
    text = text.replace(f'"{example}"', f'"{FIXED_DATE}"').replace(f'"{example + stay}"', f'"{FIXED_DATE + stay}"')
    return text.replace(f'"{example_day()}T', f'"{FIXED_DATE}T') + "\n"


async def write() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, create in APPLICATIONS.items():
        (FOLDER / f"{name}.json").write_text(await describe(create()), encoding="utf-8")


if __name__ == "__main__":
    configure_logging(level="warning")
    asyncio.run(write())
