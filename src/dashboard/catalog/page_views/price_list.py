"""What the list of prices shows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode
from uuid import UUID

from common.web.charts.marks import SmallChart
from common.web.charts.number_text import count_text
from common.web.charts.small import step_line
from common.web.sort_link import SortLink
from common.web.words import counted, moment_text
from dashboard.catalog.models import ListedProduct, Product, ProductSort
from dashboard.catalog.page_views.words import day_text, price_text
from dashboard.catalog.queries.sparklines import PriceCounts, PriceSparkline

PATH = "/board/prices"
SORTS: Mapping[ProductSort, str] = {
    "name": "name",
    "price": "cheapest",
    "-price": "dearest",
    "change_7d": "largest fall in 7 days",
    "-change_7d": "largest rise in 7 days",
}
DEFAULT_SORT: ProductSort = "name"
NAMES_LISTED = 3


@dataclass(frozen=True)
class PriceRow:
    """A product of the list.

    offers: how many are in stock; None before the first refresh. is_lowest: whether its price is known to be the lowest
    in 30 days. asked: when it was last asked for; empty if it never was. problem: why there is no price of now; empty
    if there is one.
    """

    product_id: UUID
    address: str
    name: str
    price: str
    change: float | None
    offers: int | None
    sparkline: SmallChart | None
    is_lowest: bool
    asked: str
    problem: str


def list_address(path: str, **parameters: str | int | None) -> str:
    """The path with those parameters that are neither None nor empty."""
    query = urlencode({name: value for name, value in parameters.items() if value not in (None, "")})
    return f"{path}?{query}" if query else path


def sort_links(sort: ProductSort, search: str) -> list[SortLink]:
    """The orders of the list, each from its first page on."""
    return [
        SortLink(
            label,
            list_address(PATH, search=search, sort=None if each == DEFAULT_SORT else each),
            is_current=each == sort,
        )
        for each, label in SORTS.items()
    ]


def price_rows(
    products: Iterable[ListedProduct],
    sparklines: Mapping[UUID, PriceSparkline],
    period: timedelta,
    now: datetime,
    gap: timedelta,
) -> list[PriceRow]:
    """The rows of products. period: how long before now the sparklines begin. gap: a longer pause makes a price old."""
    return [
        _row(product, sparklines.get(product.id), period, now, is_old=product.is_old(now, gap)) for product in products
    ]


def _row(
    product: ListedProduct, sparkline: PriceSparkline | None, period: timedelta, now: datetime, *, is_old: bool
) -> PriceRow:
    freshness = product.freshness
    return PriceRow(
        product.id,
        f"{PATH}/{product.id}",
        product.name,
        price_text(None if product.best_offer is None else product.best_offer.price),
        product.change_7d,
        None if freshness.last_success is None else product.offers_in_stock,
        _drawing(sparkline, period, now),
        product.lowest_30d is True,
        "" if freshness.last_attempt is None else moment_text(freshness.last_attempt, now),
        _problem(product, now, is_old=is_old),
    )


def _problem(product: Product, now: datetime, *, is_old: bool) -> str:
    answered, has_failed = product.freshness.last_success, product.freshness.last_error is not None
    is_pending = product.registration == "pending"
    if answered is None:
        return "not registered yet" if is_pending else "no answer yet" if has_failed else ""
    if not (is_pending or has_failed or is_old):
        return ""
    reason = "not registered; " if is_pending else "failed; " if has_failed else ""
    return f"{reason}price of {moment_text(answered, now)}"


def _drawing(sparkline: PriceSparkline | None, period: timedelta, now: datetime) -> SmallChart | None:
    """The sparkline; None without any price in it."""
    if sparkline is None or all(price is None for price in sparkline.prices):
        return None
    first, last = sparkline.prices[0], sparkline.prices[-1]
    then = f"{period.days} days ago {price_text(first)}" if first is not None else f"{period.days} days ago no price"
    if sparkline.since is not None and sparkline.since > now - period:
        then = f"watched since {day_text(sparkline.since, now)}"
    ends = f"{then}, now {'no price' if last is None else price_text(last)}"
    gaps = "; with times without a price" if None in sparkline.prices[1:-1] else ""
    return step_line(sparkline.prices, f"Price of the last {period.days} days", f"{ends}{gaps}.")


def headline(counts: PriceCounts) -> str:
    """What changed in the catalogue, in a sentence; those of which neither is known are counted too."""
    if not counts.products:
        return "No product is watched yet."
    moved = [(counts.cheaper, "cheaper"), (counts.dearer, "dearer")]
    same = counts.compared - counts.cheaper - counts.dearer
    parts = []
    if changed := [f"{count_text(count)} {'is' if count == 1 else 'are'} {word}" for count, word in moved if count]:
        parts.append(f"{' and '.join(changed)} than 7 days ago")
    elif same:
        parts.append(f"{count_text(same)} {'costs' if same == 1 else 'cost'} the same as 7 days ago")
    if counts.sold_out:
        parts.append(f"{count_text(counts.sold_out)} {'has' if counts.sold_out == 1 else 'have'} nothing in stock")
    if unknown := counts.products - counts.compared - counts.sold_out:
        parts.append(f"{count_text(unknown)} cannot be compared{'' if counts.compared else ' with 7 days ago'}")
    return f"Of {counted(counts.products, 'product')} {'; '.join(parts)}."


@dataclass(frozen=True)
class LowestNow:
    """The products at their lowest in 30 days. rows: the first of them. more: how many there are besides."""

    rows: Sequence[PriceRow]
    more: int


def lowest_now(rows: Sequence[PriceRow]) -> LowestNow:
    """Those of the products that are at their lowest in 30 days."""
    found = [row for row in rows if row.is_lowest]
    return LowestNow(found[:NAMES_LISTED], max(0, len(found) - NAMES_LISTED))


def problems(counts: PriceCounts, *, has_service: bool) -> list[str]:
    """What makes the prices incomplete or old."""
    found = []
    if not has_service:
        found.append("No offers service is configured (DASHBOARD_OFFERS_URL), so no price is refreshed.")
    if counts.failing:
        failed = counted(counts.failing, "product")
        found.append(f"The last refresh of {failed} failed: the prices shown are those of the last answer.")
    if counts.silent:
        silent = counted(counts.silent, "product")
        found.append(
            f"The offers service has not been asked about {silent} for a while: the prices shown are those of its last "
            "answer."
        )
    if counts.pending and has_service:
        verb = "is" if counts.pending == 1 else "are"
        found.append(f"{counted(counts.pending, 'product')} {verb} not registered with the offers service yet.")
    return found
