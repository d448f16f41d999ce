"""Bodies and query strings of the catalogue's routes."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from common.web.errors import Invalid
from common.web.input_types import WITHOUT_NUL, Input, PageQuery, QueryInstant

"""PostgreSQL cannot store a NUL character in text."""

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=WITHOUT_NUL)]
Description = Annotated[str, StringConstraints(max_length=5000, pattern=WITHOUT_NUL)]
Interval = Literal["hour", "day", "week"]


class ProductInput(Input):
    """A product to create, or the new name and description of one."""

    name: Name
    description: Description


def _absent() -> str:
    return ""


class ProductChange(Input):
    """Changes to a product; absent fields stay as they are."""

    name: Name = Field(default_factory=_absent)
    description: Description = Field(default_factory=_absent)

    def given(self, field: Literal["name", "description"]) -> str | None:
        """The value of a field, None when the request does not name it."""
        return getattr(self, field) if field in self.model_fields_set else None


class ProductsQuery(PageQuery):
    search: Annotated[
        str | None, Field(max_length=200, pattern=WITHOUT_NUL, description="A part of the name, in any case")
    ] = None


class OffersQuery(PageQuery):
    include: Annotated[Literal["closed"] | None, Field(description="`closed`: include closed offers")] = None


class TrendQuery(Input):
    from_: Annotated[
        QueryInstant | None,
        Field(alias="from", description="Start of the period; the price valid then is the first point"),
    ] = None
    to: Annotated[QueryInstant | None, Field(description="End of the period, included")] = None
    interval: Annotated[
        Interval | None, Field(description="Return buckets (UTC; weeks begin on Monday) instead of single points")
    ] = None

    def require_ordered(self) -> None:
        """Raises Invalid when `from` is after `to`."""
        if self.from_ is not None and self.to is not None and self.from_ > self.to:
            raise Invalid.field("from", "is after `to`")
