"""What the page of the fleet shows, from its figures. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import ROUND_FLOOR, Decimal
from urllib.parse import quote, urlencode

from common.web.charts.marks import Drawing, SmallChart
from common.web.charts.number_text import UNKNOWN, count_text
from common.web.charts.small import upright_bar
from common.web.charts.small_strip import DayPart, small_strip
from common.web.page_frame import duration_words
from dashboard.uptime.inputs import FleetPageQuery
from dashboard.uptime.models.fleet import (
    BANDS,
    Band,
    FleetDay,
    FleetStore,
    Gap,
    LastIncident,
    Period,
    Spread,
    WantedBand,
)
from dashboard.uptime.models.stores import StoreState

FLEET_PAGE = "/board/stores"
GAPS_SHOWN = 3
STORES_SHOWN = 50
FEW_STORES = 20
"""Of fewer, a twentieth is not a store."""
HOURS_ALONE = 10 * 3600
WELL_OBSERVED = 0.9
"""The share of open time that a poll covers from which on nothing is said of it."""

PERIODS: Mapping[Period, tuple[str, str]] = {
    "week": ("7 days", "in the 7 days"),
    "day": ("24 hours", "in the 24 hours"),
    "hour": ("1 hour", "in the hour"),
}
"""What each period is called, in a link and in a sentence that goes on with its end."""
STATES: Mapping[StoreState, str] = {
    "up": "Up",
    "down": "Down",
    "closed": "Closed",
    "stale": "No data",
    "never_polled": "Never polled",
}
STATE_WORDS: Mapping[StoreState, str] = {
    "up": "up now",
    "down": "down now",
    "closed": "closed now",
    "stale": "without data now",
    "never_polled": "not polled yet",
}
BAND_LABELS: Mapping[Band, str] = {
    "0": "under 90%",
    "90": "90 to 95%",
    "95": "95 to 99%",
    "99": "99 to 99.9%",
    "99.9": "99.9 to 100%",
    "100": "100%",
    "not_open": "not open",
    "no_data": "no data",
}
STATE_STYLES: Mapping[StoreState, str] = {
    "down": "behind",
    "up": "",
    "closed": "soft",
    "stale": "",
    "never_polled": "soft",
}


@dataclass(frozen=True)
class FleetQuestion:
    """What is asked of the page. target: the least share, 0 to 1."""

    period: Period = "week"
    target: Decimal = Decimal("0.99")
    state: StoreState | None = None
    band: WantedBand | None = None
    search: str = ""

    @classmethod
    def of(cls, query: FleetPageQuery) -> "FleetQuestion":
        return cls(query.period, query.target, query.state, query.band, query.search.strip())

    @property
    def percent(self) -> str:
        """The target in per cent, such as `99` or `99.95`."""
        return plain_percent(self.target)

    @property
    def is_filtered(self) -> bool:
        return bool(self.state or self.band or self.search)

    def for_period(self, period: Period) -> "FleetQuestion":
        return replace(self, period=period)

    def unfiltered(self) -> "FleetQuestion":
        return FleetQuestion(self.period, self.target)

    def words(self) -> str:
        """Which stores are shown."""
        kind = "Stores" if self.state is None else f"Stores that are {STATE_WORDS[self.state]}"
        if self.band == "missed":
            kind += f"{' that' if self.state is None else ' and'} missed {self.percent}%"
        elif self.band is not None:
            kind += f", {BAND_LABELS[self.band]}"
        if self.search:
            kind += f", with “{self.search}”"
        return f"{kind}, worst first"

    def page(self, cursor: str | None = None) -> str:
        """The address of the page that answers it."""
        default = FleetQuestion()
        return address_with(
            FLEET_PAGE,
            period=self.period if self.period != default.period else None,
            target=self.percent if self.target != default.target else None,
            **self._filters(),
            cursor=cursor,
        )

    def figures(self, path: str, **parameters: object) -> str:
        """The address of the same figures for programs, with the target as a share."""
        return address_with(path, period=self.period, target=plain(self.target), **parameters)

    def stores(self, path: str, **parameters: object) -> str:
        """The address of the same stores for programs."""
        return self.figures(path, **self._filters(), **parameters)

    def _filters(self) -> dict[str, str | None]:
        return {"state": self.state, "band": self.band, "search": self.search}


def address_with(path: str, **parameters: object) -> str:
    """The path with those of the parameters that are neither None nor empty."""
    query = urlencode({name: value for name, value in parameters.items() if value not in (None, "")})
    return f"{path}?{query}" if query else path


def store_page(store_id: str) -> str:
    """The address of the page of a store, whose id is anything."""
    return f"{FLEET_PAGE}/{quote(store_id, safe='')}"


def plain(value: Decimal) -> str:
    """A number without zeros at its end, and without an exponent."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def plain_percent(share: Decimal) -> str:
    return plain(share * 100)


def share_text(share: float | None) -> str:
    """A share such as `99.87%`, rounded down, so that only all of it is 100%; a dash where it is unknown."""
    if share is None:
        return UNKNOWN
    return f"{(Decimal(repr(share)) * 100).quantize(Decimal('0.01'), ROUND_FLOOR)}%"


def time_text(at: datetime, now: datetime) -> str:
    """An instant in UTC for people, with its day unless that is today: `12:03 UTC`, `12:03 UTC on Sat 28 Nov`."""
    if at.date() == now.date():
        return f"{at:%H:%M} UTC"
    year = "" if at.year == now.year else f" {at.year}"
    return f"{at:%H:%M} UTC on {at:%a} {at.day} {at:%b}{year}"


@dataclass(frozen=True)
class Part:
    """A part of a sentence; address: of the stores that it counts."""

    text: str
    address: str = ""


def headline(spread: Spread, question: FleetQuestion, now: datetime) -> list[Part]:
    """The sentence at the top: what is down now, what missed the target, and how the fleet did."""
    everywhere = question.unfiltered()
    parts = [*_now_parts(spread, everywhere)]
    if spread.as_of is not None:
        parts += _period_parts(spread, everywhere, now)
    return parts


def _now_parts(spread: Spread, everywhere: FleetQuestion) -> Iterable[Part]:
    states = spread.states
    total = states.up + states.down + states.closed + states.stale + states.never_polled
    unknown = states.stale + states.never_polled
    if total == unknown:
        one = total == 1
        yield Part(f"Nothing is known now of {'the only store' if one else f'any of {count_text(total)} stores'}.")
        return
    down = replace(everywhere, state="down").page()
    if total == 1:
        word = "down" if states.down else "closed" if states.closed else "up"
        yield Part(f"The only store is {word} now.")
        return
    of_all = f" of {count_text(total)} stores {'is' if states.down in (0, 1) else 'are'} down now"
    yield Part("None" if states.down == 0 else count_text(states.down), down if states.down else "")
    if unknown:
        yield Part(f"{of_all}, and nothing is known of ")
        kind: StoreState = "stale" if states.stale else "never_polled"
        yield Part(
            count_text(unknown), "" if states.stale and states.never_polled else replace(everywhere, state=kind).page()
        )
        yield Part(".")
    else:
        yield Part(f"{of_all}.")


def _period_parts(spread: Spread, everywhere: FleetQuestion, now: datetime) -> Iterable[Part]:
    assert spread.as_of is not None
    when = f"{PERIODS[everywhere.period][1]} to {time_text(spread.as_of, now)}"
    if not spread.measured:
        yield Part(f" No store was open and polled {when}.")
        return
    if spread.measured == 1:
        yield Part(
            f" It was up {share_text(spread.p50)} of its open time {when}."
            if _has_one(spread)
            else f" One store was open and polled {when}, and up {share_text(spread.p50)} of that time."
        )
        return
    yield Part(" ")
    missed = replace(everywhere, band="missed").page()
    yield Part(count_text(spread.breaches) if spread.breaches else "None", missed if spread.breaches else "")
    yield Part(f" missed {everywhere.percent}% {when}; {_spread_words(spread)}.")


def _has_one(spread: Spread) -> bool:
    states = spread.states
    return states.up + states.down + states.closed + states.stale + states.never_polled == 1


def _spread_words(spread: Spread) -> str:
    """How the shares are spread: half, and the worst twentieth where that is a store."""
    if spread.p5 == 1:
        return "at least 19 in 20 were up 100.00% of their open time"
    half = f"half were up {share_text(spread.p50)}{'' if spread.p50 == 1 else ' or more'}"
    if spread.measured < FEW_STORES:
        return f"{half} of their open time"
    if not spread.p5:
        return f"{half} of their open time, a twentieth not at all"
    return f"{half} of their open time, the worst twentieth under {share_text(spread.p5)}"


def gap_words(gaps: Sequence[Gap], now: datetime) -> list[str]:
    """What is said of the times in which nobody polled, the last first."""
    return [_gap_words(gap, now) for gap in reversed(gaps)][:GAPS_SHOWN]


def _gap_words(gap: Gap, now: datetime) -> str:
    lasted = duration_words(gap.duration_seconds)
    if gap.ongoing:
        since = time_text(gap.start, now)
        return f"Nobody has polled any store since {since}, for {lasted}: what happened since is unknown, not down."
    if gap.start.date() == gap.end.date():
        return f"Nobody polled {gap.start:%H:%M}–{time_text(gap.end, now)} ({lasted}): unknown, not down."
    start = time_text(gap.start, now).removesuffix(f" {gap.start.year}")
    return f"Nobody polled from {start} to {time_text(gap.end, now)} ({lasted}): unknown, not down."


@dataclass(frozen=True)
class BandLink:
    """A column of the histogram: the stores of a band, and the page with these alone."""

    label: str
    stores: int
    column: Drawing
    address: str
    is_current: bool


def band_links(spread: Spread, question: FleetQuestion) -> list[BandLink]:
    """The histogram, worst first; a band that misses the target has another colour."""
    most = max((band.stores for band in spread.bands), default=0)
    return [
        BandLink(
            BAND_LABELS[band.band],
            band.stores,
            upright_bar(_band_style(band.band, spread.target), band.stores, most),
            replace(question, band=None if question.band == band.band else band.band).page(),
            question.band == band.band,
        )
        for band in spread.bands
        if BANDS[band.band] is not None or band.stores or question.band == band.band
    ]


def _band_style(band: Band, target: Decimal) -> str:
    ends = BANDS[band]
    if ends is None:
        return "track"
    return "lost" if Decimal(repr(ends[1])) <= target and band != "100" else "bar"


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
        return "no poll" if store.band == "no_data" else "not open"
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
        return "none in 7 days"
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
    down = sum(day.open_seconds - day.up_seconds for day in store.days if day.observed_seconds > 0)
    bad = sum(day.open_seconds > day.up_seconds and day.observed_seconds > 0 for day in store.days)
    unknown = sum(day.open_seconds > 0 and not day.observed_seconds for day in store.days)
    finding = f"Down {duration_words(down)} on {bad} of 7 days." if bad else "Not down on any day observed."
    if unknown:
        finding += f" No data on {unknown}."
    return small_strip([_day_part(day) for day in store.days], f"{store.store_id}, 7 days", finding)


def _day_part(day: FleetDay) -> DayPart:
    if day.open_seconds == 0:
        return DayPart(None, closed=True)
    return DayPart(day.up_seconds / day.open_seconds if day.observed_seconds > 0 else None)


def newest_words(as_of: datetime, at: datetime, now: datetime) -> str:
    """Up to when the figures and the states go."""
    return f"Figures up to the newest poll, {time_text(as_of, now)}; states at {at:%H:%M} UTC."


def shown_words(number: int, known: int, question: FleetQuestion) -> str:
    """How many stores the first page has. known: how many there are in the state that is asked for."""
    if number < STORES_SHOWN:
        return ""
    if question.band or question.search:
        return f"The worst {number} of them."
    return f"The worst {number} of {count_text(known)}." if known > number else ""
