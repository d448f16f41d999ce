"""An application and its resources: connection pools, HTTP client, and those that an application adds."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from inspect import iscoroutinefunction
from typing import Any, TypeVar, cast

import aiohttp
from quart import Quart, current_app

from common.config import Secrets
from common.db.pool import BoundedPool

Proxied = TypeVar("Proxied")


@dataclass(frozen=True, kw_only=True)
class Pools:
    """The connection pools of one process; an application may add more.

    requests: for requests. jobs: for jobs.
    """

    requests: BoundedPool
    jobs: BoundedPool

    def by_name(self) -> Mapping[str, BoundedPool]:
        """Every pool under the name of its field."""
        return {item.name: getattr(self, item.name) for item in fields(self)}


@dataclass(frozen=True, kw_only=True)
class CommonResources:
    """The resources that both applications have.

    operations_tokens: the tokens of operators; None: operators need no token.
    """

    pools: Pools
    http: aiohttp.ClientSession = field(repr=False)
    operations_tokens: Secrets | None = None


class Application(Quart):
    """A Quart application with typed resources.

    resources: set by the lifecycle before the first request. error_formats: by path prefix, a function that renders
    errors other than as problem documents (see `errors.set_error_format`). error_page: renders an error as a page;
    None where the request or the route asks for a problem document (see `html.html_page`). cors_origins: the sites
    whose pages may read and write (see `cors.install`).
    """

    resources: CommonResources

    def __init__(self, name: str) -> None:
        super().__init__(name, static_folder=None)
        self.error_formats: dict[str, Callable[[Any, int], Any]] = {}
        self.error_page: Callable[[Any, int], Any] | None = None
        self.cors_origins: frozenset[str] = frozenset()

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
    """The pool for requests of the application that serves the current request."""
    return current_application().resources.pools.requests
