"""The figures of a run: ours beside the limit, the ratio, and whether it is what was to be reached."""

from collections.abc import Sequence
from dataclasses import dataclass

HEADINGS = ("work", "ours", "limit", "unit", "ours/limit", "reach", "", "note")


@dataclass(frozen=True)
class Row:
    """One figure.

    ours, limit: in `unit`; a limit of None stands for a figure without one. note: what the limit is, or under what
    conditions ours was taken. reach: what the ratio ours / limit has to be, ">= 0.7" or "<= 1", "" where nothing is
    asked.
    """

    name: str
    ours: float
    limit: float | None
    unit: str
    note: str = ""
    reach: str = ""

    def __post_init__(self) -> None:
        if self.reach and self.reach.split(" ")[0] not in (">=", "<="):
            raise ValueError(f"reach is written '>= 0.7' or '<= 1', not {self.reach!r}")

    @property
    def ratio(self) -> float | None:
        return self.ours / self.limit if self.limit else None

    @property
    def met(self) -> bool | None:
        """Whether the reach is met; None where nothing is asked."""
        if not self.reach or self.ratio is None:
            return None
        sign, bound = self.reach.split(" ")
        return self.ratio >= float(bound) if sign == ">=" else self.ratio <= float(bound)


def figure(value: float | None) -> str:
    """Three digits that count, thousands apart."""
    if value is None:
        return "-"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def table(rows: Sequence[Row]) -> str:
    """The rows under their headings, aligned: names and notes to the left, numbers to the right."""
    words = {True: "met", False: "MISSED", None: ""}
    cells = [HEADINGS] + [
        (
            row.name,
            figure(row.ours),
            figure(row.limit),
            row.unit,
            "-" if row.ratio is None else f"{row.ratio:.2f}",
            row.reach,
            words[row.met],
            row.note,
        )
        for row in rows
    ]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADINGS))]
    to_the_right = {1, 2, 4}
    lines = []
    for line in cells:
        padded = [
            cell.rjust(width) if column in to_the_right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        lines.append("  ".join(padded).rstrip())
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)
