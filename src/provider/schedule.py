"""The provider's jobs and their intervals."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from common.db.pool import Executor
from common.jobs.cleanup import Retention, forget_old, platform
from common.jobs.lease import Job, JobResult, Lease
from provider.config import Config
from provider.dining import demo_diners, erasure
from provider.dining import jobs as dining
from provider.dining.queries.bookings import delete_expired_cancel_tokens
from provider.dining.queries.revoked_tokens import delete_expired_revoked_tokens
from provider.dining.sms import LoggingSmsGateway
from provider.offers.queries import delete_expired_tokens
from provider.resources import Resources
from provider.stays import jobs as stays
from provider.store_polls.jobs import poll_fleet
from provider.store_polls.queries import delete_old_polls


def jobs(resources: Resources) -> list[Job]:
    """Return the provider's jobs. An interval of 0 disables a job."""
    config, db = resources.config, resources.pools.jobs

    async def simulate_hotels(lease: Lease) -> JobResult:
        return await resources.generator.run(lease, datetime.now(UTC))

    async def send_guest_messages(_: Lease) -> JobResult:
        return await dining.send_guest_messages(db, resources.dining, resources.smtp_url, LoggingSmsGateway())

    async def forward_orders(_: Lease) -> JobResult:
        return await dining.forward_orders(db, resources.http, resources.dining)

    async def expire_orders(_: Lease) -> JobResult:
        return await dining.expire_orders(db, resources.dining, datetime.now(UTC))

    async def order_as_diner(_: Lease) -> JobResult:
        return await demo_diners.order_as_diner(db, resources.dining, datetime.now(UTC))

    async def erase_old_guests(_: Executor, keep: timedelta, limit: int) -> int:
        return await erasure.erase_old_guests(db, resources.dining, datetime.now(UTC), keep, limit)

    async def poll_stores(lease: Lease) -> JobResult:
        return {"polls": await poll_fleet(db, lease, datetime.now(UTC))}

    async def read_calendars(lease: Lease) -> JobResult:
        return await resources.calendars.run(lease, datetime.now(UTC))

    async def split_segments(lease: Lease) -> JobResult:
        return await stays.split_segments(db, lease)

    return [
        Job("simulate_hotels", 1 if config.generator_rate else 0, simulate_hotels),
        Job("send_guest_messages", config.outbox_seconds, send_guest_messages, timeout=120),
        Job("forward_orders", config.outbox_seconds, forward_orders, timeout=120),
        Job("expire_orders", dining.EXPIRY_SECONDS if config.outbox_seconds else 0, expire_orders),
        Job("order_as_diner", config.diners_rate if config.demo else 0, order_as_diner),
        Job(stays.READ_CALENDARS, config.calendar_seconds, read_calendars, timeout=900),
        Job("split_segments", stays.SPLIT_SECONDS, split_segments, timeout=900),
        Job("poll_stores", config.stores_rate, poll_stores, timeout=900),
        forget_old(
            db,
            {**retentions(config), "guests": Retention(timedelta(days=config.keep_guests_days), erase_old_guests)},
        ),
    ]


def retentions(config: Config) -> Mapping[str, Retention]:
    """How long the provider keeps the rows of each table that grows; zero means for ever.

    `jobs` adds the guests of bookings, whose erasure sends messages.
    """
    traces = timedelta(days=config.keep_traces_days)
    return {
        **platform(traces),
        "cancel_tokens": Retention(traces, delete_expired_cancel_tokens),
        "revoked_tokens": Retention(traces, delete_expired_revoked_tokens),
        "offers_tokens": Retention(traces, delete_expired_tokens),
        "simulated_polls": Retention(traces, delete_old_polls),
    }
