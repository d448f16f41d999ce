"""`python -m provider audit`, which recounts the nights that can be sold."""

from common.config import Secret
from common.db.pool import create_pool, transaction
from common.db.replica import read_by_command
from common.db.time_limits import UNLIMITED
from provider.stays.audit import find_differences
from provider.stays.queries import free_stretches

MAX_NAMED = 100
"""Properties that are named."""


async def run_audit(url: Secret, *, repair: bool, read_url: Secret | None = None) -> int:
    """Recount the free stretches and print which differ; returns the exit status, 1 if any do.

    read_url: of the replica, if there is one, which is recounted unless the primary is to be repaired.
    repair: replace those that differ; the exit status is 1 all the same, since a difference has a cause.
    """
    async with create_pool(url, application="provider-audit", size=1, timeouts=UNLIMITED) as db:
        checked, different = await read_by_command(None if repair else read_url, db, find_differences)
        for property_id in different[:MAX_NAMED]:
            print(f"property {property_id}: its free stretches differ from the recount")
        if len(different) > MAX_NAMED:
            print(f"and {len(different) - MAX_NAMED} more")
        if repair:
            for property_id in different:
                async with transaction(db) as connection:
                    await free_stretches.recompute(connection, property_id)
    print(f"properties: {checked}")
    state = f"{len(different)} differ" if different else "equal to the recount"
    print(f"free stretches: {state}{', now repaired' if repair and different else ''}")
    return 1 if different else 0
