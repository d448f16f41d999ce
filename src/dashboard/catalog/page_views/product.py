"""What the page of a product shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from common.web.charts.marks import Chart, SmallChart, Words
from common.web.charts.price_steps import PriceStep as ChartStep
from common.web.charts.price_steps import PriceSteps, price_steps
from common.web.charts.small import step_line
from common.web.page_frame import duration_words
from dashboard.catalog.models import (
    Mark,
    OfferId,
    OfferState,
    PriceExtreme,
    PriceFigures,
    PriceGap,
    PriceRange,
    PriceStep,
    Product,
)
from dashboard.catalog.page_views.price_sentence import day_and_time
from dashboard.catalog.page_views.words import day_text, moment_text, price_text, share_text
from dashboard.catalog.queries.price_history import ShownSteps

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
    gaps: Sequence[PriceGap]
    figures: PriceFigures


@dataclass(frozen=True)
class Tile:
    """A figure, and a few words below it. key: names the figure."""

    key: str
    label: str
    value: str
    note: str


def tiles(shown: Shown, price: int | None, product: Product, now: datetime) -> list[Tile]:
    """The figures of the period. price: that of the last answer."""
    figures = shown.figures
    answered = product.freshness.last_success
    current = "–" if answered is None else "sold out" if price is None else price_text(price)
    return [
        Tile("current", "Current", current, "" if answered is None else f"at {day_and_time(answered, now)}"),
        _extreme("lowest", "Lowest", figures.lowest, now),
        _extreme("highest", "Highest", figures.highest, now),
        Tile("mean", "Average", price_text(figures.mean), "weighted by time" if figures.mean is not None else ""),
        Tile("in_stock_share", "In stock", share_text(figures.in_stock_share), "of the known time"),
        Tile("known_since", "Watched since", _day(figures.known_since, now), _for(figures.known_since, now)),
    ]


def _extreme(key: str, label: str, extreme: PriceExtreme | None, now: datetime) -> Tile:
    if extreme is None:
        return Tile(key, label, price_text(None), "")
    return Tile(key, label, price_text(extreme.price), day_and_time(extreme.at, now))


def _day(at: datetime | None, now: datetime) -> str:
    return "–" if at is None else day_text(at, now)


def _for(since: datetime | None, now: datetime) -> str:
    return "" if since is None else duration_words((now - since).total_seconds())


def chart(shown: Shown, name: str, finding: str) -> Chart:
    """The chart of the period. name: of the product."""
    steps = known_steps(shown.steps.steps, shown.gaps, shown.end, shortest_gap(shown))
    data = PriceSteps(
        [ChartStep(step.since, step.price, step.is_unknown) for step in steps],
        shown.end,
        shown.figures.mean,
        price_text,
    )
    return price_steps(data, Words(f"Price of {name}", finding, "since (UTC)", SERIES))


def shortest_gap(shown: Shown) -> timedelta:
    """The shortest time without a known price that the chart draws."""
    return (shown.end - shown.start) / (2 * PARTS)


def known_steps(
    steps: Sequence[PriceStep], gaps: Sequence[PriceGap], end: datetime, shortest: timedelta
) -> list[ChartStep]:
    """The steps, cut where no price is known. end: of the last step. shortest: shorter gaps are left out."""
    found: list[ChartStep] = []
    bounds = [(gap.from_, gap.to or end) for gap in gaps if (gap.to or end) - gap.from_ >= shortest]
    spans = [*((step.at, step.price) for step in steps), (end, None)]
    for (since, price), (until, _) in pairwise(spans):
        at = since
        for start, stop in bounds:
            if stop <= at or start >= until:
                continue
            if start > at:
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
        return f"The price was {price_text(lowest.price)} all the time."
    return (
        f"From {price_text(lowest.price)}, the lowest, at {day_and_time(lowest.at, now)}, "
        f"to {price_text(highest.price)}, the highest, at {day_and_time(highest.at, now)}."
    )


def chart_notes(shown: Shown) -> list[str]:
    """What the chart leaves out, and what its words mean."""
    notes, shortest = [], shortest_gap(shown)
    if shown.steps.is_thinned:
        notes.append(f"The chart has the lowest, the highest and the last price of each {PARTS}th of this time.")
    drawn = [gap for gap in shown.gaps if (gap.to or shown.end) - gap.from_ >= shortest]
    if drawn:
        meaning = "the offers service could not be asked, so this time counts for no figure"
        notes.append(f"{NOT_ASKED.capitalize()}: {meaning}.")
    if hidden := len(shown.gaps) - len(drawn):
        times, verb = ("time", "is") if hidden == 1 else ("times", "are")
        longest = max((gap.to or shown.end) - gap.from_ for gap in shown.gaps if gap not in drawn)
        length = duration_words(longest.total_seconds())
        notes.append(f"{hidden:,} {times} of at most {length} in which no price is known {verb} not drawn.")
    return notes


@dataclass(frozen=True)
class OfferRow:
    """An offer. closed: when it was; empty while it is open."""

    id: OfferId
    price: str
    stock: int
    first_seen: str
    sparkline: SmallChart | None
    closed: str


def offer_rows(
    offers: Sequence[OfferState], sparklines: Mapping[str, list[int | None]], now: datetime
) -> list[OfferRow]:
    """The rows of offers. sparklines: by the id as text."""
    return [
        OfferRow(
            offer.id,
            price_text(offer.price),
            offer.items_in_stock,
            moment_text(offer.first_seen, now),
            _offer_line(sparklines.get(str(offer.id), [])),
            "" if offer.closed_at is None else moment_text(offer.closed_at, now),
        )
        for offer in offers
    ]


def _offer_line(prices: Sequence[int | None]) -> SmallChart | None:
    if all(price is None for price in prices):
        return None
    return step_line(prices, "Price of this offer", f"From {price_text(prices[0])} to {price_text(prices[-1])}.")


@dataclass(frozen=True)
class Change:
    """A change of the lowest price in stock. percent: None where one of the two prices is not there."""

    at: str
    price: str
    before: str
    percent: float | None


def changes(steps: Sequence[PriceStep], limit: int, now: datetime) -> list[Change]:
    """The last changes. steps: the newest first; the one after the limit is the price before the last one shown."""
    before: list[PriceStep | None] = [*steps[1:], None]
    return [
        Change(
            moment_text(step.at, now),
            _stock_text(step.price),
            "first answer" if earlier is None else _stock_text(earlier.price),
            None
            if earlier is None or step.price is None or not earlier.price
            else 100 * (step.price - earlier.price) / earlier.price,
        )
        for step, earlier in zip(steps[:limit], before, strict=False)
    ]


def _stock_text(price: int | None) -> str:
    return NOTHING_IN_STOCK if price is None else price_text(price)


@dataclass(frozen=True)
class Notice:
    """A notice. style: a class of notices."""

    style: str
    text: str


def notices(product: Product, now: datetime, *, is_old: bool, has_service: bool) -> list[Notice]:
    """Why the price may be old or not there."""
    freshness = product.freshness
    reason = f" The reason: {freshness.last_error}" if freshness.last_error else ""
    if product.registration == "pending":
        if not has_service:
            return [Notice("", "Not registered: no offers service is configured (DASHBOARD_OFFERS_URL).")]
        return [Notice("", f"Not registered yet, {_next_attempt(freshness.next_attempt, now)}.{reason}")]
    if freshness.last_error is not None:
        tried = "" if freshness.last_attempt is None else f" at {day_and_time(freshness.last_attempt, now)}"
        return [Notice("bad", f"The refresh failed{tried}, {_next_attempt(freshness.next_attempt, now)}.{reason}")]
    if is_old:
        return [Notice("", "The offers service has not been asked for a while, so the price of now is not known.")]
    return []


def _next_attempt(at: datetime | None, now: datetime) -> str:
    if at is None or at <= now:
        return "tried again within a minute"
    return f"tried again in {duration_words((at - now).total_seconds())}"


def mark_words(mark: Mark | None, now: datetime) -> str:
    """Which changes of the product raise an alert."""
    if mark is None:
        return "No alert is set for this product."
    watched = []
    if mark.below is not None:
        watched.append(f"its best price is below {price_text(mark.below)}")
    if mark.watched_since is not None:
        watched.append(f"it is in stock again after it was sold out on or after {day_text(mark.watched_since, now)}")
    return f"There is an alert when {', and when '.join(watched)}."
