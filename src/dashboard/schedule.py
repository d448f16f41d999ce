"""The jobs of the dashboard."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from common.config import require_secret
from common.jobs.cleanup import Retention, forget_old, platform
from common.jobs.lease import Job, JobResult, Lease
from dashboard.alerts.jobs import Evaluation, send_alerts
from dashboard.alerts.queries.alerts import delete_old_alerts
from dashboard.alerts.receiver import AlertReceiver
from dashboard.bookings.ingestion import Ingestion
from dashboard.bookings.job_names import INGESTION, NIGHT_AUDIT, job_of_feed
from dashboard.bookings.night_audit import NightAudit
from dashboard.bookings.queries.quarantine import delete_old_quarantined
from dashboard.bookings.time_zones import recount_due_hotels
from dashboard.catalog.jobs import Refresh, delete_old_prices
from dashboard.catalog.queries.refresh import PriceRules
from dashboard.catalog.queries.retention import delete_closed_offers
from dashboard.catalog.service import shortest_gap
from dashboard.config import Config
from dashboard.front_desk import jobs as front_desk
from dashboard.resources import Resources
from dashboard.uptime import jobs as uptime
from dashboard.uptime.intake.sources import source_at
from dashboard.uptime.queries.retention import delete_old_imports, delete_old_polls, delete_old_reports
from dashboard.watches import watches

HOUR = 3600.0
MAX_REGISTER_SECONDS = 5
"""Interval of the registration of pending products; a product whose registration failed waits longer."""
REPORT_SECONDS = 2
"""Interval at which interrupted reports are resumed; a report normally starts with its request."""
ALERTS_WAIT = timedelta(seconds=30)
"""How long after a start no rule is evaluated: after a stop everything is old until the jobs have caught up."""
STORE_DAYS_SECONDS = 60
"""Interval at which the figures of stores' days that are over are made."""
STORE_DAYS_RUN_SECONDS = 600
"""How long one run goes on at most."""


def jobs(resources: Resources) -> list[Job]:
    """The dashboard's jobs. Interval 0 switches a job off."""
    others = [
        *booking_jobs(resources),
        *catalog_jobs(resources),
        *front_desk_jobs(resources),
        *uptime_jobs(resources),
        forget_old(resources.pools.jobs, retentions(resources.config)),
    ]
    return [*others, *alert_jobs(resources, others)]


def retentions(config: Config) -> Mapping[str, Retention]:
    """How long the dashboard keeps the rows of each table that grows; zero means for ever."""
    traces = timedelta(days=config.keep_traces_days)
    return {
        **platform(traces),
        "quarantined_events": Retention(traces, delete_old_quarantined),
        "prices": Retention(timedelta(days=config.keep_prices_days), delete_old_prices),
        "closed_offers": Retention(traces, delete_closed_offers),
        "reports": Retention(timedelta(days=config.keep_reports_days), delete_old_reports),
        "polls": Retention(timedelta(days=config.keep_polls_days), delete_old_polls),
        "imports": Retention(traces, delete_old_imports),
        "alerts": Retention(traces, delete_old_alerts),
    }


def booking_jobs(resources: Resources) -> list[Job]:
    """The ingestion and the night audit of each booking feed, and the recount of hotels whose time zone has changed."""
    config = resources.config

    async def recount_hotels(lease: Lease) -> JobResult:
        return {"recounted": await recount_due_hotels(resources.pools.jobs, lease, config.hotel_timezone)}

    return [
        *(_ingestion_job(ingestion, config) for ingestion in resources.ingestions),
        *(_night_audit_job(night_audit, config) for night_audit in resources.night_audits),
        Job("recount_hotels", HOUR, recount_hotels, timeout=6 * HOUR, at_start=True),
    ]


def _ingestion_job(ingestion: Ingestion, config: Config) -> Job:
    async def ingest(lease: Lease) -> JobResult:
        return await ingestion.run(lease, datetime.now(UTC))

    return Job(job_of_feed(INGESTION, ingestion.feed.name), config.ingest_seconds, ingest, timeout=HOUR)


def _night_audit_job(night_audit: NightAudit, config: Config) -> Job:
    name = job_of_feed(NIGHT_AUDIT, night_audit.feed.name)
    return Job(name, config.audit_seconds, night_audit.run, timeout=6 * HOUR)


def catalog_jobs(resources: Resources) -> list[Job]:
    """The registration of products, and the refresh of their offers."""
    config, db = resources.config, resources.pools.jobs
    refresh_seconds = config.offers_seconds if config.offers_url is not None else 0
    register_seconds = min(MAX_REGISTER_SECONDS, refresh_seconds)
    # A run may take longer than the interval; the lease delays the next run until it has ended.
    timeout = max(900.0, 10.0 * refresh_seconds)

    rules = PriceRules(config.allows_free_offers, shortest_gap(config.offers_seconds))

    def refresh(lease: Lease, interval: float) -> Refresh:
        concurrency = config.offers_concurrency
        return Refresh(db, resources.offers, lease, concurrency=concurrency, interval=interval, rules=rules)

    async def register_products(lease: Lease) -> JobResult:
        return await refresh(lease, register_seconds).run(registered=False)

    async def refresh_offers(lease: Lease) -> JobResult:
        return await refresh(lease, refresh_seconds).run(registered=True)

    return [
        Job("register_products", register_seconds, register_products, timeout=timeout),
        Job("refresh_offers", refresh_seconds, refresh_offers, timeout=timeout),
    ]


def front_desk_jobs(resources: Resources) -> list[Job]:
    """The delivery of decisions to the provider."""
    config, db = resources.config, resources.pools.jobs

    async def send_decisions(_: Lease) -> JobResult:
        return await front_desk.send_decisions(db, resources.http, resources.front_desk)

    return [Job("send_decisions", config.outbox_seconds, send_decisions, timeout=120)]


def uptime_jobs(resources: Resources) -> list[Job]:
    """The pull of the store files, the resumption of interrupted reports, and the figures of stores' days."""
    config = resources.config

    async def pull_stores(lease: Lease) -> JobResult:
        source = source_at(resources.http, config.stores_url.reveal())
        options = uptime.PullOptions(timedelta(hours=config.stores_overlap_hours), patience=uptime.START_UP_SECONDS)
        return await uptime.pull_store_files(resources.pools.uptime, lease, source, datetime.now(UTC), options)

    async def make_reports(_: Lease) -> JobResult:
        return {"made": await resources.report_runner.make_waiting()}

    async def make_store_days(_: Lease) -> JobResult:
        return {"stores": await resources.report_runner.make_days(datetime.now(UTC), STORE_DAYS_RUN_SECONDS)}

    return [
        Job("pull_stores", config.stores_seconds, pull_stores, timeout=HOUR, at_start=True),
        Job("make_reports", REPORT_SECONDS, make_reports, timeout=HOUR),
        Job("make_store_days", STORE_DAYS_SECONDS, make_store_days, timeout=HOUR),
    ]


def alert_jobs(resources: Resources, others: Sequence[Job]) -> list[Job]:
    """The evaluation of the rules of alerts, also of those about the other jobs, and the sending of announcements."""
    config, db = resources.config, resources.pools.jobs
    receiver = alert_receiver(config)
    begins_at = datetime.now(UTC) + ALERTS_WAIT
    names = [job.name for job in others if job.interval > 0]

    async def evaluate_alerts(lease: Lease) -> JobResult:
        now = datetime.now(UTC)
        return await evaluation.run(lease, now) if now >= begins_at else {}

    evaluate = Job("evaluate_alerts", config.alert_seconds, evaluate_alerts, timeout=300)
    made = [evaluate]
    if receiver is not None:

        async def send(_: Lease) -> JobResult:
            return await send_alerts(db, resources.http, receiver)

        made.append(Job("send_alerts", config.outbox_seconds, send, timeout=120))
    watched = watches(config, [*names, *(job.name for job in made)])
    evaluation = Evaluation(db, watched, has_receiver=receiver is not None)
    return made


def alert_receiver(config: Config) -> AlertReceiver | None:
    """The receiver of announcements; None if there is none."""
    if config.alert_webhook_url is None:
        return None
    return AlertReceiver(config.alert_webhook_url, require_secret(config.alert_secret, "DASHBOARD_ALERT_SECRET"))
