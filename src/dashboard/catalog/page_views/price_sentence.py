"""The sentence that answers whether now is a good moment to buy a product."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from common.web.page_frame import duration_words
from common.web.words import moment_text
from dashboard.catalog.models import PriceFigures, PriceStep, Product
from dashboard.catalog.page_views.words import day_text, percent_words, price_text

PERIOD = timedelta(days=90)
"""What the price of now is compared with, if it has been known for as long."""

NAMED_FROM = 0.01
"""The share of the period for which no price is known, from which on the page names it at the top."""


@dataclass(frozen=True)
class PriceNow:
    """What is known of a product's price now.

    steps: the last changes, the newest first. figures: those of PERIOD. is_old: the last answer is longer ago than a
    gap, so that its price is not that of now.
    """

    product: Product
    steps: list[PriceStep]
    figures: PriceFigures
    is_old: bool

    @property
    def price(self) -> int | None:
        """The price at the last answer; None if nothing was in stock then, or before the first answer."""
        return self.steps[0].price if self.steps else None


def sentence(found: PriceNow, now: datetime) -> str:
    """Such as `12.40 now: 8% under its average of 90 days, 3% above its lowest (11 Nov).`"""
    answered = found.product.freshness.last_success
    if not found.steps or answered is None:
        if found.product.registration == "pending":
            return "There is no price: the product is not registered with the offers service yet."
        return "There is no price: the offers service has not told one yet."
    when = f"at {day_and_time(answered, now)}, the time of the last answer" if found.is_old else "now"
    if found.price is None:
        return f"Nothing {'was' if found.is_old else 'is'} in stock {when}.{_last_price(found, now)}"
    compared = _compared(found.price, found.figures, now)
    return f"{price_text(found.price)} {when}{': ' if compared else ''}{', '.join(compared)}."


def unknown_words(found: PriceNow, now: datetime) -> str:
    """For how much of the time of the comparison no price is known; empty for a small part of it."""
    figures = found.figures
    unknown = figures.unknown_seconds
    if figures.known_since is None or figures.mean is None or unknown < NAMED_FROM * (figures.known_seconds + unknown):
        return ""
    period = period_words(figures.known_since, now)
    return f"No price is known for {duration_words(unknown)} of {period}."


def period_words(known_since: datetime, now: datetime) -> str:
    """The period of the comparison: `90 days`, or how long the product has been watched."""
    known = now - known_since
    return f"{PERIOD.days} days" if known >= PERIOD else f"the {_duration(known)} that it has been watched"


def day_and_time(at: datetime, now: datetime) -> str:
    """Such as `14:20 UTC`, or `Wed 11 Nov, 14:20 UTC`."""
    return f"{moment_text(at, now)} UTC"


def _compared(price: int, figures: PriceFigures, now: datetime) -> list[str]:
    """The price beside the lowest and the average; empty where nothing is known to compare it with."""
    lowest, highest, mean, since = figures.lowest, figures.highest, figures.mean, figures.known_since
    if lowest is None or highest is None or mean is None or since is None:
        return []
    period = period_words(since, now)
    if price == lowest.price == highest.price:
        return [f"the only price in {period}"]
    if price <= lowest.price:
        return [f"its lowest in {period}", f"{percent_words(price, mean)} its average"]
    return [
        f"{percent_words(price, mean)} its average of {period}",
        f"{percent_words(price, lowest.price)} its lowest ({day_text(lowest.at, now)})",
    ]


def _last_price(found: PriceNow, now: datetime) -> str:
    """What it cost before it was sold out, as far as the last changes say."""
    pairs = zip(found.steps, found.steps[1:], strict=False)
    last = next(((later.at, step.price) for later, step in pairs if step.price is not None), None)
    if last is None:
        return ""
    figures = found.figures
    words = f" The last price was {price_text(last[1])}, until {day_and_time(last[0], now)}"
    if figures.mean is None or figures.known_since is None:
        return f"{words}."
    return f"{words}; the average of {period_words(figures.known_since, now)} is {price_text(figures.mean)}."


def _duration(known: timedelta) -> str:
    return duration_words(known.total_seconds())
