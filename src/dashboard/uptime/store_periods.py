"""The figures of a store in its last 24 hours, 7, 30 and 90 days: the sums of its days, of which its strip is drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from common.db.pool import Executor
from common.time_zones import end_of_day, start_of_day
from dashboard.uptime.models.periods import PeriodName, Recoveries, UptimePeriod
from dashboard.uptime.models.stores import StoreDay, Window
from dashboard.uptime.queries.periods import select_recoveries, select_sums
from dashboard.uptime.queries.stores import select_days
from dashboard.uptime.service import resolve_window

DAYS: dict[PeriodName, int] = {"7d": 7, "30d": 30, "90d": 90}
STRIP_DAYS = DAYS["90d"]
LAST_HOURS = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class StoreClock:
    """A store's clock, and up to when its figures go: now, or the fleet's newest poll if that is a week old.

    known: polls up to here count.
    """

    timezone: str
    zone: ZoneInfo
    now: datetime
    end: datetime
    known: datetime

    @property
    def today(self) -> date:
        """The last local day of the figures."""
        return self.local_day(self.end)

    @property
    def is_current(self) -> bool:
        """Whether the figures go up to now."""
        return self.end == self.now

    @property
    def last_day_of_old_figures(self) -> date | None:
        """The last local day of figures that do not go up to now; None if they do."""
        return None if self.is_current else self.today

    @property
    def first_day(self) -> date:
        """The first day of the strip."""
        return self.today - timedelta(days=STRIP_DAYS - 1)

    def has_in_strip(self, day: date) -> bool:
        """Whether a day is one of the strip."""
        return self.first_day <= day <= self.today

    def local_day(self, at: datetime) -> date:
        return at.astimezone(self.zone).date()

    def start_of(self, day: date) -> datetime:
        return start_of_day(day, self.zone)

    def window(self, first: date, last: date) -> Window:
        """The window of local days, which ends now at the latest."""
        end = min(end_of_day(last, self.zone), self.now)
        return Window(self.start_of(first), end, max(self.known, end), self.now)

    def hours_window(self, length: timedelta) -> Window:
        """The window of the last hours."""
        return Window(self.end - length, self.end, self.known, self.now)


async def read_clock(db: Executor, timezone: str, now: datetime) -> StoreClock:
    """The clock of a store in a time zone."""
    window = await resolve_window(db, None, None, now)
    try:
        zone = ZoneInfo(timezone)
    except ZoneInfoNotFoundError:  # one that PostgreSQL alone knows
        zone = ZoneInfo("UTC")
    return StoreClock(timezone, zone, now, window.end, window.known)


@dataclass(frozen=True, slots=True)
class Figures:
    """The days of a strip, by the day, and the periods that are their sums."""

    days: Sequence[StoreDay]
    periods: Sequence[UptimePeriod]

    @property
    def month(self) -> UptimePeriod:
        """The last 30 days."""
        return next(each for each in self.periods if each.period == "30d")

    def on(self, day: date) -> StoreDay | None:
        """The figures of a day of the strip; None before the first poll."""
        return next((each for each in self.days if each.day == day), None)


async def read_figures(db: Executor, store_id: str, clock: StoreClock) -> Figures:
    """The last 90 days of a store, and its figures in the last 24 hours, 7, 30 and 90 days."""
    firsts = [clock.today - timedelta(days=length - 1) for length in DAYS.values()]
    whole = clock.window(min(firsts), clock.today)
    hours = clock.hours_window(LAST_HOURS)
    days = await select_days(db, store_id, STRIP_DAYS, clock.today, clock.now)
    last_hours = await select_sums(db, store_id, hours, clock.today)
    recoveries = await select_recoveries(db, store_id, whole, [hours.start, *map(clock.start_of, firsts)])
    periods = [period_of("24h", hours, [last_hours] if last_hours else [], recoveries[0])]
    for name, first, found in zip(DAYS, firsts, recoveries[1:], strict=True):
        window = clock.window(first, clock.today)
        periods.append(period_of(name, window, [day for day in days if day.day >= first], found))
    return Figures(days, periods)


async def read_month(db: Executor, store_id: str, clock: StoreClock) -> UptimePeriod:
    """The last 30 days of a store, without how long it took to recover."""
    first = clock.today - timedelta(days=DAYS["30d"] - 1)
    days = await select_days(db, store_id, DAYS["30d"], clock.today, clock.now)
    return period_of("30d", clock.window(first, clock.today), days, Recoveries(0, None))


def period_of(name: PeriodName, window: Window, days: Sequence[StoreDay], recoveries: Recoveries) -> UptimePeriod:
    """The sum of days. Open time that nobody observed is neither up nor down."""
    is_open = sum(day.open_seconds for day in days)
    observed = sum(day.observed_seconds for day in days)
    up = sum(day.observed_up_seconds for day in days)
    has_figures = observed > 0 or (bool(days) and not is_open)
    return UptimePeriod(
        period=name,
        start=window.start.astimezone(UTC),
        end=window.end.astimezone(UTC),
        uptime_share=up / observed if observed else None,
        up_seconds=up if has_figures else None,
        down_seconds=observed - up if has_figures else None,
        unknown_seconds=is_open - observed if days else None,
        coverage=observed / is_open if is_open else None,
        incidents=sum(day.incidents for day in days) if days else None,
        recoveries=recoveries.number,
        mean_seconds_to_recover=recoveries.mean_seconds,
    )
