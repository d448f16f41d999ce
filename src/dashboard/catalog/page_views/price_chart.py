"""The chart of a product's price: its period, its steps with the times that are not known, and its words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from common.web.charts.marks import Chart, Words
from common.web.charts.price_steps import PriceStep as ChartStep
from common.web.charts.price_steps import PriceSteps, price_steps
from common.web.page_frame import duration_words
from dashboard.catalog.models import PriceFigures, PriceGap, PriceRange, PriceStep
from dashboard.catalog.page_views.price_sentence import day_and_time
from dashboard.catalog.page_views.words import day_text, price_text
from dashboard.catalog.queries.price_history import ShownGaps, ShownSteps

NOTHING_IN_STOCK = "nothing in stock"
NOT_ASKED = "not known"
SERIES = ("price", "average by time", NOTHING_IN_STOCK, NOT_ASKED)
PARTS = 120
"""Parts of the period of the chart, for each of which it has at most three prices."""

RANGES: Mapping[PriceRange, tuple[str, timedelta | None]] = {
    "1d": ("1 day", timedelta(days=1)),
    "1w": ("1 week", timedelta(days=7)),
    "1m": ("1 month", timedelta(days=30)),
    "3m": ("3 months", timedelta(days=90)),
    "1y": ("1 year", timedelta(days=365)),
    "all": ("all", None),
}
"""The ranges of the chart: their names, and how long they are; None: since the first price."""


@dataclass(frozen=True)
class Shown:
    """A period of a product's prices: what is drawn, and its figures. start: not before the first price."""

    start: datetime
    end: datetime
    steps: ShownSteps
    gaps: ShownGaps
    figures: PriceFigures


def period_title(price_range: PriceRange, shown: Shown | None, now: datetime) -> str:
    """The period that the chart and its figures have, such as `over 3 months` or `since 11 Nov`, its first price."""
    if shown is None:
        return ""
    label, length = RANGES[price_range]
    if length is None or now - shown.start < length:
        return f"since {day_text(shown.start, now)}"
    return f"over {label}"


def chart(shown: Shown, name: str, finding: str) -> Chart:
    """The chart of the period. name: of the product."""
    steps = known_steps(shown.steps.steps, shown.gaps.gaps, shown.end)
    data = PriceSteps(
        [ChartStep(step.since, step.price, step.is_unknown) for step in steps],
        shown.end,
        shown.figures.mean,
        price_text,
        unit=1,
    )
    return price_steps(data, Words(f"Price of {name}", finding, "since (UTC)", SERIES))


def shortest_gap(start: datetime, end: datetime) -> timedelta:
    """The shortest time without a known price that the chart of a period draws."""
    return (end - start) / (2 * PARTS)


def known_steps(steps: Sequence[PriceStep], gaps: Sequence[PriceGap], end: datetime) -> list[ChartStep]:
    """The steps, cut where no price is known. end: of the last step.

    A price that was seen only in the last answer before a gap has a step without a length.
    """
    found: list[ChartStep] = []
    bounds = [(gap.from_, gap.to or end) for gap in gaps]
    spans = [*((step.at, step.price) for step in steps), (end, None)]
    for (since, price), (until, _) in pairwise(spans):
        at = since
        for start, stop in bounds:
            if stop <= at or start >= until:
                continue
            if start >= at:
                _add(found, ChartStep(at, price))
            _add(found, ChartStep(max(start, at), None, is_unknown=True))
            at = min(stop, until)
        if at < until:
            _add(found, ChartStep(at, price))
    return found


def _add(steps: list[ChartStep], step: ChartStep) -> None:
    """Add a step, unless it continues the one before."""
    last = steps[-1] if steps else None
    if last is None or (last.price, last.is_unknown) != (step.price, step.is_unknown):
        steps.append(step)


def chart_finding(shown: Shown, now: datetime) -> str:
    """What the chart shows, in a sentence."""
    lowest, highest = shown.figures.lowest, shown.figures.highest
    if lowest is None or highest is None:
        return "There is no price in this time."
    if lowest.price == highest.price:
        return f"The only price is {price_text(lowest.price)}."
    return (
        f"From {price_text(lowest.price)}, the lowest, at {day_and_time(lowest.at, now)}, "
        f"to {price_text(highest.price)}, the highest, at {day_and_time(highest.at, now)}."
    )


def chart_notes(shown: Shown) -> list[str]:
    """What the chart leaves out, and what its words mean."""
    notes, gaps = [], shown.gaps
    if shown.steps.is_thinned:
        notes.append(f"The chart has the lowest, the highest and the last price of each {PARTS}th of this time.")
    if gaps.gaps:
        meaning = "the offers service could not be asked, so this time counts for no figure"
        notes.append(f"{NOT_ASKED.capitalize()}: {meaning}.")
    if gaps.longest_hidden is not None:
        times, verb = ("time", "is") if gaps.hidden == 1 else ("times", "are")
        length = duration_words(gaps.longest_hidden.total_seconds())
        notes.append(f"{gaps.hidden:,} {times} of at most {length} in which no price is known {verb} not drawn.")
    return notes
