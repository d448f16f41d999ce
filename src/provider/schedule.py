"""The provider's jobs and their intervals."""

from datetime import UTC, datetime

from common.jobs.lease import Job, JobResult, Lease
from common.web.idempotency import delete_old_keys
from provider.dining import jobs as dining
from provider.dining.sms import LoggingSmsGateway
from provider.offers.jobs import delete_old_tokens
from provider.resources import Resources
from provider.store_polls.jobs import poll_fleet

HOUR = 3600.0


def jobs(resources: Resources) -> list[Job]:
    """Return the provider's jobs. An interval of 0 disables a job."""
    config, db = resources.config, resources.pools.jobs

    async def simulate_hotels(lease: Lease) -> JobResult:
        return await resources.generator.run(lease, datetime.now(UTC))

    async def send_guest_messages(_: Lease) -> JobResult:
        return await dining.send_guest_messages(db, resources.smtp_url, LoggingSmsGateway())

    async def forward_orders(_: Lease) -> JobResult:
        return await dining.forward_orders(db, resources.http, resources.dining)

    async def delete_messages(_: Lease) -> JobResult:
        return await dining.delete_old_messages(db)

    async def poll_stores(lease: Lease) -> JobResult:
        return {"polls": await poll_fleet(db, lease, datetime.now(UTC))}

    async def delete_offers_tokens(_: Lease) -> JobResult:
        return await delete_old_tokens(db, datetime.now(UTC))

    async def delete_idempotency_keys(_: Lease) -> JobResult:
        return {"deleted": await delete_old_keys(db)}

    return [
        Job("simulate_hotels", 1 if config.generator_rate else 0, simulate_hotels),
        Job("send_guest_messages", config.outbox_seconds, send_guest_messages, timeout=120),
        Job("forward_orders", config.outbox_seconds, forward_orders, timeout=120),
        Job("delete_messages", HOUR, delete_messages),
        Job("poll_stores", config.stores_rate, poll_stores, timeout=900),
        Job("delete_offers_tokens", HOUR, delete_offers_tokens),
        Job("delete_idempotency_keys", HOUR, delete_idempotency_keys),
    ]
