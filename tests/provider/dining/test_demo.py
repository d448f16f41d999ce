"""The demo's inbox, and what is disabled outside the demo."""

import asyncio

import asyncpg
import pytest

import dashboard.config
import provider.config
from common.config import ConfigError, Secret, read_config
from common.web.resources import Application
from provider.app import create_app
from provider.dining import jobs
from provider.dining.demo import TABLES, add_demo_tables
from provider.dining.sms import LoggingSmsGateway
from provider.resources import resources_of
from tests.support.restaurant import Restaurant

SECRETS = {
    "PROVIDER_JWT_SECRET": "0123456789012345678901234567890123456789",
    "PROVIDER_ADMIN_PASSWORD": "a password of many letters",
    "PROVIDER_ACCOUNTING_SECRET": "a secret of both programs",
}


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name != "PROVIDER_SMTP_URL"}


async def test_the_inbox_shows_the_emails_sent_by_smtp(restaurant: Restaurant) -> None:
    await restaurant.book(await restaurant.add_table(), email="ann@example.com", name="<i>Ann</i>")
    await restaurant.send_guest_messages()

    [mail] = await (await restaurant.client.get("/inbox.json")).get_json()
    assert mail["to"] == "ann@example.com"
    assert mail["subject"] == "We have received your order for a table"
    assert "cancel_booking/?id=" in mail["text"]
    assert mail["message_id"].startswith("<booking-")
    response = await restaurant.client.get("/inbox?utm_source=mail")
    page = await response.get_data(as_text=True)
    assert "cancel_booking/?id=" in page
    assert "<i>Ann" not in page
    assert '<a href="/">' in page
    assert "unsafe" not in response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert "style=" not in page


async def create_app_outside_the_demo(environment: dict[str, str], url: Secret) -> Application:
    settings = {name: value for name, value in environment.items() if name != "NIGHTAUDIT_DEMO"}
    return create_app(read_config(provider.config.Config, settings | SECRETS), url)


async def test_outside_the_demo_there_is_no_inbox_and_no_customer_account(
    environment: dict[str, str], provider_url: Secret
) -> None:
    app = await create_app_outside_the_demo(environment, provider_url)
    async with app.test_app():
        client = app.test_client()
        assert (await client.get("/inbox")).status_code == 404
        assert (await client.get("/inbox.json")).status_code == 404
        for name, password, status in (
            ("admin", "1", 401),
            ("josh", "1", 401),
            ("admin", "a password of many letters", 200),
        ):
            response = await client.post("/api/token/", json={"username": name, "password": password})
            assert response.status_code == status


async def test_without_an_smtp_server_emails_wait_and_the_outbox_says_why(
    environment: dict[str, str], provider_url: Secret
) -> None:
    app = await create_app_outside_the_demo(environment, provider_url)
    async with app.test_app():
        client = app.test_client()
        login = {"username": "admin", "password": "a password of many letters"}
        access = (await (await client.post("/api/token/", json=login)).get_json())["access"]
        headers = {"Authorization": f"Bearer {access}"}
        table = await (await client.post("/api/admin/add_table/", json={}, headers=headers)).get_json()
        order = {"email": "ann@example.com"}
        await client.post(f"/api/customer/book_table/?id={table['id']}", json=order)
        resources = resources_of(app)
        await jobs.send_guest_messages(resources.pools.jobs, resources.dining, resources.smtp_url, LoggingSmsGateway())
        messages = await (await client.get("/api/admin/outbox/", headers=headers)).get_json()

    [mail] = [message for message in messages if message["topic"] == "mail"]
    assert (mail["state"], mail["attempts"]) == ("waiting", 0)
    assert "PROVIDER_SMTP_URL" in mail["last_error"]


@pytest.mark.parametrize("name", SECRETS)
def test_a_missing_secret_is_named(name: str) -> None:
    config = read_config(provider.config.Config, {each: value for each, value in SECRETS.items() if each != name})

    with pytest.raises(ConfigError, match=name):
        config.require_secrets()
    with pytest.raises(ConfigError, match=name):
        create_app(config, Secret("postgresql://nowhere"))


def test_the_dashboards_missing_secrets_are_named_together() -> None:
    with pytest.raises(ConfigError, match="DASHBOARD_ACCOUNTING_SECRET, DASHBOARD_STAFF_TOKEN"):
        read_config(dashboard.config.Config, {}).require_secrets()


@pytest.mark.parametrize("value", ["nobody", "a@x.example, b@x.example", "Ann <a@x.example>\r\nBcc: b@x.example"])
def test_a_sender_that_is_not_a_mailbox_is_refused(value: str) -> None:
    with pytest.raises(ConfigError, match="PROVIDER_MAIL_FROM"):
        read_config(provider.config.Config, {"PROVIDER_MAIL_FROM": value})


async def test_the_password_may_be_given_as_an_argon2_hash(environment: dict[str, str], provider_url: Secret) -> None:
    from argon2 import PasswordHasher

    environment["PROVIDER_ADMIN_PASSWORD"] = PasswordHasher().hash("a password of many letters")
    app = create_app(read_config(provider.config.Config, environment), provider_url)
    async with app.test_app():
        for password, status in (("a password of many letters", 200), (environment["PROVIDER_ADMIN_PASSWORD"], 401)):
            response = await app.test_client().post("/api/token/", json={"username": "admin", "password": password})
            assert response.status_code == status


async def test_starts_at_once_add_the_tables_of_the_demo_once(provider_url: Secret, provider_db: asyncpg.Pool) -> None:
    await asyncio.gather(*(add_demo_tables(provider_url) for _ in range(4)))
    assert await provider_db.fetchval("SELECT count(*) FROM dining_table WHERE can_be_booked") == len(TABLES)
    assert await provider_db.fetchval("SELECT count(*) FROM dining_table_price") == len(TABLES)
