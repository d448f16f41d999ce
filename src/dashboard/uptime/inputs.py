"""Input types of stores and reports."""

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainValidator,
    RootModel,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from common.limits import EARLIEST_STORE_DAY, LATEST_STORE_DAY, MAX_WINDOW_DAYS, require_sane_store_day
from common.web.input_types import (
    WITHOUT_NUL,
    Cursor,
    Input,
    Night,
    PageInput,
    PageQuery,
    QueryInstant,
    QueryInteger,
    TableQuery,
    parse_instant,
    parse_month,
    parse_name,
    parse_night,
)
from dashboard.uptime.models.fleet import Period, StoreOrder, WantedBand
from dashboard.uptime.models.reports import ReportColumns
from dashboard.uptime.models.stores import StoreState

_PERCENT = re.compile(r"[0-9]{1,3}(\.[0-9]{1,9})?")
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
Group = Annotated[
    str, BeforeValidator(parse_name), WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 100})
]
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
    columns: Annotated[
        ReportColumns,
        Field(description="`full`: make what the other columns need with the report, so that they can always be had"),
    ] = "source"


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
        Field(
            description="`full` adds shares, coverage, time zone, group and state to the columns of the source: of a "
            "report that was triggered so, or while the data is still that of the report"
        ),
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


def parse_month_of_stores(value: Any) -> date:
    """Parse a month written YYYY-MM to its first day. Raises ValueError."""
    return parse_month(value, EARLIEST_STORE_DAY, LATEST_STORE_DAY)


Month = Annotated[
    date,
    BeforeValidator(parse_month_of_stores),
    WithJsonSchema({"type": "string", "pattern": r"^(19[7-9]|20[0-9]|21[0-9])[0-9]-(0[1-9]|1[0-2])$"}),
]


class StorePageQuery(PageInput):
    """What the page of a store shows: a day, and the week that ends on a day; None for the last seven days."""

    day: Night | None = None
    week: Night | None = None

    @field_validator("day", "week")
    @classmethod
    def _require_sane(cls, day: date | None) -> date | None:
        return day if day is None else require_sane_store_day(day)


class SpanQuery(TableQuery):
    """The time of figures of the fleet: the last hour, day or week, or local days."""

    period: ReportPeriod = "week"
    month: Annotated[
        Month | None,
        Field(description="Instead of `period`: this month, in each store's own time zone", examples=["2026-10"]),
    ] = None
    from_: Annotated[
        Night | None,
        Field(alias="from", description="Instead of `period`: the first day, in each store's own time zone"),
    ] = None
    to: Annotated[
        Night | None, Field(description=f"The last day, at most {MAX_WINDOW_DAYS - 1} days after the first")
    ] = None


class StoresQuery(SpanQuery, PageQuery):
    order: Annotated[
        StoreOrder, Field(description="By id, by most downtime, or by least share of uptime; then by id")
    ] = "store_id"
    state: Annotated[StoreState | None, Field(description="Only stores that are in this state now")] = None


class TargetQuery(SpanQuery):
    target: Target = Decimal("0.99")


class BreachesQuery(TargetQuery, PageQuery):
    """A page of the stores that miss a target."""


class SpreadQuery(TableQuery):
    """How the shares of the fleet are spread in a period, beside a target."""

    period: ReportPeriod = "week"
    target: Target = Decimal("0.99")


StoreSearch = Annotated[
    str,
    AfterValidator(str.strip),
    Field(
        max_length=100,
        pattern=WITHOUT_NUL,
        description="Only stores with this, in any case, in their id, time zone or group",
        examples=["chicago"],
    ),
]


class FleetQuery(SpreadQuery, PageQuery):
    """A page of the stores, worst first."""

    state: Annotated[StoreState | None, Field(description="Only stores that are in this state now")] = None
    band: Annotated[
        WantedBand | None,
        Field(description="Only stores of this band of `/stores/spread`, or with `missed` those that miss the target"),
    ] = None
    search: StoreSearch = ""
    limit: Annotated[QueryInteger, Field(ge=1, le=200, description="Maximum number of stores in a page")] = 50


def parse_percent(value: Any) -> Any:
    """A share that a page has in per cent, such as `99` or `99,9`. Raises ValueError."""
    if not isinstance(value, str):
        return value
    if value.strip() == "":
        return Decimal("0.99")
    text = value.strip().removesuffix("%").rstrip().replace(",", ".")
    if not _PERCENT.fullmatch(text) or Decimal(text) > 100:
        raise ValueError("must be a number of per cent from 0 to 100, such as 99.5")
    return Decimal(text) / 100


class FleetPageQuery(PageInput):
    """What the page of the fleet shows. target: in per cent."""

    period: Period = "week"
    target: Annotated[Decimal, BeforeValidator(parse_percent)] = Decimal("0.99")
    state: StoreState | None = None
    band: WantedBand | None = None
    search: StoreSearch = ""
    cursor: Cursor | None = None


class PollsToDelete(Input):
    """The polls of a store that are wrong, `[from, to)`."""

    from_: Annotated[
        QueryInstant, Field(alias="from", description="The first moment", examples=["2023-01-23T17:00:00Z"])
    ]
    to: Annotated[
        QueryInstant,
        Field(description="The moment after the last; now at the latest", examples=["2023-01-23T18:00:00Z"]),
    ]


MAX_CLOSURES = 1000
MAX_REASON_LENGTH = 200


def parse_closing_time(value: Any) -> date | datetime:
    """Parse a local day, or an instant with its zone, of the years that stores are polled in. Raises ValueError."""
    is_day = isinstance(value, str) and len(value) == len("2026-12-25")
    found = parse_night(value) if is_day else parse_instant(value)
    require_sane_store_day(found.date() if isinstance(found, datetime) else found)
    return found


ClosingTime = Annotated[
    date | datetime,
    PlainValidator(parse_closing_time),
    WithJsonSchema(
        {
            "anyOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}],
            "examples": ["2026-12-25", "2026-12-24T17:00:00Z"],
        }
    ),
]


class ClosureInput(Input):
    """A time in which a store is closed: local days, the last one included, or instants `[from, to)`."""

    from_: Annotated[
        ClosingTime, Field(alias="from", description="The first local day, or the instant at which it begins")
    ]
    to: Annotated[ClosingTime, Field(description="The last local day, or the instant at which it ends")]
    reason: Annotated[
        str,
        Field(
            max_length=MAX_REASON_LENGTH, pattern=WITHOUT_NUL, description="Why it is closed", examples=["Christmas"]
        ),
    ] = ""

    @property
    def is_of_days(self) -> bool:
        return not isinstance(self.from_, datetime)

    @field_validator("to")
    @classmethod
    def _require_order(cls, to: date | datetime, found: ValidationInfo) -> date | datetime:
        start = found.data.get("from_")
        if start is None:
            return to
        if isinstance(start, datetime) != isinstance(to, datetime):
            raise ValueError("must be a day if `from` is one, and an instant if it is not")
        if to < start or (to == start and isinstance(to, datetime)):
            raise ValueError("must be after `from`")
        return to


class ClosuresInput(RootModel[Annotated[list[ClosureInput], Field(max_length=MAX_CLOSURES)]]):
    """All closures of a store."""


class StoreInput(Input):
    """What people say of a store."""

    group: Annotated[
        Group | None, Field(description="The group by which reports choose stores; null: none", examples=["north"])
    ]
