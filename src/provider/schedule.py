"""Every timer of the provider."""

from datetime import UTC, datetime, timedelta

from quart import Quart

from common.jobs.scheduler import Did, Job, Lease
from common.upstream import Upstream
from common.web.idempotency import delete_old_keys
from provider.config import Config
from provider.dining import jobs as dining
from provider.dining.sms import LoggedTexting
from provider.offers.queries import delete_expired_tokens
from provider.simulated_hotels import Simulation
from provider.simulated_hotels.jobs import Generator
from provider.store_polls.jobs import poll_fleet

HOUR = 3600.0


def jobs(config: Config, app: Quart) -> list[Job]:
    """The provider's jobs; they take what they need from the running application."""
    return [
        *booking_event_jobs(config, app),
        *dining_jobs(config, app),
        Job("poll_stores", config.stores_rate, lambda lease: poll_stores(app, lease), timeout=900),
        Job("forget_offers_tokens", HOUR, lambda _: forget_offers_tokens(app)),
        Job("forget_idempotency_keys", HOUR, lambda _: forget_idempotency_keys(app)),
    ]


async def forget_offers_tokens(app: Quart) -> Did:
    a_day_ago = datetime.now(UTC) - timedelta(days=1)
    return {"deleted": await delete_expired_tokens(app.extensions["pools"]["jobs"], a_day_ago)}


async def poll_stores(app: Quart, lease: Lease) -> Did:
    return {"polls": await poll_fleet(app.extensions["pools"]["jobs"], lease, datetime.now(UTC))}


async def forget_idempotency_keys(app: Quart) -> Did:
    return {"deleted": await delete_old_keys(app.extensions["pools"]["jobs"])}


def booking_event_jobs(config: Config, app: Quart) -> list[Job]:
    """The simulated hotels."""

    def generator() -> Generator:
        if "generator" not in app.extensions:
            hotels = Simulation(config.generator_seed, config.generator_hotels, config.generator_rooms)
            provider = Upstream(app.extensions["http"], "own_feed", config.own_url)
            app.extensions["generator"] = Generator(provider, hotels, rate=config.generator_rate)
        return app.extensions["generator"]

    async def simulate_hotels(lease: Lease) -> Did:
        return await generator().run(lease, datetime.now(UTC))

    return [Job("simulate_hotels", 1 if config.generator_rate else 0, simulate_hotels)]


def dining_jobs(config: Config, app: Quart) -> list[Job]:
    """Mails to guests, orders to the accounting program, and the forgetting of what arrived."""

    async def tell_guests(_: Lease) -> Did:
        db, settings = app.extensions["pools"]["jobs"], app.extensions["dining"]
        return await dining.tell_guests(db, settings, app.extensions["smtp_url"], LoggedTexting())

    async def forward_orders(_: Lease) -> Did:
        db, client, settings = app.extensions["pools"]["jobs"], app.extensions["http"], app.extensions["dining"]
        return await dining.forward_orders(db, client, settings)

    async def forget_messages(_: Lease) -> Did:
        return await dining.forget(app.extensions["pools"]["jobs"])

    return [
        Job("tell_guests", config.outbox_seconds, tell_guests, timeout=120),
        Job("forward_orders", config.outbox_seconds, forward_orders, timeout=120),
        Job("forget_messages", HOUR, forget_messages),
    ]
