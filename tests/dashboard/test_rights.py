"""Which routes of the dashboard require which token, and that each is open without its variable."""

from typing import Any

import aiohttp
import pytest
from aioresponses import aioresponses
from yarl import URL

from common.web.resources import Application
from dashboard.feed_client import BookingFeed, FeedQuery, create_feed
from dashboard.resources import resources_of

API_TOKEN, OPERATIONS_TOKEN, FEED_TOKEN = "the-token-of-the-api", "the-token-of-operators", "foreign"
PRODUCT = "/products/00000000-0000-7000-8000-000000000000"

API_ROUTES = [
    ("GET", "/products"),
    ("POST", "/products"),
    ("GET", PRODUCT),
    ("PUT", PRODUCT),
    ("PATCH", PRODUCT),
    ("DELETE", PRODUCT),
    ("GET", f"{PRODUCT}/offers"),
    ("GET", f"{PRODUCT}/trend"),
    ("GET", f"{PRODUCT}/offers/1/trend"),
    ("PUT", "/stores/status"),
    ("PUT", "/stores/business-hours"),
    ("PUT", "/stores/timezones"),
    ("PUT", "/hotels/1/profile"),
]
OPERATIONS_ROUTES = [
    *(
        ("GET", path)
        for path in ("/metrics", "/jobs", "/system", "/quarantine", "/audits", "/stores/imports", "/alerts")
    ),
    ("GET", "/alerts/outbox"),
    ("POST", "/alerts/outbox/1/retry"),
]
OPEN_ROUTES = ["/", "/livez", "/readyz", "/hotels", "/reports", "/stores", "/openapi.json", "/front-desk"]


def feed_of(app: Application) -> BookingFeed:
    """The client of the feed, as the application configures it."""
    resources = resources_of(app)
    return create_feed(resources.http, resources.config.feeds[0])


async def call(app: Application, method: str, path: str, token: str | None) -> Any:
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
    client = app.test_client()
    return await getattr(client, method.lower())(path, headers=headers)


class TestWithTokens:
    @pytest.fixture
    def environment(self, environment: dict[str, str]) -> dict[str, str]:
        return environment | {
            "DASHBOARD_API_TOKEN": API_TOKEN,
            "DASHBOARD_OPERATIONS_TOKEN": f"another-token-of-operators,{OPERATIONS_TOKEN}",
            "DASHBOARD_FEED_TOKEN": FEED_TOKEN,
            "DASHBOARD_PROVIDER_URL": "http://feed.example",
        }

    @pytest.mark.parametrize(
        ("method", "path", "token", "wrong"),
        [
            *((*route, API_TOKEN, OPERATIONS_TOKEN) for route in API_ROUTES),
            *((*route, OPERATIONS_TOKEN, API_TOKEN) for route in OPERATIONS_ROUTES),
        ],
    )
    async def test_a_route_admits_its_own_token_alone(
        self, dashboard_app: Application, method: str, path: str, token: str, wrong: str
    ) -> None:
        assert (await call(dashboard_app, method, path, None)).status_code == 401
        assert (await call(dashboard_app, method, path, wrong)).status_code == 401
        assert (await call(dashboard_app, method, path, token)).status_code not in (401, 403, 429)

    @pytest.mark.parametrize("path", OPEN_ROUTES)
    async def test_other_routes_stay_open(self, dashboard_app: Application, path: str) -> None:
        assert (await call(dashboard_app, "GET", path, None)).status_code == 200

    async def test_every_write_needs_a_credential(self, dashboard_app: Application) -> None:
        """Requests of reports, which have a limit of their own, are no writes of somebody's data."""
        document = await (await dashboard_app.test_client().get("/openapi.json")).get_json()
        without = {
            f"{method.upper()} {path}"
            for path, methods in document["paths"].items()
            for method, described in methods.items()
            if method != "get" and not described.get("security")
        }
        assert without == {"POST /trigger_report"}

    async def test_the_feed_is_read_with_its_token(self, dashboard_app: Application) -> None:
        feed = feed_of(dashboard_app)
        with aioresponses() as mocked:
            mocked.get("http://feed.example/events", body="[]", headers={"Content-Type": "application/json"})
            async with feed.read(FeedQuery()) as response:
                assert [batch async for batch in response.batches] == []
            (request,) = mocked.requests["GET", URL("http://feed.example/events")]
        assert request.kwargs["headers"]["Authorization"] == f"Bearer {FEED_TOKEN}"


@pytest.mark.parametrize(("method", "path"), [*API_ROUTES, *OPERATIONS_ROUTES])
async def test_without_its_variable_a_right_is_switched_off(dashboard_app: Application, method: str, path: str) -> None:
    for token in (None, "any token"):
        assert (await call(dashboard_app, method, path, token)).status_code not in (401, 403, 429)


async def test_the_feed_gets_no_token_that_is_not_configured(dashboard_app: Application) -> None:
    feed = feed_of(dashboard_app)
    with aioresponses() as mocked:
        mocked.get("http://127.0.0.1:9000/events", exception=aiohttp.ClientConnectionError())
        with pytest.raises(Exception, match="ClientConnectionError"):
            async with feed.read(FeedQuery()):
                pass
        (request,) = mocked.requests["GET", URL("http://127.0.0.1:9000/events")]
    assert "Authorization" not in request.kwargs["headers"]
