"""Bodies and query strings of the catalogue's routes."""

import re
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints, WithJsonSchema

from common.limits import EARLIEST_INSTANT, MAX_PRICE, MAX_WINDOW_DAYS
from common.web.errors import Invalid
from common.web.input_types import (
    WITHOUT_NUL,
    Cursor,
    Input,
    PageInput,
    PageQuery,
    QueryInstant,
    QueryInteger,
    TableQuery,
    parse_name,
)
from dashboard.catalog.models import Interval, Period, PriceRange, ProductSort

MAX_POINTS = 10_000
"""Points or buckets of a page of a trend."""

MAX_WINDOW = timedelta(days=MAX_WINDOW_DAYS)

ProductName = Annotated[
    str,
    BeforeValidator(partial(parse_name, max_length=200)),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 200, "examples": ["Pressure washer"]}),
]
Description = Annotated[str, StringConstraints(max_length=5000, pattern=WITHOUT_NUL)]


class ProductInput(Input):
    """A product to create, or the new name and description of one."""

    name: ProductName
    """Name of the product."""
    description: Description
    """The product in words."""


def _absent() -> str:
    return ""


class ProductChange(Input):
    """Changes to a product; absent fields stay as they are."""

    name: ProductName = Field(default_factory=_absent)
    """Name of the product."""
    description: Description = Field(default_factory=_absent)
    """The product in words."""

    def given(self, field: Literal["name", "description"]) -> str | None:
        """The value of a field, None when the request does not name it."""
        return getattr(self, field) if field in self.model_fields_set else None


class MarkInput(Input):
    """Which changes of a product raise an alert; at least one of the two."""

    below: Annotated[int, Field(ge=1, le=MAX_PRICE, examples=[900])] | None = None
    """An alert is raised when the best price is lower than this, in minor units; null: no alert about the price."""
    back_in_stock: bool = False
    """Whether an alert is raised when it is in stock again."""

    def require_any(self) -> None:
        """Raises Invalid when the mark asks for nothing."""
        if self.below is None and not self.back_in_stock:
            raise Invalid.field("below", "is required unless `back_in_stock` is true")


class ProductsQuery(PageQuery):
    search: Annotated[
        str | None,
        Field(max_length=200, pattern=WITHOUT_NUL, description="A part of the name, in any case", examples=["washer"]),
    ] = None
    sort: Annotated[
        ProductSort,
        Field(
            description="`name`, `price` of the best offer or `change_7d`, its change over seven days in percent; with "
            "`-` descending. Products without a price, or whose change is not known, come last"
        ),
    ] = "name"
    in_stock: Annotated[
        Literal["true", "false"] | None,
        Field(description="Only products with a best offer, or only those without one"),
    ] = None


class OffersQuery(PageQuery):
    include: Annotated[Literal["closed"] | None, Field(description="`closed`: include closed offers")] = None


class TrendQuery(TableQuery):
    from_: Annotated[
        QueryInstant | None,
        Field(
            alias="from",
            description="Start of the period, by default and at most 400 days before its end; the price valid then is "
            "the first point",
        ),
    ] = None
    to: Annotated[QueryInstant | None, Field(description="End of the period, included; by default now")] = None
    interval: Annotated[
        Interval | None,
        Field(description="Return buckets (UTC; weeks begin on Monday) instead of points; each bucket is whole"),
    ] = None
    limit: Annotated[
        QueryInteger, Field(ge=1, le=MAX_POINTS, description="Maximum number of points or buckets in a page")
    ] = MAX_POINTS
    cursor: Cursor | None = None

    def period(self, now: datetime) -> Period:
        """The period that is asked for. Raises Invalid for one that begins after its end or now, or is too long."""
        end = now if self.to is None else min(self.to, now)
        if self.from_ is None:
            return Period(max(end, EARLIEST_INSTANT) - MAX_WINDOW, self.to, now)
        if self.to is not None and self.from_ > self.to:
            raise Invalid.field("from", "is after `to`")
        if self.from_ > now:
            raise Invalid.field("from", "is in the future")
        if end - self.from_ > MAX_WINDOW:
            raise Invalid.field("from", f"must be at most {MAX_WINDOW_DAYS} days before `to`")
        return Period(self.from_, self.to, now)


class PricesPageQuery(PageInput):
    """A page of the products that are searched for."""

    search: Annotated[str, Field(max_length=200, pattern=WITHOUT_NUL)] = ""
    sort: ProductSort = "name"
    cursor: Cursor | None = None


class ProductPageQuery(PageInput):
    """What the page of a product shows.

    range: of the chart. offers: whether closed offers are shown too. notice: names what a form has done.
    """

    range: PriceRange = "3m"
    offers: Literal["open", "all"] = "open"
    notice: str = ""


_AMOUNT = re.compile(r"(\d{1,3}(?:,\d{3})+|\d+)(?:\.(\d{1,2}))?", re.ASCII)


def parse_amount(text: str) -> int | None:
    """The minor units of an amount as the pages write it, such as `1,012.40`; None for an empty one.

    Raises ValueError for anything else, and outside 0.01 to MAX_PRICE minor units.
    """
    text = text.strip()
    if not text:
        return None
    found = _AMOUNT.fullmatch(text)
    if found is None:
        raise ValueError("must be an amount, such as 1012.40")
    whole, cents = found.groups()
    amount = int(whole.replace(",", "")[:20]) * 100 + int((cents or "0").ljust(2, "0"))
    if not 1 <= amount <= MAX_PRICE:
        raise ValueError(f"must be between 0.01 and {MAX_PRICE // 100:,}")
    return amount
