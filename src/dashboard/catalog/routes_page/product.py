"""The page of a product: whether now is a good moment to buy it, and the form of its alert."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from quart import Blueprint, Response
from quart_schema import hide

from common.tables import CSV, XLSX
from common.web.errors import Invalid
from common.web.html import html_page
from common.web.page_frame import Alternate, PageTag, framed_page, page_tag, unchanged
from common.web.page_session import current_session, read_form, redirect, session_required
from common.web.query_string import validate_querystring
from common.web.resources import pool
from dashboard.catalog import service
from dashboard.catalog.inputs import MAX_POINTS, MAX_WINDOW, MarkInput, ProductPageQuery, parse_amount
from dashboard.catalog.models import OfferState, PriceFigures, PriceRange, Product
from dashboard.catalog.page_templates import templates
from dashboard.catalog.page_views import price_chart
from dashboard.catalog.page_views import product as view
from dashboard.catalog.page_views.price_list import PATH, list_address
from dashboard.catalog.page_views.price_sentence import PERIOD, PriceNow, sentence, unknown_words
from dashboard.catalog.page_views.words import price_text
from dashboard.catalog.queries import marks, price_history, product_list, products, sparklines
from dashboard.catalog.routes.products import unknown_product
from dashboard.resources import resources
from dashboard.rights import PRICES

blueprint = Blueprint("catalog_product_page", __name__)

PRODUCT_PAGE = f"{PATH}/<uuid:product_id>"
CHANGES_SHOWN = 50
OFFERS_SHOWN = 50
OFFER_POINTS = 31
OFFER_PERIOD = PERIOD
SHORTEST_SHOWN = timedelta(seconds=1)
"""A chart needs some time behind it. The clock of the database may even be ahead, with a first price after now."""
LIVE_SECONDS = 30

NOTHING_ASKED = "is required, unless the return into stock is watched"
MAX_AMOUNT_LENGTH = 30
"""Characters of a refused amount that are sent back."""


@dataclass(frozen=True)
class MarkForm:
    """The form of the alert: its fields as they were sent, or those of the mark. fault: why it is refused."""

    below: str
    back_in_stock: bool
    fault: str = ""


@blueprint.get(PRODUCT_PAGE)
@html_page
@hide
@session_required(PRICES)
@validate_querystring(ProductPageQuery)
async def get_product_page(product_id: UUID, query_args: ProductPageQuery) -> Response:
    """Show a product's price now beside its past, its offers, its changes and its alert."""
    now = datetime.now(UTC)
    product = await read_product(product_id)
    is_old = product.is_old(now, service.shortest_gap(resources().config.offers_seconds))
    attempt = now.timestamp() // 10 if product.freshness.next_attempt else None  # its time from now on is on the page
    tag = await page_tag(product, is_old, now.date(), now.hour, attempt)
    if (answer := unchanged(tag)) is not None:
        return answer
    return await product_page(product, query_args, tag, form_of(product), now)


@blueprint.post(f"{PRODUCT_PAGE}/mark")
@html_page
@hide
@session_required(PRICES)
@validate_querystring(ProductPageQuery)
async def set_mark(product_id: UUID, query_args: ProductPageQuery) -> Response:
    """Set or delete the alert of a product, as the form's button says."""
    fields = await read_form(current_session())
    now = datetime.now(UTC)
    if fields.get("action") == "delete":
        await marks.delete_mark(pool(), product_id)
        return redirect(page_address(product_id, query_args, notice="unmarked"))
    amount, back_in_stock = fields.get("below", ""), "back_in_stock" in fields
    try:
        below = parse_amount(amount)
        MarkInput(below=below, back_in_stock=back_in_stock).require_any()
    except (ValueError, Invalid) as error:
        product = await read_product(product_id)
        fault = NOTHING_ASKED if isinstance(error, Invalid) else str(error)
        faulty = MarkForm(amount[:MAX_AMOUNT_LENGTH], back_in_stock, fault)
        page = await product_page(product, query_args, (await page_tag()).uncached(), faulty, now, live_seconds=None)
        page.status_code = 400
        return page
    if await marks.upsert_mark(pool(), product_id, below, back_in_stock, now) is None:
        raise unknown_product(product_id)
    return redirect(page_address(product_id, query_args, notice="marked"))


async def read_product(product_id: UUID) -> Product:
    """A product. Raises NotFound for an unknown one."""
    free = resources().config.allows_free_offers
    product = await product_list.select_product(pool(), product_id, allows_free_offers=free)
    if product is None:
        raise unknown_product(product_id)
    return product


def form_of(product: Product) -> MarkForm:
    """The form with the alert of the product."""
    mark = product.mark
    if mark is None:
        return MarkForm("", back_in_stock=False)
    return MarkForm("" if mark.below is None else price_text(mark.below), mark.back_in_stock)


async def product_page(
    product: Product,
    query: ProductPageQuery,
    tag: PageTag,
    form: MarkForm,
    now: datetime,
    *,
    live_seconds: float | None = LIVE_SECONDS,
) -> Response:
    """The page. live_seconds: None for the answer to a form, whose address cannot be asked again."""
    config = resources().config
    gap = service.shortest_gap(config.offers_seconds)
    # 1. What the price of now is compared with, and what changed last.
    compared, last_steps = await asyncio.gather(
        price_history.select_price_figures(pool(), product.id, before(now, PERIOD), now, now, gap),
        price_history.select_last_steps(pool(), product.id, CHANGES_SHOWN + 1),
    )
    if compared is None:
        raise unknown_product(product.id)
    found = PriceNow(product, last_steps, compared, product.is_old(now, gap))
    # 2. The period of the chart, and the offers.
    shown, offers, closed = await asyncio.gather(
        read_shown(product.id, query.range, compared, now),
        products.select_open_offers(pool(), product.id, OFFERS_SHOWN + 1),
        read_closed(product.id, query),
    )
    drawn = await sparklines.select_offer_sparklines(
        pool(),
        product.id,
        [str(offer.id) for offer in (*offers[:OFFERS_SHOWN], *closed[:OFFERS_SHOWN])],
        OFFER_PERIOD,
        OFFER_POINTS,
    )
    return framed_page(
        templates,
        "product.html",
        tag,
        alternates=alternates_of(product.id, shown) if config.api_token is None else (),
        live_seconds=live_seconds,
        csrf=current_session().csrf,
        product=product,
        is_short=view.is_short(product.description),
        sentence=sentence(found, now),
        unknown_words=unknown_words(found, now),
        period=price_chart.period_title(query.range, shown, now),
        notices=view.notices(product, now, is_old=found.is_old, has_service=config.offers_url is not None),
        ranges=[
            (label, page_address(product.id, query, range_=each), each == query.range)
            for each, (label, _) in price_chart.RANGES.items()
        ],
        tiles=[] if shown is None else view.tiles(shown, found.price, product, now, is_old=found.is_old),
        chart=None if shown is None else price_chart.chart(shown, product.name, price_chart.chart_finding(shown, now)),
        chart_notes=[] if shown is None else price_chart.chart_notes(shown),
        offers=view.offer_rows(offers[:OFFERS_SHOWN], drawn, now),
        has_more_offers=len(offers) > OFFERS_SHOWN,
        closed=view.offer_rows(closed[:OFFERS_SHOWN], drawn, now),
        has_more_closed=len(closed) > OFFERS_SHOWN,
        shows_closed=query.offers == "all",
        closed_address=page_address(product.id, query, offers="open" if query.offers == "all" else "all"),
        changes=view.changes(last_steps, CHANGES_SHOWN, now),
        has_more_changes=len(last_steps) > CHANGES_SHOWN,
        mark_words=view.mark_words(product.mark, now),
        form=form,
        form_address=page_address(product.id, query, path=f"{PATH}/{product.id}/mark"),
        notice=view.mark_notice(query.notice, product.mark),
        offers_shown=OFFERS_SHOWN,
        export_note=export_note(shown) if config.api_token is None else "",
        list_path=PATH,
    )


def before(now: datetime, length: timedelta) -> datetime:
    """The hour in which a period of a length that ends now begins: what a page shows stays the same for an hour."""
    return (now - length).replace(minute=0, second=0, microsecond=0)


async def read_shown(
    product_id: UUID, price_range: PriceRange, compared: PriceFigures, now: datetime
) -> price_chart.Shown | None:
    """The prices of the period of the chart, from the first one on; None before it.

    compared: the figures of PERIOD, which are not read again if they are those of the chart.
    """
    known_since = compared.known_since
    if known_since is None:
        return None
    gap = service.shortest_gap(resources().config.offers_seconds)
    length = price_chart.RANGES[price_range][1]
    start = known_since if length is None else max(known_since, before(now, length))
    if now - start < SHORTEST_SHOWN:
        return None
    steps, gaps = await asyncio.gather(
        price_history.select_shown_steps(pool(), product_id, start, now, price_chart.PARTS),
        price_history.select_shown_gaps(pool(), product_id, start, now, now, gap, price_chart.shortest_gap(start, now)),
    )
    figures: PriceFigures | None = compared
    if start != max(known_since, before(now, PERIOD)):
        figures = await price_history.select_price_figures(pool(), product_id, start, now, now, gap)
    return None if figures is None or not steps.steps else price_chart.Shown(start, now, steps, gaps, figures)


async def read_closed(product_id: UUID, query: ProductPageQuery) -> list[OfferState]:
    """Closed offers, if they are asked for."""
    if query.offers == "open":
        return []
    return await products.select_closed_offers(pool(), product_id, OFFERS_SHOWN + 1)


def page_address(
    product_id: UUID,
    query: ProductPageQuery,
    *,
    path: str = "",
    range_: PriceRange | None = None,
    offers: str | None = None,
    notice: str | None = None,
) -> str:
    """The address of the page, or of a path below it, that shows what is asked for, but for the changes named."""
    shown_range, shown_offers = range_ or query.range, offers or query.offers
    return list_address(
        path or f"{PATH}/{product_id}",
        range=None if shown_range == "3m" else shown_range,
        offers=None if shown_offers == "open" else shown_offers,
        notice=notice,
    )


def alternates_of(product_id: UUID, shown: price_chart.Shown | None) -> list[Alternate]:
    """The prices of the chart as JSON, CSV and XLSX, each of which is one page; `export_note` says what it leaves out.

    A period of more steps than a page has is told by the hour: MAX_WINDOW has fewer hours than a page has points.
    """
    path = f"/products/{product_id}/price-history"
    asked = {}
    if shown is not None and not is_longer_than_a_query(shown):
        asked["from"] = f"{shown.start:%Y-%m-%dT%H:%M:%S.%fZ}"
    if shown is not None and shown.steps.total > MAX_POINTS:
        asked["interval"] = "hour"
    return [
        Alternate("JSON", "application/json", list_address(path, **asked)),
        Alternate("CSV", CSV, list_address(path, **asked, format="csv")),
        Alternate("XLSX", XLSX, list_address(path, **asked, format="xlsx")),
    ]


def export_note(shown: price_chart.Shown | None) -> str:
    """How the JSON, CSV and XLSX of the prices differ from the chart; empty if they do not."""
    if shown is None:
        return ""
    parts = []
    if is_longer_than_a_query(shown):
        parts.append(f"the last {MAX_WINDOW.days} days")
    if shown.steps.total > MAX_POINTS:
        parts.append("the lowest, the highest, the mean and the last price of each hour")
    return f" JSON, CSV and XLSX have {', '.join(parts)}." if parts else ""


def is_longer_than_a_query(shown: price_chart.Shown) -> bool:
    """Whether the period is longer than that of a request for prices."""
    return shown.end - shown.start >= MAX_WINDOW
