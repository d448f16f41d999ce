"""What a store's page says first: its state in words, and when it opens or closes next."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from common.web.page_frame import duration_words
from dashboard.uptime.models.fleet import Gap
from dashboard.uptime.models.stores import Span, StoreNow, StoreState
from dashboard.uptime.page_views.store_words import NO_DATA, lasting, moment_text

AHEAD = timedelta(days=15)
"""How far ahead the next opening is looked for."""
BY_ITS_CLOCKS = "by the store's clocks"

STATES: dict[StoreState, tuple[str, str]] = {
    "up": ("Up", "ahead"),
    "down": ("Down", "behind"),
    "closed": ("Closed", ""),
    "stale": (NO_DATA, "soft"),
    "never_polled": (NO_DATA, "soft"),
}
"""The word for a state, and the style in which it is written."""


@dataclass(frozen=True, slots=True)
class StateWords:
    """The state in words: `word` is written in `style`, `rest` follows it. more: further sentences."""

    word: str
    style: str
    rest: str
    more: tuple[str, ...]


def state_words(store: StoreNow, opening: Sequence[Span], zone: ZoneInfo, now: datetime) -> StateWords:
    """The state of a store, with its incident that is not over. opening: when it is open from now on, until `AHEAD`."""
    word, style = STATES[store.state]
    more = []
    if store.state == "down" and store.since is not None and store.incident is not None:
        open_for = store.incident.duration_seconds
        has_closed = open_for < (now - store.since).total_seconds() - 1
        more += [f"It was open for {lasting(open_for)} of that time."] if has_closed else []
    more.append(opening_words(opening, zone, now, always_open=store.always_open))
    if store.closed_because:
        more.append(f"The reason: {store.closed_because}.")
    if store.state == "closed" and store.incident is not None:
        since = moment_text(store.incident.start, zone, now)
        more.append(f"It was down when it closed: the incident that began {since} goes on.")
    return StateWords(word, style, _rest(store, zone, now), tuple(more))


def _rest(store: StoreNow, zone: ZoneInfo, now: datetime) -> str:
    if store.state == "never_polled":
        return ": nobody has polled this store yet."
    if store.state == "stale" and store.last_poll is not None:
        at = moment_text(store.last_poll.polled_at, zone, now)
        return f": nobody has polled it since {at} {BY_ITS_CLOCKS}, more than 3 hours of open time ago."
    if store.since is None:
        return "."
    lasted = duration_words(max(0.0, (now - store.since).total_seconds()))
    return f" for {lasted}, since {moment_text(store.since, zone, now)} {BY_ITS_CLOCKS}."


def opening_words(opening: Sequence[Span], zone: ZoneInfo, now: datetime, *, always_open: bool = False) -> str:
    """Whether the store is open now, and what changes next. always_open: except during its closures."""
    horizon = now + AHEAD
    if opening and opening[0].start <= now:
        if opening[0].end >= horizon:
            if always_open:
                return "Open around the clock."
            return "Open now, without a break for the next 15 days."
        return f"Open now, closes {moment_text(opening[0].end, zone, now)}."
    if opening:
        return f"Closed now, opens {moment_text(opening[0].start, zone, now)}."
    return "Closed now, and not open in the next 15 days."


def silence_words(gap: Gap | None, zone: ZoneInfo, now: datetime) -> str:
    """What a gap of the collector that is not over means; empty without one."""
    if gap is None:
        return ""
    lasted = duration_words((now - gap.start).total_seconds())
    return (
        f"The collector is silent: no store at all has been polled for {lasted}, since "
        f"{moment_text(gap.start, zone, now)}. What happened since is not known; it is not downtime."
    )
