"""CORS: no other site by default; the named ones may read and write, without cookies."""

import pytest
from quart import Response

from common.config import ConfigError, read_config
from common.web import application, cors
from common.web.resources import Application
from common.web.responses import json_response
from provider.config import Config

SITE, OTHER = "https://app.example.org", "https://other.example"
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type, idempotency-key"}


def app_for(origins: str | None) -> Application:
    app = application.create("ground", title="Ground", description="For tests", tags={})

    @app.route("/things", methods=["GET", "POST"])
    async def things() -> Response:
        return json_response([])

    cors.install(app, cors.origins(origins) if origins else None)
    return app


async def test_no_other_site_may_read_by_default() -> None:
    client = app_for(None).test_client()
    for response in (
        await client.get("/things", headers={"Origin": SITE}),
        await client.options("/things", headers={"Origin": SITE, **PREFLIGHT}),
    ):
        assert not [name for name in response.headers if name[0].startswith("Access-Control")]


async def test_a_named_site_may_read_every_header() -> None:
    response = await app_for(f"{SITE}, http://localhost:3000").test_client().get("/things", headers={"Origin": SITE})
    assert response.headers["Access-Control-Allow-Origin"] == SITE
    assert response.headers["Access-Control-Expose-Headers"] == "*"
    assert "Access-Control-Allow-Credentials" not in response.headers
    assert "Origin" in response.headers["Vary"]


async def test_a_named_site_may_ask_first() -> None:
    response = await app_for(SITE).test_client().options("/things", headers={"Origin": SITE, **PREFLIGHT})
    assert response.status_code == 204
    assert response.headers["Access-Control-Allow-Origin"] == SITE
    assert "POST" in response.headers["Access-Control-Allow-Methods"]
    assert response.headers["Access-Control-Max-Age"] == "600"
    for name in ("content-type", "idempotency-key"):
        assert name in response.headers["Access-Control-Allow-Headers"]


async def test_errors_can_be_read_too() -> None:
    response = await app_for(SITE).test_client().get("/nothing", headers={"Origin": SITE})
    assert response.status_code == 404
    assert response.headers["Access-Control-Allow-Origin"] == SITE


@pytest.mark.parametrize(
    "origin", [OTHER, "https://app.example.org.evil.example", "http://app.example.org", "null", ""]
)
async def test_a_site_that_is_not_named_may_not_read(origin: str) -> None:
    response = await app_for(SITE).test_client().get("/things", headers={"Origin": origin})
    assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize(
    ("setting", "origin", "status"),
    [(None, SITE, 403), (SITE, SITE, 200), (SITE, OTHER, 403), (SITE, None, 403), ("*", OTHER, 200), ("*", None, 200)],
)
async def test_a_page_of_another_site_may_write_only_where_it_is_named(
    setting: str | None, origin: str | None, status: int
) -> None:
    headers = {"Sec-Fetch-Site": "cross-site"} | ({"Origin": origin} if origin else {})
    assert (await app_for(setting).test_client().post("/things", headers=headers)).status_code == status


@pytest.mark.parametrize(
    "value", ["app.example.org", "https://", "https://a.example/", "*,https://a.example", "ftp://a", ","]
)
def test_a_setting_that_is_not_valid_stops_the_start(value: str) -> None:
    with pytest.raises(ConfigError, match="PROVIDER_CORS_ORIGINS must be"):
        read_config(Config, {"PROVIDER_CORS_ORIGINS": value})
    assert read_config(Config, {}).cors_origins is None
