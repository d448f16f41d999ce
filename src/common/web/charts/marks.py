"""What the macros of `charts.html` print. Coordinates are in units of the drawing; styles are classes of page.css."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Path:
    """A whole series, or everything of one style."""

    style: str
    data: str


@dataclass(frozen=True, slots=True)
class Text:
    """A label; `style` includes where it is anchored: nothing for its start, else `mid` or `end`."""

    style: str
    x: str
    y: str
    text: str


@dataclass(frozen=True, slots=True)
class Link:
    """A part of a drawing that is a link, where each datum is one; `label` is its name for a screen reader.

    current: the value of `aria-current`; empty for none.
    """

    address: str
    label: str
    paths: tuple[Path, ...]
    current: str = ""


Mark = Path | Text | Link


@dataclass(frozen=True, slots=True)
class Drawing:
    """One SVG. `plot`: the x at which the first and the last value of the table of numbers are drawn."""

    width: int
    height: int
    marks: tuple[Mark, ...]
    plot: tuple[str, str] | None = None
    role: str = "img"


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a chart, all from its caller.

    finding: one sentence that says what the chart shows, for people who do not see it.
    first_column: the head of the table's first column. series: the names of the series, in the order of the chart's
    fields; they are the legend and the heads of the other columns.
    """

    title: str
    finding: str
    first_column: str
    series: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Key:
    """A series of the legend: a small drawing of its style, and its name."""

    paths: tuple[Path, ...]
    name: str


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table of numbers; `address` makes its first cell a link.

    at: where the row is drawn, as a share of the plot's width; None where all rows are at equal distances.
    """

    first: str
    cells: tuple[str, ...]
    address: str | None = None
    at: str | None = None


@dataclass(frozen=True, slots=True)
class Numbers:
    """The table below a chart: all that the chart shows, in the order in which it shows it."""

    head: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart in two sizes, of which the style sheet shows one."""

    title: str
    finding: str
    legend: tuple[Key, ...]
    wide: Drawing
    narrow: Drawing
    numbers: Numbers


@dataclass(frozen=True, slots=True)
class SmallChart:
    """A drawing in a line of text or a cell of a table, whose numbers stand beside it."""

    title: str
    finding: str
    drawing: Drawing


LINE_KEY = "M1 6H23"
BOX_KEY = "M2 1H22V11H2Z"


def line_key(style: str, name: str) -> Key:
    """The legend of a line."""
    return Key((Path(style, LINE_KEY),), name)


def box_key(style: str, name: str) -> Key:
    """The legend of bars or of a band."""
    return Key((Path(style, BOX_KEY),), name)
