"""The words and the histogram at the top of the page of the fleet. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from common.web.charts.marks import Drawing
from common.web.charts.number_text import count_text, share_text
from common.web.charts.small import upright_bar
from common.web.page_frame import duration_words
from common.web.words import moment_text
from dashboard.uptime.models.fleet import BANDS, Band, Gap, Period, Spread
from dashboard.uptime.models.stores import StoreState
from dashboard.uptime.page_views.fleet_question import BAND_LABELS, FleetQuestion

GAPS_SHOWN = 3
STORES_SHOWN = 50
FEW_STORES = 20
"""Of fewer, a twentieth is not a store."""

PERIODS: Mapping[Period, tuple[str, str]] = {
    "week": ("7 days", "in the 7 days"),
    "day": ("24 hours", "in the 24 hours"),
    "hour": ("1 hour", "in the hour"),
}
"""What each period is called, in a link and in a sentence that goes on with its end."""


def time_text(at: datetime, now: datetime) -> str:
    """An instant in UTC for people, with its day unless that is today: `12:03 UTC`, `Sat 28 Nov, 12:03 UTC`."""
    return f"{moment_text(at, now)} UTC"


@dataclass(frozen=True)
class Part:
    """A part of a sentence; address: of the stores that it counts."""

    text: str
    address: str = ""


def headline(spread: Spread, question: FleetQuestion, now: datetime, *, is_silent: bool = False) -> list[Part]:
    """The sentence at the top: what is down now, what missed the target, and how the fleet did; empty without stores.

    is_silent: whether nobody polls the stores at the moment.
    """
    if not spread.states.total:
        return []
    everywhere = question.unfiltered()
    parts = [*_now_parts(spread, everywhere, is_silent=is_silent)]
    if spread.as_of is not None:
        parts += _period_parts(spread, everywhere, now)
    return parts


def _now_parts(spread: Spread, everywhere: FleetQuestion, *, is_silent: bool) -> Iterable[Part]:
    states = spread.states
    total, unknown = states.total, states.unknown
    if total == unknown:
        one = total == 1
        yield Part(f"Nothing is known now of {'the only store' if one else f'any of {count_text(total)} stores'}.")
        return
    down = replace(everywhere, state="down").page()
    if total == 1:
        if states.closed:
            yield Part("The only store is closed now.")
        else:
            word = "down" if states.down else "up"
            yield Part(
                f"The only store was {word} at its last poll." if is_silent else f"The only store is {word} now."
            )
        return
    if is_silent:
        verb, when = "was" if states.down in (0, 1) else "were", "at the last poll"
    else:
        verb, when = "is" if states.down in (0, 1) else "are", "now"
    of_all = f" of {count_text(total)} stores {verb} down {when}"
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
        share = share_text(spread.p50)
        missed = f", which misses {everywhere.percent}%" if spread.breaches else ""
        yield Part(
            f" It was up {share} of its open time {when}{missed}."
            if spread.states.total == 1
            else f" One store was open and polled {when}, and was up {share} of that time{missed}."
        )
        return
    yield Part(" ")
    missed = replace(everywhere, band="missed").page()
    yield Part(count_text(spread.breaches) if spread.breaches else "None", missed if spread.breaches else "")
    yield Part(f" missed {everywhere.percent}% {when}; {_spread_words(spread)}.")


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
        return f"Nobody polled {moment_text(gap.start, now)}–{gap.end:%H:%M} UTC ({lasted}): unknown, not down."
    return (
        f"Nobody polled from {moment_text(gap.start, now)} to {time_text(gap.end, now)} ({lasted}): unknown, not down."
    )


@dataclass(frozen=True)
class BandLink:
    """A column of the histogram: the stores of a band, and the page with these alone."""

    label: str
    stores: int
    column: Drawing
    address: str
    is_current: bool


def band_links(spread: Spread, question: FleetQuestion) -> list[BandLink]:
    """The histogram of all stores, worst first; a band that misses the target has another colour.

    Each column leads to as many stores as it shows, so without the other filters; the chosen one leads back.
    """
    everywhere = question.unfiltered()
    most = max((band.stores for band in spread.bands), default=0)
    return [
        BandLink(
            BAND_LABELS[band.band],
            band.stores,
            upright_bar(_band_style(band.band, spread.target), band.stores, most),
            replace(question, band=None).page()
            if question.band == band.band
            else replace(everywhere, band=band.band).page(),
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


def newest_words(as_of: datetime, at: datetime, now: datetime) -> str:
    """Up to when the figures and the states go."""
    return f"Figures up to the newest poll, {time_text(as_of, now)}; states at {at:%H:%M} UTC."


def shown_words(shown: int, left: int, *, is_first: bool) -> str:
    """How many stores the page has. left: how many there are from its first one on."""
    if shown == 0:
        return ""
    if left > shown:
        return (
            f"The worst {shown} of {count_text(left)}." if is_first else f"{shown} of {count_text(left)} that follow."
        )
    if is_first:
        return "1 store." if shown == 1 else f"{shown} stores."
    return "The last store." if shown == 1 else f"The last {shown} stores."
