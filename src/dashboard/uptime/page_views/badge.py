"""The badge of a store: its state and its share of 30 days as a small SVG that other pages can show."""

from dataclasses import dataclass

from dashboard.uptime.models.periods import UptimePeriod
from dashboard.uptime.models.stores import StoreState
from dashboard.uptime.page_views.store_days import tile

CHARACTER = 6.4
PADDING = 7
LABEL = "30 days"
SHAPES = {
    "up": "M2 10L8 2L14 10Z",
    "down": "M2 2H14L8 10Z",
    "late": "M2 6H14",
}
"""A shape beside the colour, so that the state is seen without colours too."""
COLOURS = {"up": "#1f5fbf", "down": "#a8480b", "late": "#5b667d"}
STATES: dict[StoreState, tuple[str, str]] = {
    "up": ("up", "up"),
    "down": ("down", "down"),
    "closed": ("closed", "late"),
    "stale": ("late", "late"),
    "never_polled": ("never polled", "late"),
}
"""The word for a state, and which of the three looks it has."""


@dataclass(frozen=True, slots=True)
class Badge:
    """What the template of a badge prints. name: what a screen reader says."""

    name: str
    label: str
    text: str
    colour: str
    shape: str
    label_width: int
    text_width: int

    @property
    def width(self) -> int:
        return self.label_width + self.text_width


def badge(state: StoreState, month: UptimePeriod) -> Badge:
    """The badge. month: the last 30 days."""
    word, look = STATES[state]
    share = tile(month).share
    text = f"{word} · {share.lower() if month.uptime_share is None else share}"
    return Badge(
        name=f"Now {word}; uptime of {LABEL}: {share}",
        label=LABEL,
        text=text,
        colour=COLOURS[look],
        shape=SHAPES[look],
        label_width=_width(LABEL) + 18,
        text_width=_width(text),
    )


def _width(text: str) -> int:
    return round(len(text) * CHARACTER) + 2 * PADDING
