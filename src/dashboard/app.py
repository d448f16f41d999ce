"""The dashboard: counts bookings, tracks offers, reports on stores, and runs the front desk."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from common.config import Secret, require_secret
from common.db.distribution import TableLayout
from common.db.pool import create_pool
from common.db.replica import ReplicaPools
from common.db.time_limits import Timeouts
from common.jobs import routes as job_routes
from common.jobs import scheduler
from common.upstream import create_client_session
from common.web import application, cors, health, proxy
from common.web.resources import Application, pool
from dashboard import rights, schedule
from dashboard.alerts import blueprint as alerts
from dashboard.alerts.service import measure_alerts
from dashboard.board import blueprint as board
from dashboard.bookings import blueprint as bookings
from dashboard.bookings.ingestion import Ingestion
from dashboard.bookings.night_audit import NightAudit
from dashboard.bookings.service import measure_feeds
from dashboard.catalog import blueprint as catalog
from dashboard.catalog.offers_client import OffersClient
from dashboard.config import DEMO_STAFF_TOKEN, Config
from dashboard.feed_client import create_feed
from dashboard.front_desk import blueprint as front_desk
from dashboard.front_desk.settings import FrontDeskSettings
from dashboard.resources import DashboardPools, Resources, resources
from dashboard.uptime import blueprint as uptime
from dashboard.uptime.fleet_figures import FleetFigures
from dashboard.uptime.report_runner import ReportRunner
from dashboard.uptime.service import measure_poll_age

MIGRATIONS = Path(__file__).parent / "migrations"

JOB_CONNECTIONS = 6
CONNECTIONS_OF_A_FEED = 2
"""Those of its ingestion and its night audit, while they wait for another feed's transaction to end."""
JOB_TIMEOUTS = Timeouts(statement=300, transaction=600)
UPTIME_CONNECTIONS = 10
UPTIME_TIMEOUTS = Timeouts(statement=3600, transaction=3600)
"""Those of a store file upload, which is one statement and one transaction."""

TITLE = "Nightaudit dashboard"
DESCRIPTION = (
    "Counts bookings by month and day, as of any date, with pickup, pace and lead times; tracks prices of products; "
    "reports when stores were online; and runs the front desk, where staff decide orders."
)


def create_app(config: Config, database_url: Secret) -> Application:
    """Create a dashboard; several may share one database. Raises ConfigError when a secret is missing."""
    config.require_secrets()
    front_desk_settings = front_desk_settings_of(config)
    app = application.create(
        "dashboard",
        title=TITLE,
        description=DESCRIPTION,
        tags={**bookings.TAGS, **catalog.TAGS, **uptime.TAGS, **front_desk.TAGS, **alerts.TAGS},
        security_schemes={**rights.SECURITY_SCHEMES, **front_desk.SECURITY_SCHEMES},
    )
    bookings.install(app)
    catalog.install(app)
    uptime.install(app)
    front_desk.install(app)
    alerts.install(app)
    board.install(app)
    measures = [
        lambda: measure_feeds(pool(), config.feed_names, datetime.now(UTC)),
        lambda: measure_poll_age(pool(), datetime.now(UTC)),
        lambda: measure_alerts(pool()),
    ]
    app.register_blueprint(health.blueprint(MIGRATIONS, measures=measures))
    app.register_blueprint(job_routes.blueprint(lambda: resources().jobs))

    cors.install(app, config.cors_origins)
    proxy.install(app, config.trusted_proxies)

    @app.while_serving
    async def lifecycle() -> AsyncGenerator[None, None]:
        pools = create_pools(config, database_url)
        async with create_client_session() as http:
            feeds = [create_feed(http, source) for source in config.feeds]
            lookback = timedelta(seconds=config.ingest_lookback_seconds)
            offers = OffersClient(http, config.offers_url, pools.requests, config.offers_refresh_token)
            without_jobs = Resources(
                pools=pools,
                http=http,
                operations_tokens=config.operations_token,
                replica=pools.read_replica(),
                config=config,
                counters=TableLayout(pools.requests, "night_counter"),
                ingestions=[
                    Ingestion(pools.jobs, feed, lookback=lookback, timezone=config.hotel_timezone) for feed in feeds
                ],
                night_audits=[NightAudit(pools.jobs, feed, lookback, config.hotel_timezone) for feed in feeds],
                offers=offers,
                front_desk=front_desk_settings,
                report_runner=ReportRunner(pools.uptime),
                fleet=FleetFigures(pools.requests),
            )
            jobs = schedule.jobs(without_jobs)
            async with (
                application.serving(app, replace(without_jobs, jobs=jobs)),
                without_jobs.fleet.warm(datetime.now(UTC)),
                scheduler.running(pools.jobs, jobs),
            ):
                yield
                await offers.shared_token.close()

    return app


def create_pools(config: Config, database_url: Secret) -> DashboardPools:
    """The dashboard's pools, not yet connected."""
    return DashboardPools(
        replica=create_replica_pools(config),
        requests=create_pool(database_url, application="dashboard", size=config.pool_size),
        jobs=create_pool(
            database_url,
            application="dashboard-jobs",
            size=JOB_CONNECTIONS + CONNECTIONS_OF_A_FEED * len(config.further_feeds or ()),
            timeouts=JOB_TIMEOUTS,
        ),
        uptime=create_pool(
            database_url,
            application="dashboard-uptime",
            size=UPTIME_CONNECTIONS,
            timeouts=UPTIME_TIMEOUTS,
        ),
    )


def create_replica_pools(config: Config) -> ReplicaPools | None:
    """The pools of the read replica, not yet connected; None if there is none."""
    url, application = config.read_database_url, "dashboard-replica"
    if url is None:
        return None
    return ReplicaPools(
        requests=create_pool(url, application=application, size=config.pool_size),
        streams=create_pool(
            url, application=f"{application}-stream", size=UPTIME_CONNECTIONS, timeouts=UPTIME_TIMEOUTS
        ),
    )


def front_desk_settings_of(config: Config) -> FrontDeskSettings:
    """The settings of the front desk. Raises ConfigError when a secret is missing."""
    staff_token = require_secret(config.staff_token, "DASHBOARD_STAFF_TOKEN")
    return FrontDeskSettings(
        provider_url=config.provider_url.reveal(),
        accounting_secret=require_secret(config.accounting_secret, "DASHBOARD_ACCOUNTING_SECRET"),
        staff_token=staff_token,
        shown_token=DEMO_STAFF_TOKEN if config.demo and staff_token.accepts(DEMO_STAFF_TOKEN) else None,
    )
