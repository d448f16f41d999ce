"""The provider's jobs and their intervals."""

from datetime import UTC, datetime

from common.db.pool import Executor
from common.jobs.cleanup import delete_old_rows
from common.jobs.lease import Job, JobResult, Lease
from provider.dining import jobs as dining
from provider.dining.queries.bookings import delete_expired_cancel_tokens
from provider.dining.sms import LoggingSmsGateway
from provider.offers.jobs import delete_old_tokens
from provider.resources import Resources
from provider.store_polls.jobs import poll_fleet


def jobs(resources: Resources) -> list[Job]:
    """Return the provider's jobs. An interval of 0 disables a job."""
    config, db = resources.config, resources.pools.jobs

    async def simulate_hotels(lease: Lease) -> JobResult:
        return await resources.generator.run(lease, datetime.now(UTC))

    async def send_guest_messages(_: Lease) -> JobResult:
        return await dining.send_guest_messages(db, resources.smtp_url, LoggingSmsGateway())

    async def forward_orders(_: Lease) -> JobResult:
        return await dining.forward_orders(db, resources.http, resources.dining)

    async def poll_stores(lease: Lease) -> JobResult:
        return {"polls": await poll_fleet(db, lease, datetime.now(UTC))}

    async def delete_old_offers_tokens(db: Executor) -> int:
        return await delete_old_tokens(db, datetime.now(UTC))

    return [
        Job("simulate_hotels", 1 if config.generator_rate else 0, simulate_hotels),
        Job("send_guest_messages", config.outbox_seconds, send_guest_messages, timeout=120),
        Job("forward_orders", config.outbox_seconds, forward_orders, timeout=120),
        Job("poll_stores", config.stores_rate, poll_stores, timeout=900),
        delete_old_rows(db, cancel_tokens=delete_expired_cancel_tokens, offers_tokens=delete_old_offers_tokens),
    ]
