"""The dashboard: where things are counted."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from common.config import Secret, require_secret
from common.db.pool import create_pool
from common.jobs import routes as job_routes
from common.jobs import scheduler
from common.upstream import Upstream, create_client_session
from common.web import application, health, landing
from common.web.resources import Application
from dashboard import schedule
from dashboard.board.landing_figures import content
from dashboard.bookings import blueprint as bookings
from dashboard.bookings.ingestion import Ingestion
from dashboard.bookings.jobs import FEED_LAG
from dashboard.bookings.queries import select_data_through
from dashboard.catalog import blueprint as catalog
from dashboard.catalog.offers_client import OffersService
from dashboard.config import Config
from dashboard.feed_client import BookingFeed
from dashboard.front_desk import blueprint as front_desk
from dashboard.front_desk.settings import FrontDeskSettings
from dashboard.resources import DashboardPools, Resources, resources
from dashboard.uptime import blueprint as uptime
from dashboard.uptime.report_runner import ReportRunner

MIGRATIONS = Path(__file__).parent / "migrations"

FILE_SECONDS = 3600.0
"""How long a store file may take to arrive; it is one statement, and one transaction."""

TITLE = "Nightaudit dashboard"
DESCRIPTION = (
    "Where things are counted: bookings by month and day, as of any date, with pickup, pace and lead times; products "
    "with the trend of their prices; when stores were online; and the front desk, where orders are decided."
)
LINKS = {
    "/docs": "API (Swagger)",
    "/hotels": "Hotels",
    "/products": "Products",
    "/stores?order=downtime": "Stores",
    "/reports": "Reports on stores",
    "/quarantine": "Quarantine",
    "/front-desk": "Front desk",
    "/jobs": "Jobs",
    "/metrics": "Metrics",
    "/readyz?verbose": "Health",
}


def create_app(config: Config, database_url: Secret) -> Application:
    """A dashboard on a database. Several of them may share one. Raises ConfigError where a secret is missing."""
    front_desk_settings = front_desk_settings_of(config)
    app = application.create(
        "dashboard",
        title=TITLE,
        description=DESCRIPTION,
        tags={**bookings.TAGS, **catalog.TAGS, **uptime.TAGS, **front_desk.TAGS},
        security_schemes={**catalog.SECURITY_SCHEMES, **front_desk.SECURITY_SCHEMES},
    )
    bookings.install(app)
    catalog.install(app)
    uptime.install(app)
    front_desk.install(app)
    app.register_blueprint(health.blueprint(MIGRATIONS, measures=[measure_feed_lag]))
    app.register_blueprint(job_routes.blueprint(lambda: schedule.jobs(resources())))
    landing.install(app, title=TITLE, words=DESCRIPTION, links=LINKS, content=content)

    @app.while_serving
    async def lifecycle() -> AsyncGenerator[None, None]:
        pools = create_pools(config, database_url)
        async with create_client_session() as http:
            feed = BookingFeed(Upstream(http, "booking_feed", config.provider_url))
            offers = OffersService(http, config.offers_url, pools.requests)
            dashboard_resources = Resources(
                pools=pools,
                http=http,
                config=config,
                ingestion=Ingestion(pools.jobs, feed, lookback=timedelta(seconds=config.ingest_lookback_seconds)),
                offers=offers,
                front_desk=front_desk_settings,
                report_runner=ReportRunner(pools.uptime),
            )
            async with (
                application.serving(app, dashboard_resources),
                scheduler.running(pools.jobs, schedule.jobs(dashboard_resources)),
            ):
                yield
                await offers.keeper.close()

    return app


def create_pools(config: Config, database_url: Secret) -> DashboardPools:
    """The dashboard's pools, not yet connected."""
    return DashboardPools(
        requests=create_pool(database_url, application="dashboard", size=config.pool_size),
        jobs=create_pool(
            database_url, application="dashboard-jobs", size=6, statement_seconds=300, transaction_seconds=600
        ),
        uptime=create_pool(
            database_url,
            application="dashboard-uptime",
            size=10,
            statement_seconds=FILE_SECONDS,
            transaction_seconds=FILE_SECONDS,
        ),
    )


async def measure_feed_lag() -> None:
    """Set the gauge of how far the counters are behind the feed."""
    through = await select_data_through(resources().pools.requests)
    if through is not None:
        FEED_LAG.set((datetime.now(UTC) - through).total_seconds())


def front_desk_settings_of(config: Config) -> FrontDeskSettings:
    """The settings of the front desk. Raises ConfigError where a secret is missing."""
    return FrontDeskSettings(
        provider_url=config.provider_url,
        accounting_secret=require_secret(config.accounting_secret, "DASHBOARD_ACCOUNTING_SECRET"),
        staff_token=require_secret(config.staff_token, "DASHBOARD_STAFF_TOKEN"),
    )
