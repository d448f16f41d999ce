"""The table of a run, formatted row by row: our figure, its limit, their ratio, and whether the target is met."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """A column of fixed width, so that a row can be printed before the next is measured; longer cells are not cut."""

    heading: str
    width: int
    numeric: bool = False


COLUMNS = (
    Column("benchmark", 51),
    Column("ours", 9, numeric=True),
    Column("limit", 9, numeric=True),
    Column("unit", 10),
    Column("ours/limit", 10, numeric=True),
    Column("target", 7),
    Column("", 6),
    Column("note", 60),
)
VERDICTS = {True: "met", False: "MISSED", None: ""}


@dataclass(frozen=True)
class Row:
    """One figure.

    ours, limit: in `unit`; a limit of None means that the figure has none. note: describes the limit, or the conditions
    under which ours was measured. target: the required ratio ours / limit, ">= 0.7" or "<= 1"; "" if none is required.
    """

    name: str
    ours: float
    limit: float | None
    unit: str
    note: str = ""
    target: str = ""

    def __post_init__(self) -> None:
        if self.target and self.target.split(" ")[0] not in (">=", "<="):
            raise ValueError(f"target must look like '>= 0.7' or '<= 1', not {self.target!r}")

    @property
    def ratio(self) -> float | None:
        return self.ours / self.limit if self.limit else None

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None if there is no target."""
        if not self.target or self.ratio is None:
            return None
        sign, bound = self.target.split(" ")
        return self.ratio >= float(bound) if sign == ">=" else self.ratio <= float(bound)


def format_figure(value: float | None) -> str:
    """Return three significant digits, or all digits before the point, in groups of three; "-" for None."""
    if value is None:
        return "-"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def format_heading(columns: Sequence[Column] = COLUMNS) -> str:
    """Return the headings and the line below them."""
    headings = format_cells([column.heading for column in columns], columns)
    return f"{headings}\n{'  '.join('-' * column.width for column in columns)}"


def format_row(row: Row) -> str:
    cells = (
        row.name,
        format_figure(row.ours),
        format_figure(row.limit),
        row.unit,
        "-" if row.ratio is None else f"{row.ratio:.2f}",
        row.target,
        VERDICTS[row.met],
        row.note,
    )
    return format_cells(cells, COLUMNS)


def format_cells(cells: Sequence[str], columns: Sequence[Column]) -> str:
    """Return one line: text aligned to the left, numbers to the right, at least two spaces between cells."""
    padded = [
        cell.rjust(column.width) if column.numeric else cell.ljust(column.width)
        for cell, column in zip(cells, columns, strict=True)
    ]
    return "  ".join(padded).rstrip()


def format_failure(name: str, error: BaseException) -> str:
    """Return the line that stands for the missing rows of a benchmark that failed."""
    return f"{name}  FAILED  {type(error).__name__}: {error}"
