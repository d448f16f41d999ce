"""The hours of a store: its week in rows of 24 hours, and a chosen day."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from common.limits import EARLIEST_STORE_DAY
from common.web.charts.marks import Chart, Words
from common.web.charts.week_hours import Tick, WeekRow, week_hours
from common.web.words import counted, listed, long_day, short_day
from dashboard.uptime.models.fleet import Gap
from dashboard.uptime.models.stores import Poll, Span, Timeline
from dashboard.uptime.page_views.local_hours import LocalDay, day_in_zone, without
from dashboard.uptime.page_views.store_words import (
    ALL_DAY,
    lasting,
    moment_text,
    span_text,
)
from dashboard.uptime.store_periods import StoreClock

WEEK = 7
SERIES = ("open", "up", "down", "not observed", "poll: up", "poll: down", "poll while closed")
COLUMNS = ("open", "up", "down", "not observed", "polls")
MOST_GAPS = 3
MOST_POLLS = 60
"""Polls of a day that are listed one by one."""


@dataclass(frozen=True, slots=True)
class ObservedHours:
    """What is read of local days. open: also of the time to come. no_data: open time that nobody observed.

    gaps: when nobody polled any store, in order.
    """

    timeline: Timeline
    no_data: Sequence[Span]
    open: Sequence[Span]
    gaps: Sequence[Gap] = ()

    def observed(self, status: Literal["active", "inactive"]) -> list[Span]:
        """The open time in which the store had a status and somebody observed it."""
        stretches = (Span(each.start, each.end) for each in self.timeline.stretches if each.status == status)
        return without(stretches, self.no_data)


@dataclass(frozen=True, slots=True)
class WeekView:
    """Seven days. chart: None where it cannot be drawn, for the `reason`. notes: when nobody polled any store."""

    title: str
    chart: Chart | None
    reason: str
    notes: tuple[str, ...]
    previous: str
    next: str


@dataclass(frozen=True, slots=True)
class PollRow:
    """A poll of a day, by the clock. is_open: whether the store was open then."""

    at: str
    word: str
    is_open: bool


@dataclass(frozen=True, slots=True)
class DayView:
    """A chosen day. polls: at most `MOST_POLLS`, of `all_polls`. notes: when nobody polled any store."""

    title: str
    chart: Chart | None
    reason: str
    opening: str
    polls: tuple[PollRow, ...]
    all_polls: int
    notes: tuple[str, ...]
    previous: str
    next: str


def address(day: date | None, week: date | None, part: str) -> str:
    """The address of a part of the page with a chosen day and a chosen week, from the page itself."""
    given = [f"{name}={value}" for name, value in (("day", day), ("week", week)) if value]
    return f"?{'&'.join(given)}#{part}"


def week_of(asked: date | None, chosen: date | None, today: date) -> date:
    """The last day of the seven that are shown: the one that is asked for, or the one so that the chosen day is shown.

    Otherwise the current day.
    """
    if asked is not None:
        return asked
    return today - timedelta(days=WEEK * ((today - chosen).days // WEEK)) if chosen else today


def week_view(
    hours: ObservedHours | str, last: date, asked: date | None, chosen: date | None, clock: StoreClock
) -> WeekView:
    """The seven days up to `last`. hours: why they cannot be shown, if they cannot. asked: as `week_of` has it."""
    first = last - timedelta(days=WEEK - 1)
    title = f"Hours from {short_day(first)} to {short_day(last)} {last.year}"
    before, after = last - timedelta(days=WEEK), last + timedelta(days=WEEK)
    previous = address(chosen, before, "week") if before >= EARLIEST_STORE_DAY else ""
    following = address(chosen, min(clock.today, after), "week") if last < clock.today else ""
    if isinstance(hours, str):
        return WeekView(title, None, hours, (), previous, following)
    days = [day_in_zone(first + timedelta(days=number), clock.zone) for number in range(WEEK)]
    chart = week_hours([_row(day, hours, asked, clock) for day in days], COLUMNS, _words(title, hours))
    return WeekView(title, chart, "", _gap_notes(hours.gaps, clock), previous, following)


def day_view(hours: ObservedHours | str, day: date, week: date | None, clock: StoreClock) -> DayView:
    """A chosen day."""
    local = day_in_zone(day, clock.zone)
    title = long_day(day) + ("" if local.hours == 24 else f", a day of {local.hours:g} hours")
    previous = address(day - timedelta(days=1), week, "day") if day > EARLIEST_STORE_DAY else ""
    following = address(day + timedelta(days=1), week, "day") if day < clock.today else ""
    if isinstance(hours, str):
        return DayView(title, None, hours, "", (), 0, (), previous, following)
    chart = week_hours([_row(local, hours, week, clock)], COLUMNS, _words(f"Hours of {long_day(day)}", hours))
    polls = polls_of(hours.timeline, local)
    rows = tuple(
        PollRow(f"{poll.polled_at.astimezone(clock.zone):%H:%M:%S %Z}", _poll_word(poll), poll.open)
        for poll in polls[:MOST_POLLS]
    )
    notes = _gap_notes(hours.gaps, clock)
    return DayView(title, chart, "", _opening(local, hours, clock), rows, len(polls), notes, previous, following)


def polls_of(timeline: Timeline, local: LocalDay) -> list[Poll]:
    """The polls of a day, in order."""
    return [poll for poll in timeline.polls if local.start <= poll.polled_at < local.end]


def _poll_word(poll: Poll) -> str:
    return "up" if poll.status == "active" else "down"


def _opening(local: LocalDay, hours: ObservedHours, clock: StoreClock) -> str:
    """When the store is open on a day, in words; empty if it is not."""
    spans = [Span(max(span.start, local.start), min(span.end, local.end)) for span in hours.open]
    spans = [span for span in spans if span.start < span.end]
    if not spans:
        return ""
    if spans == [Span(local.start, local.end)]:
        return f"Open {ALL_DAY}."
    return f"Open {listed([_local_span(span, local, clock) for span in spans])}."


def _local_span(span: Span, local: LocalDay, clock: StoreClock) -> str:
    end = "24:00" if span.end == local.end else f"{span.end.astimezone(clock.zone):%H:%M}"
    return f"{span.start.astimezone(clock.zone):%H:%M}–{end}"


def _row(local: LocalDay, hours: ObservedHours, week: date | None, clock: StoreClock) -> WeekRow:
    up, down = hours.observed("active"), hours.observed("inactive")
    polls = polls_of(hours.timeline, local)
    ticks = [(local.hour(poll.polled_at), poll.status == "active" if poll.open else None) for poll in polls]
    odd = "" if local.hours == 24 else f" ({local.hours:g} h)"
    return WeekRow(
        f"{short_day(local.day)}{odd}",
        f"{local.day:%a} {local.day.day}",
        open=local.spans(hours.open),
        up=local.spans(up),
        down=local.spans(down),
        unknown=local.spans(hours.no_data),
        polls=[Tick(hour, good) for hour, good in ticks if hour is not None],
        cells=(
            *(lasting(local.seconds(part)) for part in (hours.timeline.open, up, down, hours.no_data)),
            str(len(polls)),
        ),
        address=address(local.day, week, "day") if local.start < clock.now else None,
        now=local.hour(clock.now),
    )


def _words(title: str, hours: ObservedHours) -> Words:
    is_open, unseen = _seconds(hours.timeline.open), _seconds(hours.no_data)
    if hours.timeline.uptime_seconds is None:
        finding = "Nobody has polled this store."
    elif not is_open:
        finding = "The store was not open."
    elif unseen == is_open:
        finding = f"The store was open for {lasting(is_open)}, and nobody observed it."
    else:
        down = _seconds(hours.observed("inactive"))
        finding = f"Down for {lasting(down)}." if down else "Never seen down."
        finding += f" For {lasting(unseen)} of the open time nobody observed it." if unseen else ""
    return Words(title, finding, "day", SERIES)


def _seconds(spans: Iterable[Span]) -> float:
    return sum((span.end - span.start).total_seconds() for span in spans)


def _gap_notes(gaps: Sequence[Gap], clock: StoreClock) -> tuple[str, ...]:
    """When the collector was silent, each in a sentence, the last one first."""
    notes = [_gap_note(gap, clock) for gap in reversed(gaps[-MOST_GAPS:])]
    if len(gaps) > MOST_GAPS:
        notes.append(f"Before that there were {counted(len(gaps) - MOST_GAPS, 'more such gap')}.")
    return tuple(notes)


def _gap_note(gap: Gap, clock: StoreClock) -> str:
    if gap.ongoing:
        since = moment_text(gap.start, clock.zone, clock.now)
        return f"Nobody has polled any store since {since}: what happened since is not known; it is not downtime."
    silent = span_text(gap.start, gap.end, clock.zone, clock.now)
    return f"Nobody polled any store {silent}: what happened then is not known; it is not downtime."
