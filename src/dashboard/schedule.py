"""Every timer of the dashboard."""

from datetime import UTC, datetime, timedelta

from quart import Quart

from common.jobs.scheduler import Did, Job, Lease
from common.upstream import Upstream
from common.web.idempotency import delete_old_keys
from dashboard.bookings import jobs as bookings
from dashboard.bookings.ingestion import Ingestion
from dashboard.catalog.jobs import Refresh
from dashboard.config import Config
from dashboard.feed_client import BookingFeed
from dashboard.front_desk import jobs as front_desk
from dashboard.uptime.intake.pull import pull, source_at

HOUR = 3600.0
REGISTER_SECONDS = 5
"""How often pending products are tried; after a failure each of them waits longer."""
REPORT_SECONDS = 2
"""How often reports are looked for whose maker died; they are begun when they are asked for."""


def jobs(config: Config, app: Quart) -> list[Job]:
    """The dashboard's jobs; they take what they need from the running application."""
    return [
        *booking_jobs(config, app),
        *catalog_jobs(config, app),
        *front_desk_jobs(config, app),
        *uptime_jobs(config, app),
        Job("forget_idempotency_keys", HOUR, lambda _: forget_idempotency_keys(app)),
    ]


async def forget_idempotency_keys(app: Quart) -> Did:
    return {"deleted": await delete_old_keys(app.extensions["pools"]["jobs"])}


def booking_jobs(config: Config, app: Quart) -> list[Job]:
    """The ingestion of the feed, and the night audit."""
    lookback = timedelta(seconds=config.ingest_lookback_seconds)

    def ingestion() -> Ingestion:
        if "ingestion" not in app.extensions:
            feed = BookingFeed(Upstream(app.extensions["http"], "booking_feed", config.provider_url))
            app.extensions["ingestion"] = Ingestion(app.extensions["pools"]["jobs"], feed, lookback=lookback)
        return app.extensions["ingestion"]

    async def ingest(lease: Lease) -> Did:
        return await bookings.ingest(ingestion(), lease)

    async def night_audit(lease: Lease) -> Did:
        return await bookings.audit(app.extensions["pools"]["jobs"], ingestion(), lease, lookback)

    return [
        Job("ingest_booking_events", config.ingest_seconds, ingest, timeout=HOUR),
        Job("night_audit", config.audit_seconds, night_audit, timeout=6 * HOUR),
    ]


def catalog_jobs(config: Config, app: Quart) -> list[Job]:
    """The registration of products, and the refresh of their offers."""
    register_seconds = min(REGISTER_SECONDS, config.offers_seconds)
    # A run may take longer than the interval; the lease keeps the next one waiting until it has ended.
    longest = max(900.0, 10.0 * config.offers_seconds)

    def refresh(lease: Lease, interval: float) -> Refresh:
        db, service = app.extensions["pools"]["jobs"], app.extensions["offers"]
        return Refresh(db, service, lease, concurrency=config.offers_concurrency, interval=interval)

    async def register_products(lease: Lease) -> Did:
        return await refresh(lease, register_seconds).run(registered=False)

    async def refresh_offers(lease: Lease) -> Did:
        return await refresh(lease, config.offers_seconds).run(registered=True)

    return [
        Job("register_products", register_seconds, register_products, timeout=longest),
        Job("refresh_offers", config.offers_seconds, refresh_offers, timeout=longest),
    ]


def front_desk_jobs(config: Config, app: Quart) -> list[Job]:
    """The decisions on their way back, and the forgetting of what arrived."""

    async def send_decisions(_: Lease) -> Did:
        db, client, settings = app.extensions["pools"]["jobs"], app.extensions["http"], app.extensions["front_desk"]
        return await front_desk.send_decisions(db, client, settings)

    async def forget_messages(_: Lease) -> Did:
        return await front_desk.forget(app.extensions["pools"]["jobs"])

    return [
        Job("send_decisions", config.outbox_seconds, send_decisions, timeout=120),
        Job("forget_messages", HOUR, forget_messages),
    ]


def uptime_jobs(config: Config, app: Quart) -> list[Job]:
    """The pull of the store files, and the reports that nobody is making."""

    async def pull_stores(lease: Lease) -> Did:
        source = source_at(app.extensions["http"], config.stores_url)
        return await pull(app.extensions["pools"]["uptime"], lease, source, datetime.now(UTC))

    async def make_reports(_: Lease) -> Did:
        return {"made": await app.extensions["reports"].make_waiting()}

    return [
        Job("pull_stores", config.stores_seconds, pull_stores, timeout=HOUR, at_start=True),
        Job("make_reports", REPORT_SECONDS, make_reports, timeout=HOUR),
    ]
