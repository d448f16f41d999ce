"""Views that read a replica, and what they fall back to."""

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any, TypeVar

from quart import g, request

from common.db.replica import CONFLICTS, NOT_OF_THE_REPLICA, NOT_READABLE, ReadReplica
from common.web.errors import NotFound
from common.web.health_checks import Check
from common.web.resources import current_application

V = TypeVar("V", bound=Callable[..., Any])


def reads_replica(view: V) -> V:
    """The view of a GET, whose `pool()` is that of the replica if there is one that can be read.

    It runs again on the primary when the replica fails, or does not have what the request asks for. So a whole response
    is of one server. A request with `Cache-Control: no-cache` reads the primary. The innermost decorator: those above
    it, which may write, use the primary.
    """

    @wraps(view)
    async def read(*args: Any, **options: Any) -> Any:
        replica = current_application().resources.replica
        if replica is None or not replica.is_readable or request.cache_control.no_cache:
            return await view(*args, **options)
        g.replica = replica
        try:
            return await view(*args, **options)
        except NOT_OF_THE_REPLICA:
            raise
        except NotFound:
            pass
        except (*NOT_READABLE, *CONFLICTS) as error:
            replica.note_failure(error)
        finally:
            g.pop("replica")
        return await view(*args, **options)

    return read  # type: ignore[return-value]  # wraps() keeps the signature, which mypy cannot see


async def complete_through() -> datetime | None:
    """Up to when the server that the current request reads has all that was committed; None for the primary.

    Call it before the statements that read. Raises ReplicaBehindError, on which the view runs again on the primary.
    """
    replica: ReadReplica | None = g.get("replica")
    return None if replica is None else await replica.select_complete_through()


def is_on_replica() -> bool:
    """Whether the current request reads the replica."""
    return g.get("replica") is not None


def replica_checks(replica: ReadReplica | None) -> list[Check]:
    """What /readyz?verbose says of the replica; reads go to the primary while it is not ok."""
    if replica is None:
        return []
    problem, lag = replica.state.problem, replica.state.lag_seconds
    detail = f"{lag or 0:.1f} s behind" if problem is None else f"{problem}; reads go to the primary"
    return [Check("replica", ok=problem is None, detail=detail)]
