"""The badge of a store: its state and its share of 30 days as a small SVG that other pages can show."""

from dataclasses import dataclass
from datetime import date

from dashboard.uptime.models.periods import UptimePeriod
from dashboard.uptime.models.stores import StoreState
from dashboard.uptime.page_views.store_days import tile
from dashboard.uptime.page_views.store_words import day_name

WIDTHS = {**dict.fromkeys("fijlrt. ", 3.9), **dict.fromkeys("mw%", 10.5)}
"""About how wide characters are in the size of the badge, in units; others are `USUAL_WIDTH`."""
USUAL_WIDTH = 6.7
PADDING = 7
SHAPE_WIDTH = 18
MONTH = "30 days"
SHAPES = {
    "up": "M2 10L8 2L14 10Z",
    "down": "M2 2H14L8 10Z",
    "other": "M2 6H14",
}
"""A shape beside the colour, so that the state is seen without colours too."""
COLOURS = {"up": "#1f5fbf", "down": "#a8480b", "other": "#5b667d"}
STATES: dict[StoreState, tuple[str, str]] = {
    "up": ("up", "up"),
    "down": ("down", "down"),
    "closed": ("closed", "other"),
    "stale": ("no data", "other"),
    "never_polled": ("no data", "other"),
}
"""The word for a state, as on the page of a store, and which of the three looks it has."""


@dataclass(frozen=True, slots=True)
class Badge:
    """What the template of a badge prints: the state beside its shape, and the share.

    name: what a screen reader says.
    """

    name: str
    state: str
    share: str
    colour: str
    shape: str
    state_width: int
    share_width: int

    @property
    def width(self) -> int:
        return self.state_width + self.share_width


def badge(state: StoreState, month: UptimePeriod, until: date | None = None) -> Badge:
    """The badge. month: the last 30 days; until: the last of them, if that is not the current day."""
    word, look = STATES[state]
    share = _share(state, month) + (f" to {day_name(until)}" if until and month.incidents is not None else "")
    return Badge(
        name=f"Store {word}, {share}",
        state=word,
        share=share,
        colour=COLOURS[look],
        shape=SHAPES[look],
        state_width=_width(word) + SHAPE_WIDTH,
        share_width=_width(share),
    )


def _share(state: StoreState, month: UptimePeriod) -> str:
    if state == "never_polled":
        return "never polled"
    if month.uptime_share is not None:
        return f"{tile(month).share} up in {MONTH}"
    return f"{'not observed' if month.up_seconds is None else 'not open'} in {MONTH}"


def _width(text: str) -> int:
    return round(sum(WIDTHS.get(character, USUAL_WIDTH) for character in text)) + 2 * PADDING
