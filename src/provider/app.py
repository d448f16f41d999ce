"""The provider: where things happen."""

from collections.abc import AsyncGenerator
from pathlib import Path

from quart import Quart

from common.config import Secret, require
from common.db.pool import create_pool
from common.upstream import session
from common.web import application, health, landing
from provider import schedule
from provider.booking_events import queries as booking_event_queries
from provider.booking_events import routes as booking_events
from provider.booking_events.landing_figures import content
from provider.booking_events.models import NewEvent
from provider.booking_events.service import EventWriter, new_ids
from provider.config import Config
from provider.dining import blueprint as dining
from provider.dining.mail.demo_inbox import mail_leaves_by
from provider.dining.settings import Settings as DiningSettings
from provider.dining.settings import User
from provider.offers import routes as offers
from provider.offers.service import Behaviour
from provider.stays import routes as stays
from provider.stays.service import Feed
from provider.store_polls import routes as store_polls

MIGRATIONS = Path(__file__).parent / "migrations"

TITLE = "Nightaudit provider"
WORDS = (
    "Where things happen: the append-only feed of hotel bookings and cancellations, the simulated hotels, the "
    "storefront where stays are reserved, restaurant tables, and stand-ins for external services."
)
TAGS = {
    "booking events": "The append-only feed of bookings and cancellations",
    "stays": "The storefront: what is free, reservations, properties",
    "offers": "Stand-in for the external offers service, in that service's own formats",
    **store_polls.TAGS,
    **dining.TAGS,
}
DEMO_CUSTOMERS = ("cutomer", "josh", "mike")  # the source's own spelling
LINKS = {
    "/docs": "API (Swagger)",
    "/events?limit=20": "Events",
    "/api/customer/view_tables/": "Tables",
    "/stores/status.csv": "Store polls",
    "/jobs": "Jobs",
    "/metrics": "Metrics",
    "/readyz?verbose": "Health",
}


def create_app(config: Config, database_url: Secret) -> Quart:
    """The provider on a database. Several of them may share one."""
    settings = dining_settings(config)
    app = application.create(
        "provider",
        title=TITLE,
        description=WORDS,
        tags=TAGS | dining.INBOX_TAGS if settings.inbox else TAGS,
        security_schemes={**stays.SECURITY_SCHEMES, **offers.SECURITY, **dining.SECURITY_SCHEMES},
    )
    app.extensions["config"] = config
    app.extensions["feed"] = Feed(NewEvent, new_ids, booking_event_queries.insert_events)
    jobs = schedule.jobs(config, app)
    app.register_blueprint(booking_events.blueprint)
    app.register_blueprint(stays.blueprint)
    offers.install(app, offers_behaviour(config))
    dining.install(app, settings)
    app.register_blueprint(store_polls.blueprint)
    app.register_blueprint(health.blueprint(MIGRATIONS, jobs))
    links = LINKS | {"/inbox": "Inbox"} if settings.inbox else LINKS
    landing.install(app, title=TITLE, words=WORDS, links=links, content=content)

    @app.while_serving
    async def lifecycle() -> AsyncGenerator[None, None]:
        pools = {
            "main": create_pool(database_url, application="provider", size=config.pool_size),
            "stream": create_pool(
                database_url, application="provider-stream", size=8, statement_seconds=0, transaction_seconds=0
            ),
            "jobs": create_pool(database_url, application="provider-jobs", size=4),
        }
        app.extensions["event_writer"] = EventWriter(pools["main"])
        async with session() as client, mail_leaves_by(settings, pools["main"]) as smtp_url:
            app.extensions["http"] = client
            app.extensions["smtp_url"] = smtp_url
            async with application.running(app, pools, jobs):
                yield

    return app


def dining_settings(config: Config) -> DiningSettings:
    """What dining has to know. Raises ConfigError where a secret is missing."""
    admin_password = require(config.admin_password, "PROVIDER_ADMIN_PASSWORD")
    users = [User(config.admin_username, admin_password, "admin")]
    if config.demo:
        users += [User(name, Secret("1"), "customer") for name in DEMO_CUSTOMERS]
    return DiningSettings(
        users=tuple(users),
        jwt_secret=require(config.jwt_secret, "PROVIDER_JWT_SECRET"),
        public_url=config.public_url,
        callback_url=config.callback_url or config.public_url,
        accounting_url=config.accounting_url,
        accounting_secret=require(config.accounting_secret, "PROVIDER_ACCOUNTING_SECRET"),
        mail_from=config.mail_from,
        smtp_url=config.smtp_url,
        inbox=config.demo and config.smtp_url is None,
    )


def offers_behaviour(config: Config) -> Behaviour:
    """How the stand-in of the offers service behaves, and misbehaves."""
    return Behaviour(
        latency=config.offers_latency_ms / 1000,
        error_rate=config.offers_error_rate,
        token_seconds=config.offers_access_seconds,
        one_token=config.offers_second_access == "refuse",
        tick_seconds=config.offers_tick_seconds,
    )
