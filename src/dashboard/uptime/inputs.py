"""Input types of stores and reports."""

import re
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from common.limits import MAX_WINDOW_DAYS
from common.web.input_types import Input, Night, PageQuery, QueryInstant, QueryInteger, TableQuery
from dashboard.uptime.models import Period, ReportColumns, State, StoreOrder

_SHARE = re.compile(r"[0-9]{1,3}(\.[0-9]{1,400})?([eE][+-]?[0-9]{1,3})?")


def parse_share(value: Any) -> Decimal:
    """Parse a share from a query string, written as a JSON number, to its exact value. Raises ValueError."""
    if isinstance(value, Decimal):
        return value
    if not isinstance(value, str) or not _SHARE.fullmatch(value):
        raise ValueError("must be a decimal number from 0 to 1, such as 0.99")
    return Decimal(value)


Share = Annotated[
    Decimal,
    BeforeValidator(parse_share),
    Field(ge=0, le=1),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": 1}),
]
Target = Annotated[Share, Field(description="The minimum share of open time that a store is up, 0 to 1")]
ReportPeriod = Annotated[Period, Field(description="The last hour, 24 hours or 168 hours before the newest poll")]


MAX_CHOSEN_STORES = 500
"""More would not fit into the line of a request; a group has no limit."""


def _as_list(value: Any) -> Any:
    """A parameter that is given once, as a list."""
    return [value] if isinstance(value, str) else value


StoreId = Annotated[str, Field(min_length=1, max_length=100, pattern=WITHOUT_NUL)]
Group = Annotated[str, BeforeValidator(parse_name), WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 100})]
"""The name of a group of stores: a label that each of them has."""


class ReportRequest(Input):
    as_of: Annotated[QueryInstant | None, Field(description="End of the windows; by default the newest poll")] = None
    store_id: Annotated[
        list[StoreId] | None,
        BeforeValidator(_as_list),
        Field(
            min_length=1,
            max_length=MAX_CHOSEN_STORES,
            description="Only this store; repeat it for several. By default all stores",
            examples=[["8139926242460185114"]],
        ),
    ] = None
    group: Annotated[Group | None, Field(description="Only the stores of this group", examples=["north"])] = None

    @model_validator(mode="after")
    def _require_one_choice(self) -> Self:
        if self.store_id is not None and self.group is not None:
            raise PydanticCustomError("value_error", "cannot be combined with `store_id`")
        return self


class ReportQuery(TableQuery):
    report_id: Annotated[
        str,
        Field(
            max_length=1000,
            description="The id that /trigger_report returned",
            examples=["0b0d6a3c-6f0e-4a53-9d3c-1f6f0a4f6c11"],
        ),
    ]
    columns: Annotated[
        ReportColumns,
        Field(description="`full` adds shares, coverage, time zone, group and state to the columns of the source"),
    ] = "source"


class UploadQuery(Input):
    rejected: Annotated[
        Literal["all"] | None,
        Field(description="`all`: list every rejected line with its text, not only the first ones"),
    ] = None


class WindowQuery(TableQuery):
    """A window, `[from, to)`."""

    from_: Annotated[
        QueryInstant | None, Field(alias="from", description="Start of the window; by default 168 hours before its end")
    ] = None
    to: Annotated[
        QueryInstant | None,
        Field(
            description="End of the window; now by default and at the latest. If the fleet was not polled in the last "
            "168 hours, by default its newest poll"
        ),
    ] = None


class WindowPageQuery(WindowQuery, PageQuery):
    """A page of the items in a window."""


class GapsQuery(WindowPageQuery):
    minutes: Annotated[QueryInteger, Field(ge=5, le=100_000, description="Minimum length of a gap in minutes")] = 90


class DaysQuery(TableQuery):
    """Local days of a store."""

    days: Annotated[QueryInteger, Field(ge=1, le=MAX_WINDOW_DAYS, description="Number of days")] = 90
    to: Annotated[Night | None, Field(description="The last day; by default the current day of the store")] = None


class StoresQuery(PageQuery):
    order: Annotated[
        StoreOrder, Field(description="By id, by most downtime, or by least share of uptime; then by id")
    ] = "store_id"
    period: ReportPeriod = "week"


class TargetQuery(TableQuery):
    target: Target = Decimal("0.99")
    period: ReportPeriod = "week"


class BreachesQuery(TargetQuery, PageQuery):
    """A page of the stores that miss a target."""
