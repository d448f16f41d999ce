"""The rows of the table of the fleet: what is known of each store, and what is not. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from common.web.charts.marks import SmallChart
from common.web.charts.number_text import UNKNOWN, share_text
from common.web.charts.small_strip import DayPart, small_strip
from common.web.page_frame import duration_words
from dashboard.uptime.models.fleet import FleetDay, FleetStore, LastIncident
from dashboard.uptime.models.stores import StoreState
from dashboard.uptime.page_views.fleet_question import store_page

HOURS_ALONE = 10 * 3600
WELL_OBSERVED = 0.9
"""The share of open time that a poll covers from which on nothing is said of it."""

STATES: Mapping[StoreState, str] = {
    "up": "Up",
    "down": "Down",
    "closed": "Closed",
    "stale": "No data",
    "never_polled": "Never polled",
}
STATE_STYLES: Mapping[StoreState, str] = {
    "down": "behind",
    "up": "",
    "closed": "soft",
    "stale": "",
    "never_polled": "soft",
}


@dataclass(frozen=True)
class StoreRow:
    """A store in the table. note: why there is no share, or how little of it was observed."""

    store_id: str
    address: str
    zone: str
    group: str
    state: str
    state_style: str
    state_note: str
    share: str
    note: str
    misses_target: bool
    down: str
    incident: str
    incident_start: datetime | None
    week: SmallChart | None


def store_row(store: FleetStore, now: datetime) -> StoreRow:
    """The row of a store."""
    return StoreRow(
        store.store_id,
        store_page(store.store_id),
        store.timezone,
        store.group or "",
        STATES[store.state],
        STATE_STYLES[store.state],
        state_note(store, now),
        share_text(store.uptime_share),
        share_note(store),
        store.misses_target,
        down_text(store.downtime_seconds) if store.uptime_share is not None else UNKNOWN,
        incident_words(store, now),
        store.last_incident.start if store.last_incident else None,
        week_strip(store) if store.days else None,
    )


def state_note(store: FleetStore, now: datetime) -> str:
    """For how long a store has been down, or unknown."""
    if store.state == "down" and store.last_incident is not None and store.last_incident.end is None:
        return _ongoing_words(store.last_incident, now)
    if store.state == "stale" and store.last_polled_at is not None:
        return f"for {duration_words((now - store.last_polled_at).total_seconds())}"
    return ""


def _ongoing_words(incident: LastIncident, now: datetime) -> str:
    lasted = duration_words((now - incident.start).total_seconds())
    return f"more than {lasted}" if incident.began_before else lasted


def ago_words(at: datetime, now: datetime) -> str:
    """How long ago, without the minutes where these say little."""
    seconds = max(0.0, (now - at).total_seconds())
    return f"{duration_words(seconds if seconds < HOURS_ALONE else seconds // 3600 * 3600)} ago"


def share_note(store: FleetStore) -> str:
    """Why a store has no share, or how much of its open time was observed if that is little."""
    if store.state == "never_polled" or store.band is None:
        return "" if store.state == "never_polled" else "not counted yet"
    if store.uptime_share is None:
        return "no data" if store.band == "no_data" else "not open"
    opened = (store.uptime_seconds or 0) + (store.downtime_seconds or 0)
    observed = (store.observed_seconds or 0) / opened if opened else 0
    return "" if observed >= WELL_OBSERVED else f"{int(observed * 100)}% observed"


def down_text(seconds: float | None) -> str:
    """A downtime; a dash where it is unknown."""
    return UNKNOWN if seconds is None else "0" if seconds == 0 else duration_words(seconds)


def incident_words(store: FleetStore, now: datetime) -> str:
    """When the last incident was and how much open time it took."""
    incident = store.last_incident
    if not any(day.observed_seconds for day in store.days):
        return UNKNOWN
    if incident is None:
        return (
            "none in 7 days" if all(day.observed_seconds or not day.open_seconds for day in store.days) else "none seen"
        )
    if incident.end is None and store.state == "stale":
        return "down at its last poll"
    if incident.end is None and store.state == "down":
        return "ongoing"
    took = duration_words(incident.downtime_seconds)
    if incident.end is None:
        return f"not over, {took}"
    return f"{ago_words(incident.end, now)}, {took}"


def week_strip(store: FleetStore) -> SmallChart:
    """The seven days of a store, whose sum is its share of the week."""
    return small_strip([_day_part(day) for day in store.days], f"{store.store_id}, 7 days", _finding(store.days))


def _finding(days: Sequence[FleetDay]) -> str:
    """What the strip shows, in a sentence or two."""
    opened = [day for day in days if day.open_seconds > 0]
    observed = [day for day in opened if day.observed_seconds > 0]
    bad = [day for day in observed if day.up_seconds < day.open_seconds]
    if not opened:
        return "Closed."
    if not observed:
        return "No data."
    lost = duration_words(sum(day.open_seconds - day.up_seconds for day in bad))
    finding = f"Down {lost} on {len(bad)} of {len(days)} days." if bad else "Never down."
    unknown = len(opened) - len(observed)
    return f"{finding} No data on {unknown} of {len(days)}." if unknown else finding


def _day_part(day: FleetDay) -> DayPart:
    if day.open_seconds == 0:
        return DayPart(None, closed=True)
    return DayPart(day.up_seconds / day.open_seconds if day.observed_seconds > 0 else None)
