"""The dashboard's configuration: environment variables, read once at the start."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from common.config import (
    DEMO_VARIABLE,
    ConfigError,
    Secret,
    Secrets,
    database_url,
    decimal_number,
    one_of,
    path,
    require_secrets,
    rotating_secret,
    secret_url,
    switch,
    text,
    upstream_secret,
    url_or_directory,
    url_or_none,
    variable,
    variables,
    whole_number,
    zero_or_whole_number,
)
from common.time_zones import parse_time_zone
from common.web import cors
from common.web.proxy import TrustedProxies, trusted_proxies
from dashboard.alert_rules import RULES

DEMO_STAFF_TOKEN = "staff"  # noqa: S105 - public, and of the demo alone

MAIN_FEED = "main"
"""The name of the feed at DASHBOARD_PROVIDER_URL."""

_FEED_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_BETWEEN_FEEDS = re.compile(r";|,(?=[^,;=/]*=\s*[a-z]+://)")


@dataclass(frozen=True)
class FeedSource:
    """A booking feed: its name, its address, and the token that it may require."""

    name: str
    url: Secret
    token: Secret | None = None


def feed_sources(value: str) -> tuple[FeedSource, ...]:
    """Parse feeds, each `name=URL` or `name=URL TOKEN`, separated by semicolons or commas.

    A comma that no further feed follows is part of the address. Raises ValueError, without values.
    """
    parse_url = secret_url("http", "https")
    sources: list[FeedSource] = []
    for number, entry in enumerate(_BETWEEN_FEEDS.split(value), start=1):
        name, _, rest = (part.strip() for part in entry.partition("="))
        parts = rest.split()
        if not _FEED_NAME.fullmatch(name) or not 1 <= len(parts) <= 2:
            raise ValueError(
                f"must be feeds separated by commas or semicolons, each name=URL or name=URL TOKEN; feed {number} "
                "is not: its name must begin with a letter and have up to 32 lower-case letters, digits, _ and -"
            )
        if name == MAIN_FEED:
            raise ValueError(f"must not name a feed {MAIN_FEED}: that is the one at DASHBOARD_PROVIDER_URL")
        if name in [source.name for source in sources]:
            raise ValueError(f"names the feed {name} twice")
        try:
            url = parse_url(parts[0])
        except ValueError as error:
            raise ValueError(f"has a wrong address of the feed {name}: it {error}") from None
        if same := [source.name for source in sources if source.url == url]:
            raise ValueError(f"gives the feeds {same[0]} and {name} the same address")
        sources.append(FeedSource(name, url, Secret(parts[1]) if len(parts) > 1 else None))
    return tuple(sources)


def _token_name(feed: str) -> str:
    """The end of the name of the variable with the token of a feed."""
    return feed.upper().replace("-", "_")


def alert_rules(value: str) -> frozenset[str]:
    """Parse the names of rules, separated by commas. Raises ValueError that names the rules."""
    names = frozenset(name.strip() for name in value.split(","))
    if not names <= set(RULES):
        raise ValueError(f"must be rules separated by commas; the rules are {', '.join(RULES)}")
    return names


def webhook_url(value: str) -> Secret:
    """Parse an address, which may hold a secret and stays as it is. Raises ValueError."""
    secret_url("http", "https")(value)
    return Secret(value)


@dataclass(frozen=True)
class Config:
    """The variables of the dashboard; the README describes them."""

    demo: bool = variable(DEMO_VARIABLE, switch, default="0")
    data_dir: Path = variable("NIGHTAUDIT_DATA_DIR", path, default=".nightaudit")
    log_level: str = variable("DASHBOARD_LOG_LEVEL", one_of("debug", "info", "warning", "error"), default="info")
    host: str = variable("DASHBOARD_HOST", text, default="127.0.0.1")
    port: int = variable("DASHBOARD_PORT", whole_number(1, 65535), default="8000")
    workers: int = variable("DASHBOARD_WORKERS", whole_number(1, 64), default="1")
    trusted_proxies: TrustedProxies | None = variable("DASHBOARD_TRUSTED_PROXIES", trusted_proxies)
    cors_origins: frozenset[str] | None = variable("DASHBOARD_CORS_ORIGINS", cors.origins)
    read_database_url: Secret | None = variable("DASHBOARD_READ_DATABASE_URL", database_url)
    database_url: Secret | None = variable("DASHBOARD_DATABASE_URL", database_url)
    pool_size: int = variable("DASHBOARD_POOL_SIZE", whole_number(1, 200), default="10")

    provider_url: Secret = variable(
        "DASHBOARD_PROVIDER_URL", secret_url("http", "https"), default="http://127.0.0.1:9000"
    )
    feed_token: Secret | None = variable("DASHBOARD_FEED_TOKEN", upstream_secret)
    further_feeds: tuple[FeedSource, ...] | None = variable("DASHBOARD_FEEDS", feed_sources)
    feed_tokens: Mapping[str, Secret] = variables("DASHBOARD_FEED_TOKEN_", upstream_secret)
    hotel_timezone: str = variable("DASHBOARD_HOTEL_TIMEZONE", parse_time_zone, default="UTC")
    ingest_seconds: int = variable("DASHBOARD_INGEST_SECONDS", whole_number(0, 86_400), default="5")
    ingest_lookback_seconds: int = variable("DASHBOARD_INGEST_LOOKBACK_SECONDS", whole_number(1, 86_400), default="300")
    audit_seconds: int = variable("DASHBOARD_AUDIT_SECONDS", whole_number(0, 604_800), default="86400")
    demo_hotels: int = variable("DASHBOARD_DEMO_HOTELS", whole_number(0, 10_000), default="0")
    demo_rooms: int = variable("DASHBOARD_DEMO_ROOMS", whole_number(1, 5_000), default="60")

    offers_url: str | None = variable(
        "DASHBOARD_OFFERS_URL", url_or_none("http", "https"), default="http://127.0.0.1:9000/api/v1"
    )
    offers_refresh_token: Secret | None = variable("DASHBOARD_OFFERS_REFRESH_TOKEN", upstream_secret)
    offers_free: str = variable("DASHBOARD_OFFERS_FREE", one_of("allow", "refuse"), default="refuse")
    offers_seconds: int = variable("DASHBOARD_OFFERS_SECONDS", whole_number(0, 86_400), default="60")
    offers_concurrency: int = variable("DASHBOARD_OFFERS_CONCURRENCY", whole_number(1, 1000), default="50")

    stores_url: Secret = variable(
        "DASHBOARD_STORES_URL", url_or_directory("http", "https"), default="http://127.0.0.1:9000/stores"
    )
    stores_overlap_hours: int = variable("DASHBOARD_STORES_OVERLAP_HOURS", whole_number(0, 8784), default="48")
    stores_seconds: int = variable("DASHBOARD_STORES_SECONDS", whole_number(0, 86_400), default="3600", demo="60")

    api_token: Secrets | None = variable("DASHBOARD_API_TOKEN", rotating_secret)
    operations_token: Secrets | None = variable("DASHBOARD_OPERATIONS_TOKEN", rotating_secret)
    staff_token: Secrets | None = variable("DASHBOARD_STAFF_TOKEN", rotating_secret, demo=DEMO_STAFF_TOKEN)
    accounting_secret: Secrets | None = variable(
        "DASHBOARD_ACCOUNTING_SECRET", rotating_secret, demo="demo-accounting-secret-of-make-run"
    )
    outbox_seconds: float = variable("DASHBOARD_OUTBOX_SECONDS", decimal_number(0, 3600), default="1")

    alert_webhook_url: Secret | None = variable("DASHBOARD_ALERT_WEBHOOK_URL", webhook_url)
    alert_secret: Secrets | None = variable(
        "DASHBOARD_ALERT_SECRET", rotating_secret, demo="demo-alert-secret-of-make-run"
    )
    alert_seconds: float = variable("DASHBOARD_ALERT_SECONDS", decimal_number(0, 3600), default="10")
    alerts_off: frozenset[str] | None = variable("DASHBOARD_ALERTS_OFF", alert_rules)
    alert_store_polls: int = variable("DASHBOARD_ALERT_STORE_POLLS", whole_number(1, 100), default="2")

    keep_reports_days: int = variable("DASHBOARD_KEEP_REPORTS_DAYS", whole_number(0, 36_500), default="30")
    keep_polls_days: int = variable("DASHBOARD_KEEP_POLLS_DAYS", zero_or_whole_number(8, 36_500), default="400")
    keep_prices_days: int = variable("DASHBOARD_KEEP_PRICES_DAYS", whole_number(0, 36_500), default="400")
    keep_traces_days: int = variable("DASHBOARD_KEEP_TRACES_DAYS", whole_number(0, 36_500), default="90")

    def __post_init__(self) -> None:
        """Raises ConfigError when a further feed is the main one once more, or a token is not that of one feed."""
        main, *further = self.feeds
        tokens = [_token_name(source.name) for source in self.further_feeds or () if source.token is None]
        if wrong := sorted(set(self.feed_tokens) - set(tokens)):
            raise ConfigError(
                f"DASHBOARD_FEED_TOKEN_{wrong[0]} names no feed of DASHBOARD_FEEDS, or one that has its token there"
            )
        if same := [source.name for source in further if source.url == main.url]:
            raise ConfigError(f"DASHBOARD_FEEDS gives the feed {same[0]} the address of DASHBOARD_PROVIDER_URL")

    @cached_property
    def feeds(self) -> tuple[FeedSource, ...]:
        """All booking feeds, the main one first."""
        further = [
            replace(source, token=source.token or self.feed_tokens.get(_token_name(source.name)))
            for source in self.further_feeds or ()
        ]
        return (FeedSource(MAIN_FEED, self.provider_url, self.feed_token), *further)

    @property
    def allows_free_offers(self) -> bool:
        """Whether an offer with the price 0 can be the best one of its product."""
        return self.offers_free == "allow"

    @cached_property
    def feed_names(self) -> list[str]:
        """The names of all booking feeds."""
        return [source.name for source in self.feeds]

    def require_secrets(self) -> None:
        """Raises ConfigError that names every missing secret that serving needs."""
        needed = {"DASHBOARD_ACCOUNTING_SECRET": self.accounting_secret, "DASHBOARD_STAFF_TOKEN": self.staff_token}
        if self.alert_webhook_url is not None:
            needed["DASHBOARD_ALERT_SECRET"] = self.alert_secret
        require_secrets(**needed)
