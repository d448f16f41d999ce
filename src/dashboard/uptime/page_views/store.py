"""The page of a store: what is read of it becomes sentences, figures, charts and tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from urllib.parse import quote

import msgspec

from common.web.page_frame import duration_words
from common.web.words import long_day
from dashboard.uptime.models.fleet import Gap
from dashboard.uptime.models.periods import KeptPolls, UptimePeriod
from dashboard.uptime.models.stores import Incident, LastPoll, Span, StoreDay, StoredClosure, StoreNow
from dashboard.uptime.page_views.badge import Badge, badge
from dashboard.uptime.page_views.store_days import StripView, Tile, incidents_of_day, strip_view, tile
from dashboard.uptime.page_views.store_hours import DayView, ObservedHours, WeekView, day_view, week_view
from dashboard.uptime.page_views.store_opening import (
    MOST_CLOSURES,
    BusinessHours,
    ClosureRow,
    business_hours,
    closure_rows,
)
from dashboard.uptime.page_views.store_state import StateWords, silence_words, state_words
from dashboard.uptime.page_views.store_words import (
    clock_text,
    exact_percent_text,
    lasting,
    moment_text,
    span_text,
    whole_percent_text,
)
from dashboard.uptime.store_periods import Figures, StoreClock

MOST_INCIDENTS = 20


@dataclass(frozen=True, slots=True)
class ChosenDay:
    """A day that is asked for, and what is read of it.

    figures: None for a day of the strip, whose figures are those of `StorePast`, and before the first poll. hours: why
    they cannot be shown, if they cannot.
    """

    day: date
    figures: StoreDay | None
    hours: ObservedHours | str
    incidents: Sequence[Incident]


@dataclass(frozen=True, slots=True)
class StorePresent:
    """A store now, when it is open from now on, the gap of the collector that is not over, and all closures.

    store: without the incident that is not over, which is the first of `StorePast`.
    """

    store: StoreNow
    opening: Sequence[Span]
    silence: Gap | None
    closures: Sequence[StoredClosure]


@dataclass(frozen=True, slots=True)
class StorePast:
    """The figures of 90 days, and their incidents: the newest first, at most one more than the page shows."""

    figures: Figures
    incidents: Sequence[Incident]


@dataclass(frozen=True, slots=True)
class StoreRows:
    """What is read of a store. week: the last of the seven days of `hours`; a text: why they cannot be shown."""

    kept: KeptPolls
    now: StorePresent
    past: StorePast
    week: date
    hours: ObservedHours | str
    day: ChosenDay | None


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """An incident. lasted: its open time. unobserved: the part of it that nobody observed; empty if there is none.

    notes: `ongoing` and `collector silent`.
    """

    when: str
    lasted: str
    unobserved: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StoreView:
    """What the template of a store prints.

    facts: its zone, its clock, its last poll. rule: what the figures count. since: from when on, and until when, there
    are any. incidents_since: from when on there are incidents, if that is not the beginning of the strip.
    """

    state: StateWords
    facts: tuple[str, ...]
    group: str
    silence: str
    tiles: tuple[Tile, ...]
    rule: str
    strip: StripView
    since: str
    day: DayView | None
    day_figures: str
    day_incidents: tuple[IncidentRow, ...]
    day_has_more_incidents: bool
    week: WeekView
    incidents: tuple[IncidentRow, ...]
    has_more_incidents: bool
    incidents_since: str
    hours: BusinessHours
    closures: tuple[ClosureRow, ...]
    more_closures: int
    badge: Badge


def store_path(store_id: str) -> str:
    """The address of the page of a store."""
    return f"/board/stores/{quote(store_id, safe='')}"


def store_view(rows: StoreRows, clock: StoreClock, asked_week: date | None) -> StoreView:
    """The page. asked_week: the last day of the week, if it was asked for."""
    now, past, day = rows.now, rows.past, rows.day
    closures = closure_rows(now.closures, clock)
    chosen = day.day if day else None
    ongoing = next((each for each in past.incidents if each.ongoing), None)
    return StoreView(
        state=state_words(msgspec.structs.replace(now.store, incident=ongoing), now.opening, clock.zone, clock.now),
        facts=_facts(rows, clock),
        group=now.store.group or "",
        silence=silence_words(now.silence, clock.zone, clock.now),
        tiles=tuple(tile(period, _polled_since(period, rows.kept, clock)) for period in past.figures.periods),
        rule=_rule(clock),
        strip=strip_view(past.figures, clock.today, chosen, is_current=clock.is_current),
        since=_since(rows.kept, clock),
        day=day_view(day.hours, day.day, asked_week, clock) if day else None,
        day_figures=_day_figures(
            past.figures.on(day.day) or day.figures, is_today=day.day == clock.local_day(clock.now)
        )
        if day
        else "",
        day_incidents=tuple(_incident(each, clock) for each in day.incidents[:MOST_INCIDENTS]) if day else (),
        day_has_more_incidents=day is not None and len(day.incidents) > MOST_INCIDENTS,
        week=week_view(rows.hours, rows.week, asked_week, chosen, clock),
        incidents=tuple(_incident(each, clock) for each in past.incidents[:MOST_INCIDENTS]),
        has_more_incidents=len(past.incidents) > MOST_INCIDENTS,
        incidents_since=_incidents_since(rows.kept, clock),
        hours=business_hours(now.store, clock.local_day(clock.now)),
        closures=tuple(closures[:MOST_CLOSURES]),
        more_closures=max(0, len(closures) - MOST_CLOSURES),
        badge=badge(now.store.state, past.figures.month, clock.last_day_of_old_figures),
    )


def _was_open_at(last: LastPoll, rows: StoreRows) -> bool:
    """Whether the store was open at its last poll, as far as the hours that are shown, or its state, tell."""
    store = rows.now.store
    polls = rows.hours.timeline.polls if isinstance(rows.hours, ObservedHours) else []
    closed_since = store.since if store.state == "closed" else None
    return next(
        (poll.open for poll in reversed(polls) if poll.polled_at == last.polled_at),
        closed_since is None or last.polled_at < closed_since,
    )


def _rule(clock: StoreClock) -> str:
    """What the figures count."""
    last = "today" if clock.is_current else f"{long_day(clock.today)}, the day of the newest poll"
    return (
        f"7, 30 and 90 days are days by the store's clocks, the last of them {last}. Open time more than 90 minutes "
        "after a poll counts neither as up nor as down."
    )


def _facts(rows: StoreRows, clock: StoreClock) -> tuple[str, ...]:
    store = rows.now.store
    default = ", by default: no file names its zone" if store.timezone_is_default else ""
    zone = store.timezone if clock.zone.key == store.timezone else f"{store.timezone}, shown in UTC"
    found = [f"{clock_text(clock.now, clock.zone)} in {zone}{default}"]
    if store.last_poll:
        at = moment_text(store.last_poll.polled_at, clock.zone, clock.now)
        ago = duration_words(max(0.0, (clock.now - store.last_poll.polled_at).total_seconds()))
        word = "up" if store.last_poll.status == "active" else "down"
        found.append(
            f"last poll {at}, {ago} ago: {word}{'' if _was_open_at(store.last_poll, rows) else ', while it was closed'}"
        )
    return tuple(found)


def _polled_since(period: UptimePeriod, kept: KeptPolls, clock: StoreClock) -> str:
    """When the store was first polled, if that was in a period."""
    return moment_text(kept.first, clock.zone, clock.now) if kept.first and kept.first > period.start else ""


def _since(kept: KeptPolls, clock: StoreClock) -> str:
    """Since when the store is polled, if that is not before the strip; and where old figures end."""
    found = []
    if not clock.is_current:
        found.append(
            f"No store has been polled since {moment_text(clock.end, clock.zone, clock.now)}: "
            "the days end with that day, the 24 hours with that poll."
        )
    if kept.first and clock.local_day(kept.first) > clock.first_day:
        found.append(f"First polled on {long_day(clock.local_day(kept.first))}: nothing is known of the time before.")
    return " ".join(found)


def _incidents_since(kept: KeptPolls, clock: StoreClock) -> str:
    """From when on incidents are listed, if the polls of the strip's first days were deleted."""
    if kept.since is None or kept.since <= clock.start_of(clock.first_day):
        return ""
    return moment_text(kept.since, clock.zone, clock.now)


def _incident(incident: Incident, clock: StoreClock) -> IncidentRow:
    start = incident.start
    notes = [*(["ongoing"] if incident.ongoing else []), *(["collector silent"] if incident.collector_gap else [])]
    return IncidentRow(
        f"since {moment_text(start, clock.zone, clock.now)}"
        if incident.ongoing
        else span_text(start, incident.end, clock.zone, clock.now),
        lasting(incident.duration_seconds),
        f"{lasting(incident.unobserved_seconds)} of it not observed" if incident.unobserved_seconds else "",
        tuple(notes),
    )


def _day_figures(figures: StoreDay | None, *, is_today: bool) -> str:
    """The figures of a day in a sentence."""
    if figures is None:
        return "No data: nobody had polled the store by then."
    if not figures.open_seconds:
        return "The store has not been open so far." if is_today else "The store was not open."
    if figures.is_unknown:
        return f"No data: the store was open for {lasting(figures.open_seconds)}, and nobody observed it."
    down = figures.observed_down_seconds
    found = (
        f"{exact_percent_text(figures.observed_up_seconds, figures.observed_seconds)} uptime: "
        f"{f'down for {lasting(down)}' if down else 'never down'} in {lasting(figures.observed_seconds)} of "
    )
    if figures.observed_seconds == figures.open_seconds:
        return f"{found}open time, {incidents_of_day(figures)}."
    observed = whole_percent_text(figures.observed_seconds / figures.open_seconds)
    return (
        f"{found}observed open time, {incidents_of_day(figures)}; "
        f"{observed} of the {lasting(figures.open_seconds)} of open time was observed."
    )
