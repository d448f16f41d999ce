"""The four figures of a store, and its strip of 90 days, which is drawn of the days whose sums they are."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from common.web.charts.day_strip import NARROW_DAYS, StripDay, day_strip
from common.web.charts.marks import Chart, Words
from common.web.charts.number_text import UNKNOWN
from common.web.words import counted
from dashboard.uptime.models.periods import PeriodName, UptimePeriod
from dashboard.uptime.models.stores import StoreDay
from dashboard.uptime.page_views.store_words import (
    NO_DATA,
    day_name,
    exact_percent_text,
    lasting,
    short_percent_text,
    whole_percent_text,
)
from dashboard.uptime.store_periods import STRIP_DAYS, Figures

PERIODS: dict[PeriodName, str] = {"24h": "24 hours", "7d": "7 days", "30d": "30 days", "90d": "90 days"}
STRIP_SERIES = ("up", "down", "no data", "closed")
STRIP_COLUMNS = ("uptime", "down", "incidents", "observed")
WELL_OBSERVED = 0.9
"""From this share of open time on, nothing is said of the rest, which nobody observed; as in the list of stores."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A period. share: `No data` or `Closed` where there is none, which is_known tells. notes: the other figures."""

    name: PeriodName
    label: str
    share: str
    notes: tuple[str, ...]
    is_known: bool = True


@dataclass(frozen=True, slots=True)
class StripView:
    """The strip, and what stands below it: where it begins, the share of all its days, and where it ends.

    A phone shows the last 30 days.
    """

    chart: Chart
    oldest: str
    share: str
    newest: str
    oldest_on_a_phone: str
    share_on_a_phone: str


def tile(period: UptimePeriod, polled_since: str = "") -> Tile:
    """The figures of a period in words. polled_since: when the first poll was, if it was in the period."""
    up, down = period.up_seconds, period.down_seconds
    if period.uptime_share is None or up is None or down is None:
        share = NO_DATA if up is None else "Closed"
        return Tile(period.period, PERIODS[period.period], share, _unknown_notes(period), is_known=False)
    is_well_observed = period.coverage is not None and period.coverage >= WELL_OBSERVED
    notes = [f"down {lasting(down)}" if down else "never down" if is_well_observed else "never seen down"]
    notes.append(_incidents(period))
    if period.mean_seconds_to_recover is not None:
        notes.append(f"{lasting(period.mean_seconds_to_recover)} to recover on average")
    notes.append(f"{whole_percent_text(period.coverage)} observed")
    if polled_since:
        notes.append(f"polled since {polled_since}")
    return Tile(period.period, PERIODS[period.period], exact_percent_text(up, up + down), tuple(notes))


def _incidents(period: UptimePeriod) -> str:
    if not period.incidents:
        return "no new incident" if period.down_seconds else "no incident"
    return counted(period.incidents, "incident")


def _unknown_notes(period: UptimePeriod) -> tuple[str, ...]:
    if period.unknown_seconds is None:
        return ("not polled yet",)
    if not period.unknown_seconds:
        return ("not open in this time",)
    return (f"open {lasting(period.unknown_seconds)}", "nobody observed it")


def strip_view(figures: Figures, today: date, chosen: date | None, *, is_current: bool) -> StripView:
    """The strip of the days that end with `today`. is_current: whether that is the day by the clock."""
    made = {day.day: day for day in figures.days}
    dates = [today - timedelta(days=ago) for ago in range(STRIP_DAYS - 1, -1, -1)]
    days = [_strip_day(each, made.get(each), is_today=is_current and each == today) for each in dates]
    shown = chosen if chosen in dates else today
    mark = "true" if shown == chosen else "date" if is_current else "true"
    days = [replace(day, current=mark) if each == shown else day for each, day in zip(dates, days, strict=True)]
    on_a_phone, whole = figures.periods[-2:]
    share = tile(whole).share
    words = Words("The last 90 days" if is_current else f"90 days to {day_name(today)}", "", "day", STRIP_SERIES)
    chart = day_strip(days, STRIP_COLUMNS, replace(words, finding=_finding(figures.days, share)))
    return StripView(
        chart,
        f"{STRIP_DAYS} days ago" if is_current else day_name(dates[0]),
        share,
        "today" if is_current else day_name(today),
        f"{NARROW_DAYS} days ago" if is_current else day_name(dates[-NARROW_DAYS]),
        tile(on_a_phone).share,
    )


def _strip_day(day: date, figures: StoreDay | None, *, is_today: bool) -> StripDay:
    name, address = day_name(day), f"?day={day}#day"
    if figures is None:
        return StripDay(name, f"{name}: no data", address, None, False, ("no data", UNKNOWN, UNKNOWN, UNKNOWN))
    if figures.is_unknown:
        incidents = f", {counted(figures.incidents, 'incident')}" if figures.incidents else ""
        cells = ("no data", UNKNOWN, str(figures.incidents) if incidents else UNKNOWN, "0%")
        return StripDay(name, f"{name}: no data{incidents}", address, None, False, cells)
    if not figures.open_seconds:
        words = "not open so far" if is_today else "closed"
        return StripDay(name, f"{name}: {words}", address, None, True, (words, UNKNOWN, UNKNOWN, UNKNOWN))
    share = short_percent_text(figures.observed_up_seconds, figures.observed_seconds)
    observed = figures.observed_seconds / figures.open_seconds
    is_well_observed = observed >= WELL_OBSERVED
    label = f"{name}: {share} uptime, {incidents_of_day(figures)}"
    if not is_well_observed:
        label += f", {whole_percent_text(observed)} of it observed"
    return StripDay(
        name,
        label,
        address,
        figures.observed_up_seconds / figures.observed_seconds,
        closed=False,
        cells=(share, lasting(figures.observed_down_seconds), str(figures.incidents), whole_percent_text(observed)),
        observed=1 if is_well_observed else observed,
    )


def incidents_of_day(day: StoreDay) -> str:
    """The incidents that began on a day, or the earlier one that went on."""
    if day.incidents:
        return counted(day.incidents, "incident")
    return "an earlier incident goes on" if day.observed_down_seconds else "no incident"


def _finding(days: Sequence[StoreDay], share: str) -> str:
    known = [day for day in days if day.observed_seconds]
    if not known:
        return "Nobody observed this store in these 90 days."
    worst = min(known, key=lambda day: day.observed_up_seconds / day.observed_seconds)
    if not worst.observed_down_seconds:
        return f"{share} uptime: never seen down in these 90 days."
    lowest = short_percent_text(worst.observed_up_seconds, worst.observed_seconds)
    return f"{share} uptime; the worst day is {day_name(worst.day)} with {lowest}."
