"""The dashboard: where things are counted."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path

from quart import Quart

from common.config import Secret, require
from common.db.pool import create_pool
from common.telemetry import metrics
from common.upstream import session
from common.web import application, health, landing
from dashboard import schedule
from dashboard.board.landing_figures import content
from dashboard.bookings import routes as bookings
from dashboard.bookings.queries import select_data_through
from dashboard.catalog import routes as catalog
from dashboard.catalog.offers_client import OffersService
from dashboard.config import Config
from dashboard.front_desk import routes as front_desk
from dashboard.front_desk.settings import Settings as FrontDeskSettings
from dashboard.uptime.report_runner import Maker
from dashboard.uptime.routes import reports as uptime

MIGRATIONS = Path(__file__).parent / "migrations"

FILE_SECONDS = 3600.0
"""How long a file of stores may take to arrive; it is one statement, and one transaction."""

TITLE = "Nightaudit dashboard"
WORDS = (
    "Where things are counted: bookings by month and day, as of any date, with pickup, pace and lead times; products "
    "with the trend of their prices; when stores were online; and the front desk, where orders are decided."
)
TAGS = {
    "bookings": "The numbers that the house is run by",
    "catalog": "Products, who sells them at what price, and what prices did",
    **uptime.TAGS,
    **front_desk.TAGS,
}
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


def create_app(config: Config, database_url: Secret) -> Quart:
    """The dashboard on a database. Several of them may share one."""
    app = application.create(
        "dashboard",
        title=TITLE,
        description=WORDS,
        tags=TAGS,
        security_schemes={**catalog.SECURITY, **front_desk.SECURITY_SCHEMES},
    )
    jobs = schedule.jobs(config, app)
    app.register_blueprint(bookings.blueprint)
    catalog.install(app, config.api_token)
    uptime.install(app)
    front_desk.install(app, front_desk_settings(config))
    app.register_blueprint(health.blueprint(MIGRATIONS, jobs))
    landing.install(app, title=TITLE, words=WORDS, links=LINKS, content=content)

    async def measure_lag() -> None:
        through = await select_data_through(app.extensions["pool"])
        if through is not None:
            metrics.FEED_LAG.set((datetime.now(UTC) - through).total_seconds())

    app.extensions["measures"].append(measure_lag)

    @app.while_serving
    async def lifecycle() -> AsyncGenerator[None, None]:
        pools = {
            "main": create_pool(database_url, application="dashboard", size=config.pool_size),
            "jobs": create_pool(
                database_url, application="dashboard-jobs", size=6, statement_seconds=300, transaction_seconds=600
            ),
            "uptime": create_pool(
                database_url,
                application="dashboard-uptime",
                size=10,
                statement_seconds=FILE_SECONDS,
                transaction_seconds=FILE_SECONDS,
            ),
        }
        app.extensions["reports"] = Maker(pools["uptime"])
        async with session() as client:
            app.extensions["http"] = client
            offers = app.extensions["offers"] = OffersService(client, config.offers_url, pools["main"])
            async with application.running(app, pools, jobs):
                yield
                await offers.keeper.close()

    return app


def front_desk_settings(config: Config) -> FrontDeskSettings:
    """What the front desk has to know. Raises ConfigError where a secret is missing."""
    return FrontDeskSettings(
        provider_url=config.provider_url,
        accounting_secret=require(config.accounting_secret, "DASHBOARD_ACCOUNTING_SECRET"),
        staff_token=require(config.staff_token, "DASHBOARD_STAFF_TOKEN"),
    )
