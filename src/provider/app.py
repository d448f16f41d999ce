"""The provider: its routes, resources and life cycle."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path

import aiohttp

from common.config import Secret, require_secret
from common.db.distribution import TableLayout
from common.db.pool import create_pool
from common.db.replica import ReplicaPools
from common.db.time_limits import UNLIMITED
from common.jobs import routes as job_routes
from common.jobs import scheduler
from common.upstream import Upstream, create_client_session
from common.web import application, cors, health, landing_page, proxy
from common.web.landing_page import OperatorAddress
from common.web.resources import Application
from provider import schedule
from provider.booking_events import blueprint as booking_events
from provider.booking_events.landing_figures import landing_figures
from provider.booking_events.service import EventWriter, append_events
from provider.config import Config
from provider.dining import blueprint as dining
from provider.dining.auth.passwords import Authenticator
from provider.dining.mail.demo_inbox import smtp_url_for
from provider.dining.settings import DiningSettings, User
from provider.offers import blueprint as offers
from provider.offers.service import PRESENT_TOKEN_SECONDS, OffersBehaviour
from provider.resources import ProviderPools, Resources, resources
from provider.simulated_hotels.jobs import Generator
from provider.simulated_hotels.simulation import Simulation
from provider.stays import blueprint as stays
from provider.stays.calendars.hosts import CalendarHosts, create_calendar_session
from provider.stays.calendars.sources import CalendarReader, measure_sources
from provider.store_polls import blueprint as store_polls

MIGRATIONS = Path(__file__).parent / "migrations"

STREAM_CONNECTIONS = 8
JOB_CONNECTIONS = 4

TITLE = "Nightaudit provider"
DESCRIPTION = (
    "The append-only feed of hotel bookings and cancellations, the simulated hotels, the "
    "storefront where guests reserve stays, restaurant tables, and stand-ins for external services."
)
DEMO_CUSTOMERS = ("cutomer", "josh", "mike")  # the source's own spelling
LINKS = {"/book": "Book a table", "/docs": "API (Swagger)"}


def create_app(config: Config, database_url: Secret) -> Application:
    """Return a provider; several may share a database. Raises ConfigError when a secret is missing."""
    dining_settings = create_dining_settings(config)
    app = application.create(
        "provider",
        title=TITLE,
        description=DESCRIPTION,
        tags={
            **booking_events.TAGS,
            **stays.TAGS,
            **offers.TAGS,
            **store_polls.TAGS,
            **dining.TAGS,
            **(dining.INBOX_TAGS if dining_settings.inbox else {}),
        },
        security_schemes={
            **booking_events.SECURITY_SCHEMES,
            **stays.SECURITY_SCHEMES,
            **offers.SECURITY_SCHEMES,
            **dining.SECURITY_SCHEMES,
        },
    )
    booking_events.install(app)
    stays.install(app)
    offers.install(app)
    dining.install(app, dining_settings)
    store_polls.install(app)
    app.register_blueprint(health.blueprint(MIGRATIONS, [lambda: measure_sources(resources().pools.requests)]))
    app.register_blueprint(job_routes.blueprint(lambda: schedule.jobs(resources())))
    links = LINKS | {"/inbox": "Inbox"} if dining_settings.inbox else LINKS
    landing_page.install(
        app,
        title=TITLE,
        description=DESCRIPTION,
        links=links,
        figures=landing_figures,
        for_operators=operator_addresses(config),
    )

    cors.install(app, config.cors_origins)
    proxy.install(app, config.trusted_proxies)

    @app.while_serving
    async def lifecycle() -> AsyncGenerator[None, None]:
        pools = create_pools(config, database_url)
        hosts = config.calendar_hosts or CalendarHosts()
        async with (
            create_client_session() as http,
            create_calendar_session(hosts) as calendar_http,
            smtp_url_for(dining_settings, pools.requests) as smtp_url,
        ):
            simulation = Simulation(*config.simulated_hotels)
            provider_resources = Resources(
                pools=pools,
                http=http,
                operations_tokens=config.operations_token,
                replica=pools.read_replica(),
                config=config,
                events=TableLayout(pools.requests, "booking_event"),
                event_writer=EventWriter(pools.requests),
                append_events=append_events,
                calendars=CalendarReader(pools.jobs, calendar_http, hosts, config.calendar_seconds, config.timezone),
                generator=Generator(own_feed(http, config), simulation, rate=config.generator_rate),
                offers=create_offers_behaviour(config),
                dining=dining_settings,
                authenticator=Authenticator(dining_settings.users),
                smtp_url=smtp_url,
            )
            async with (
                application.serving(app, provider_resources),
                scheduler.running(pools.jobs, schedule.jobs(provider_resources)),
            ):
                yield

    return app


def operator_addresses(config: Config) -> list[OperatorAddress]:
    """Return where operators find out what works; a browser opens those that need no credential."""
    token = "" if config.operations_token is None else "the token PROVIDER_OPERATIONS_TOKEN"
    return [
        OperatorAddress(
            "/jobs", "Each job: when it ran last, what it did, why it failed, and when it runs next.", token
        ),
        OperatorAddress(
            "/readyz?verbose", "Whether this process can serve: the database, its schema, and the replica."
        ),
        OperatorAddress("/metrics", "All figures for Prometheus.", token),
        OperatorAddress(
            "/conflicts",
            "Nights that a reservation holds although somebody else has them too, or has cancelled them.",
            "the token PROVIDER_STAYS_ADMIN_TOKEN; a holder of properties sees their own",
        ),
        OperatorAddress(
            "/api/admin/outbox/",
            "Mails to guests and orders to the restaurant’s front desk that were not sent, and why.",
            "the log-in of the restaurant’s administrator",
        ),
    ]


def own_feed(http: aiohttp.ClientSession, config: Config) -> Upstream:
    """Return the feed of this process as the simulated hotels call it, with the token that writing requires."""
    token = config.feed_token.current if config.feed_token is not None else None
    return Upstream(http, "own_feed", config.own_url).with_token(token)


def create_pools(config: Config, database_url: Secret) -> ProviderPools:
    """Return the provider's pools, not yet connected."""
    return ProviderPools(
        replica=create_replica_pools(config),
        requests=create_pool(database_url, application="provider", size=config.pool_size),
        streams=create_pool(database_url, application="provider-stream", size=STREAM_CONNECTIONS, timeouts=UNLIMITED),
        jobs=create_pool(database_url, application="provider-jobs", size=JOB_CONNECTIONS),
    )


def create_replica_pools(config: Config) -> ReplicaPools | None:
    """Return the pools of the read replica, not yet connected; None if there is none."""
    url, application = config.read_database_url, "provider-replica"
    if url is None:
        return None
    return ReplicaPools(
        requests=create_pool(url, application=application, size=config.pool_size),
        streams=create_pool(url, application=f"{application}-stream", size=STREAM_CONNECTIONS, timeouts=UNLIMITED),
    )


def create_dining_settings(config: Config) -> DiningSettings:
    """Return the settings of dining. Raises ConfigError when a secret is missing."""
    admin_password = require_secret(config.admin_password, "PROVIDER_ADMIN_PASSWORD")
    users = [User(config.admin_username, admin_password, "admin")]
    if config.demo:
        users += [User(name, Secret("1"), "customer") for name in DEMO_CUSTOMERS]
    return DiningSettings(
        users=tuple(users),
        jwt_secret=require_secret(config.jwt_secret, "PROVIDER_JWT_SECRET"),
        public_url=config.public_url,
        callback_url=config.callback_url or config.public_url,
        accounting_url=config.accounting_url,
        accounting_secret=require_secret(config.accounting_secret, "PROVIDER_ACCOUNTING_SECRET"),
        mail_from=config.mail_from,
        smtp_url=config.smtp_url,
        inbox=config.demo and config.smtp_url is None,
        orders_per_hour=config.orders_per_hour,
        demo_diners=config.demo,
        timezone=config.timezone,
        restaurant_name=config.restaurant_name,
        restaurant_address=config.restaurant_address,
        currency=config.currency,
        reply_to=config.reply_to,
        phone_region=config.phone_region,
        notice=timedelta(minutes=config.notice_minutes),
    )


def create_offers_behaviour(config: Config) -> OffersBehaviour:
    """Return the version, latency, failures and tokens of the offers stand-in."""
    present = config.offers_refresh_token is not None
    token_seconds = config.offers_access_seconds
    second_access = config.offers_second_access or ("refuse" if present else "allow")
    return OffersBehaviour(
        refresh_tokens=config.offers_refresh_token,
        latency=config.offers_latency_ms / 1000,
        error_rate=config.offers_error_rate,
        token_seconds=(PRESENT_TOKEN_SECONDS if present else 0.0) if token_seconds is None else token_seconds,
        one_token=second_access == "refuse",
        tick_seconds=config.offers_tick_seconds,
    )
