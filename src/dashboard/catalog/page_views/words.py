"""Prices, shares and instants as the pages of the catalogue write them. Instants are in UTC."""

from datetime import datetime
from math import floor

from common.web.charts.number_text import UNKNOWN


def price_text(price: float | None) -> str:
    """A price in minor units, such as `1,012.40`; that of a mean is rounded to them. A dash where it is unknown."""
    if price is None:
        return UNKNOWN
    units, cents = divmod(round(price), 100)
    return f"{units:,}.{cents:02}"


def whole_percent_text(share: float | None) -> str:
    """A share such as `97%`, rounded down, so that only all of it is 100%; a dash where it is unknown."""
    if share is None:
        return UNKNOWN
    percent = floor(100 * share)
    return "less than 1%" if percent == 0 and share > 0 else f"{percent}%"


def percent_text(percent: float) -> str:
    """A change in percent with one decimal and a sign, such as `−2.0%`; 0.0 has none."""
    shown = round(percent, 1)
    sign = "+" if shown > 0 else "−" if shown < 0 else ""
    return f"{sign}{abs(shown):,.1f}%"


def percent_words(price: float, other: float) -> str:
    """How far a price is from another one, such as `8% under`; only a price of 0 is 100% under."""
    if round(price) == round(other):
        return "level with"
    side = "under" if price < other else "above"
    if not other:
        return side
    percent = round(100 * abs(price - other) / other)
    if price:
        percent = min(percent, 99) if price < other else percent
    return f"{percent:,}% {side}" if percent else f"less than 1% {side}"


def day_text(at: datetime, now: datetime) -> str:
    """Such as `11 Nov`, `11 Nov 2025`, or `today, 14:20 UTC` if it was on the day of `now`."""
    if at.date() == now.date():
        return f"today, {at:%H:%M} UTC"
    return f"{at.day} {at:%b}" if at.year == now.year else f"{at.day} {at:%b %Y}"
