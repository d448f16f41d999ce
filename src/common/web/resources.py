"""An application and its resources: connection pools, HTTP client, and those that an application adds."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from inspect import iscoroutinefunction
from typing import Any, TypeVar, cast

import aiohttp
import asyncpg
from quart import Quart, current_app, g

from common.config import Secrets
from common.db.pool import BoundedPool
from common.db.replica import ReadReplica, ReplicaPools

Proxied = TypeVar("Proxied")


@dataclass(frozen=True, kw_only=True)
class Pools:
    """The connection pools of one process; an application may add more.

    requests: for requests. jobs: for jobs. replica: those of the read replica, if there is one.
    """

    requests: BoundedPool
    jobs: BoundedPool
    replica: ReplicaPools | None = None

    def by_name(self) -> Mapping[str, BoundedPool]:
        """Every pool under the name of its field."""
        found = {item.name: getattr(self, item.name) for item in fields(self) if item.name != "replica"}
        if self.replica is not None:
            found |= {"replica": self.replica.requests, "replica_streams": self.replica.streams}
        return found

    def read_replica(self) -> ReadReplica | None:
        """The read replica, not asked yet; None if there is none."""
        return ReadReplica(self.requests, self.replica) if self.replica is not None else None


@dataclass(frozen=True, kw_only=True)
class CommonResources:
    """The resources that both applications have.

    operations_tokens: the tokens of operators; None: operators need no token. replica: that of `pools`.
    """

    pools: Pools
    http: aiohttp.ClientSession = field(repr=False)
    operations_tokens: Secrets | None = None
    replica: ReadReplica | None = None


class Application(Quart):
    """A Quart application with typed resources.

    resources: set by the lifecycle before the first request. error_formats: by path prefix, a function that renders
    errors other than as problem documents (see `errors.set_error_format`). error_page: renders an error as a page;
    None where the request or the route asks for a problem document (see `html.html_page`). cors_origins: the sites
    whose pages may read and write (see `cors.install`). frame: around its pages, if it has one (see `page_frame`).
    """

    resources: CommonResources

    def __init__(self, name: str) -> None:
        super().__init__(name, static_folder=None)
        self.error_formats: dict[str, Callable[[Any, int], Any]] = {}
        self.error_page: Callable[[Any, int], Any] | None = None
        self.cors_origins: frozenset[str] = frozenset()
        self.frame: Any = None

    def ensure_async(self, func: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
        """The function itself when it is a coroutine function, as every view and hook of ours is.

        Quart asks for each of them with each request, and inspecting them is slow.
        """
        return func if _is_coroutine_function(func) else super().ensure_async(func)


@lru_cache(1024)
def _is_coroutine_function(func: Callable[..., Any]) -> bool:
    return iscoroutinefunction(func)


def unproxied(proxy: Proxied) -> Proxied:
    """The object that a proxy of Quart, such as `request`, currently stands for: each use of a proxy is a look-up."""
    return proxy._get_current_object()  # type: ignore[attr-defined]  # werkzeug gives proxies this method


def current_application() -> Application:
    """The application that serves the current request."""
    return cast(Application, current_app)


def pool() -> BoundedPool:
    """The pool for the current request: of the replica in views that read it (see `replica.reads_replica`)."""
    replica: ReadReplica | None = g.get("replica")
    return current_application().resources.pools.requests if replica is None else replica.pools.requests


def stream_pool(primary: asyncpg.Pool) -> asyncpg.Pool:
    """The pool for long statements of the current request: of the replica in views that read it, or `primary`."""
    replica: ReadReplica | None = g.get("replica")
    return primary if replica is None else replica.pools.streams
