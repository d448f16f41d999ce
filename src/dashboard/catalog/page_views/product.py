"""What the page of a product shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from common.web.charts.marks import SmallChart
from common.web.charts.small import step_line
from common.web.page_frame import duration_words
from common.web.words import moment_text
from dashboard.catalog.models import Mark, OfferId, OfferState, PriceExtreme, PriceStep, Product
from dashboard.catalog.page_views.price_chart import NOTHING_IN_STOCK, Shown
from dashboard.catalog.page_views.price_sentence import day_and_time
from dashboard.catalog.page_views.words import day_text, price_text, whole_percent_text

SHORT_DESCRIPTION = 200
"""Characters of a description that is shown above the prices; a longer one is behind a word."""


def is_short(description: str) -> bool:
    """Whether a description leaves the sentence at the top of the page in sight, if it stands above it."""
    return len(description) <= SHORT_DESCRIPTION and "\n" not in description.strip()


@dataclass(frozen=True)
class Tile:
    """A figure, and a few words below it. key: names the figure."""

    key: str
    label: str
    value: str
    note: str


def tiles(shown: Shown, price: int | None, product: Product, now: datetime, *, is_old: bool) -> list[Tile]:
    """The figures of the period. price: that of the last answer. is_old: it is not that of now."""
    figures = shown.figures
    answered = product.freshness.last_success
    current = "–" if answered is None else "sold out" if price is None else price_text(price)
    return [
        Tile(
            "current",
            "Last known" if is_old else "Current",
            current,
            "" if answered is None else f"at {day_and_time(answered, now)}",
        ),
        _extreme("lowest", "Lowest", figures.lowest, now),
        _extreme("highest", "Highest", figures.highest, now),
        Tile("mean", "Average", price_text(figures.mean), "weighted by time" if figures.mean is not None else ""),
        Tile("in_stock_share", "In stock", whole_percent_text(figures.in_stock_share), "of the known time"),
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
    first, last = ("sold out" if price is None else price_text(price) for price in (prices[0], prices[-1]))
    return step_line(prices, "Price of this offer", f"From {first} to {last}.")


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
        return "tried again with the next refresh"
    return f"tried again in {duration_words((at - now).total_seconds())}"


def mark_words(mark: Mark | None, now: datetime) -> str:
    """Which changes of the product raise an alert."""
    if mark is None:
        return "No alert is set for this product."
    said = []
    if mark.below is not None:
        said.append(f"An alert is raised when the best price is below {price_text(mark.below)}.")
    if mark.watched_since is not None:
        since = moment_text(mark.watched_since, now)
        said.append(f"An alert is raised when the product is in stock again; watched since {since} UTC.")
    return " ".join(said)


def mark_notice(notice: str, mark: Mark | None) -> str:
    """What the form has done, by the value of `notice` in the address, unless it was undone since."""
    if notice == "marked" and mark is not None:
        return "The alert is set."
    if notice == "unmarked" and mark is None:
        return "The alert is deleted."
    return ""
