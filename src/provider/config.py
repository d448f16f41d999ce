"""The provider's configuration from PROVIDER_* variables."""

from dataclasses import dataclass
from pathlib import Path

from common.config import (
    DEMO_VARIABLE,
    Secret,
    Secrets,
    database_url,
    decimal_number,
    line,
    mailbox,
    one_of,
    path,
    require_secrets,
    rotating_secret,
    secret,
    secret_url,
    switch,
    text,
    url,
    variable,
    whole_number,
)
from common.server import ports
from common.time_zones import parse_time_zone
from common.web import cors
from common.web.proxy import TrustedProxies, trusted_proxies
from provider.dining.settings import currency_code, region_code
from provider.stays.calendars.hosts import CalendarHosts, calendar_hosts


@dataclass(frozen=True)
class Config:
    """docs/configuration.md describes each field."""

    demo: bool = variable(DEMO_VARIABLE, switch, default="0")
    data_dir: Path = variable("NIGHTAUDIT_DATA_DIR", path, default=".nightaudit")
    log_level: str = variable("PROVIDER_LOG_LEVEL", one_of("debug", "info", "warning", "error"), default="info")
    host: str = variable("PROVIDER_HOST", text, default="127.0.0.1")
    port: int = variable("PROVIDER_PORT", whole_number(1, 65535), default="9000")
    workers: int = variable("PROVIDER_WORKERS", whole_number(1, 64), default="1")
    trusted_proxies: TrustedProxies | None = variable("PROVIDER_TRUSTED_PROXIES", trusted_proxies)
    cors_origins: frozenset[str] | None = variable("PROVIDER_CORS_ORIGINS", cors.origins)
    read_database_url: Secret | None = variable("PROVIDER_READ_DATABASE_URL", database_url)
    database_url: Secret | None = variable("PROVIDER_DATABASE_URL", database_url)
    pool_size: int = variable("PROVIDER_POOL_SIZE", whole_number(1, 200), default="10")

    generator_rate: float = variable("PROVIDER_GENERATOR_RATE", decimal_number(0, 60_000), default="60")
    generator_hotels: int = variable("PROVIDER_GENERATOR_HOTELS", whole_number(1, 10_000), default="5")
    generator_rooms: int = variable("PROVIDER_GENERATOR_ROOMS", whole_number(1, 5_000), default="40")
    generator_seed: int = variable("PROVIDER_GENERATOR_SEED", whole_number(0, 10**9), default="1")
    generator_years: int = variable("PROVIDER_GENERATOR_YEARS", whole_number(0, 100), default="0")

    feed_token: Secrets | None = variable("PROVIDER_FEED_TOKEN", rotating_secret)
    stays_admin_token: Secrets | None = variable("PROVIDER_STAYS_ADMIN_TOKEN", rotating_secret)
    operations_token: Secrets | None = variable("PROVIDER_OPERATIONS_TOKEN", rotating_secret)
    orders_per_hour: int = variable("PROVIDER_ORDERS_PER_HOUR", whole_number(0, 1_000_000), default="10")
    keep_guests_days: int = variable("PROVIDER_KEEP_GUESTS_DAYS", whole_number(0, 36_500), default="730")
    keep_traces_days: int = variable("PROVIDER_KEEP_TRACES_DAYS", whole_number(0, 36_500), default="90")

    accounting_url: str = variable(
        "PROVIDER_ACCOUNTING_URL", url("http", "https"), default="http://127.0.0.1:8000/front-desk"
    )
    accounting_secret: Secrets | None = variable(
        "PROVIDER_ACCOUNTING_SECRET", rotating_secret, demo="demo-accounting-secret-of-make-run"
    )
    smtp_url: Secret | None = variable("PROVIDER_SMTP_URL", secret_url("smtp", "smtp+tls", "smtps"))
    mail_from: str = variable("PROVIDER_MAIL_FROM", mailbox, default="dining@nightaudit.example")
    reply_to: str | None = variable("PROVIDER_REPLY_TO", mailbox)
    timezone: str = variable("PROVIDER_TIMEZONE", parse_time_zone, default="UTC")
    restaurant_name: str = variable("PROVIDER_RESTAURANT_NAME", line(60), default="Nightaudit Dining")
    restaurant_address: str | None = variable("PROVIDER_RESTAURANT_ADDRESS", line(200))
    currency: str = variable("PROVIDER_CURRENCY", currency_code, default="EUR")
    phone_region: str | None = variable("PROVIDER_PHONE_REGION", region_code)
    notice_minutes: int = variable("PROVIDER_NOTICE_MINUTES", whole_number(0, 365 * 24 * 60), default="0")
    public_url: str = variable("PROVIDER_PUBLIC_URL", url("http", "https"), default="http://127.0.0.1:9000")
    callback_url: str | None = variable("PROVIDER_CALLBACK_URL", url("http", "https"))
    outbox_seconds: float = variable("PROVIDER_OUTBOX_SECONDS", decimal_number(0, 3600), default="1")
    calendar_hosts: CalendarHosts | None = variable("PROVIDER_CALENDAR_HOSTS", calendar_hosts)
    calendar_seconds: float = variable("PROVIDER_CALENDAR_SECONDS", decimal_number(0, 86_400), default="900")
    past_stays: str = variable("PROVIDER_PAST_STAYS", one_of("refuse", "allow"), default="refuse")
    admin_username: str = variable("PROVIDER_ADMIN_USERNAME", text, default="admin")
    admin_password: Secret | None = variable("PROVIDER_ADMIN_PASSWORD", secret, demo="1")
    jwt_secret: Secrets | None = variable(
        "PROVIDER_JWT_SECRET", rotating_secret, demo="demo-jwt-secret-of-make-run-only-0123456789"
    )
    offers_latency_ms: int = variable("PROVIDER_OFFERS_LATENCY_MS", whole_number(0, 600_000), default="0")
    offers_error_rate: float = variable("PROVIDER_OFFERS_ERROR_RATE", decimal_number(0, 1), default="0")
    offers_refresh_token: Secrets | None = variable("PROVIDER_OFFERS_REFRESH_TOKEN", rotating_secret)
    offers_access_seconds: float | None = variable("PROVIDER_OFFERS_ACCESS_SECONDS", decimal_number(0, 10**9))
    offers_second_access: str | None = variable("PROVIDER_OFFERS_SECOND_ACCESS", one_of("allow", "refuse"))
    offers_tick_seconds: float = variable("PROVIDER_OFFERS_TICK_SECONDS", decimal_number(0.1, 86_400), default="60")

    stores_rate: int = variable("PROVIDER_STORES_RATE", whole_number(0, 86_400), default="60")
    diners_rate: int = variable("PROVIDER_DINERS_RATE", whole_number(0, 86_400), default="0")

    def require_secrets(self) -> None:
        """Raises ConfigError naming every missing secret that serving needs."""
        require_secrets(
            PROVIDER_JWT_SECRET=self.jwt_secret,
            PROVIDER_ADMIN_PASSWORD=self.admin_password,
            PROVIDER_ACCOUNTING_SECRET=self.accounting_secret,
        )

    @property
    def simulated_hotels(self) -> tuple[int, int, int]:
        """The seed of the simulated hotels, their number, and the rooms of each."""
        return self.generator_seed, self.generator_hotels, self.generator_rooms

    @property
    def own_url(self) -> str:
        """The URL of this process, to which the generator sends its events."""
        return f"http://{ports.reachable_address(self.host, self.port)}"
