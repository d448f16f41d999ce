"""A strip of days, each a link, such as the uptime of a store: how much of each day was good.

The wide drawing has all days, the narrow one the last thirty.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from common.web.charts.frame import Frame
from common.web.charts.marks import Chart, Drawing, Key, Link, Numbers, Path, Row, Words, box_key
from common.web.charts.path import Box, boxes, dot, hatching

HEIGHT = 44
NARROW_DAYS = 30
LEAST_NOTCH = 3
CLASSES = ((0.998, "bar"), (0.95, "bar fair"))
POOR_ABOVE = 0.5
"""A day that was good for more than this is poor; for this or less it is a bad one."""


@dataclass(frozen=True, slots=True)
class StripDay:
    """One day. closed: it does not count. good: the good share of what was observed of it, 0 to 1; None: nothing was.

    label: the name of its link. cells: its row in the table after its name. current: the value of `aria-current`, such
    as `date` for the current day; the group of links is entered at this one. observed: how much of the day was
    observed, 0 to 1; the rest of its bar is hollow.
    """

    name: str
    label: str
    address: str
    good: float | None
    closed: bool
    cells: tuple[str, ...]
    current: str = ""
    observed: float = 1


def day_strip(days: Sequence[StripDay], columns: tuple[str, ...], words: Words) -> Chart:
    """A strip. The series: good, bad, not observed, closed. columns: heads of the table after the first."""
    good, bad, unknown, closed = words.series
    hatched = Key((Path("bad", hatching(Box(1, 1, 23, 11), 5)),), bad)
    legend = (box_key("bar", good), hatched, box_key("unknown", unknown), Key((Path("closed", dot((12, 6))),), closed))
    rows = tuple(Row(day.name, day.cells, day.address) for day in days)
    return Chart(
        words.title,
        words.finding,
        legend,
        _draw(days, Frame(760, HEIGHT, 1, 759, 2, HEIGHT - 2)),
        _draw(days[-NARROW_DAYS:], Frame(360, HEIGHT, 1, 359, 2, HEIGHT - 2)),
        Numbers((words.first_column, *columns), rows),
    )


def _draw(days: Sequence[StripDay], frame: Frame) -> Drawing:
    step = (frame.right - frame.left) / max(1, len(days))
    space = min(1.0, step / 8)
    links = (
        Link(
            day.address,
            day.label,
            _paths(day, Box(left + space, frame.top, left + step - space, frame.bottom)),
            day.current,
        )
        for left, day in ((frame.left + step * number, day) for number, day in enumerate(days))
    )
    return Drawing(frame.width, frame.height, tuple(links), role="group")


def _paths(day: StripDay, box: Box) -> tuple[Path, ...]:
    """The bar of a day, over an area that can be clicked everywhere: good from the top, bad from the bottom."""
    whole = Path("area", boxes([box]))
    if day.closed:
        return whole, Path("closed", dot(((box.left + box.right) / 2, (box.top + box.bottom) / 2)))
    if day.good is None:
        return (Path("unknown", whole.data),)
    good, observed = min(1.0, max(0.0, day.good)), min(1.0, max(0.0, day.observed))
    height = (box.bottom - box.top) * observed
    lower = Box(box.left, box.bottom - max(LEAST_NOTCH, height * (1 - good)), box.right, box.bottom)
    end = lower.top if good < 1 else box.bottom
    upper = Box(box.left, box.top, box.right, min(end, box.top + height * good) if observed < 1 else end)
    bad = (Path("bad-ground", boxes([lower])), Path("bad", hatching(lower, 4))) if good < 1 else ()
    unseen = Path("unseen", boxes([Box(box.left, upper.bottom, box.right, end)]))
    found = (whole, Path(style_of_day(good), boxes([upper])), unseen, *bad)
    return tuple(path for path in found if path.data)


def style_of_day(good: float) -> str:
    """The style of the bar of a day of which a share was good, 0 to 1."""
    style = next((style for share, style in CLASSES if good >= share), None)
    return style or ("bar poor" if good > POOR_ABOVE else "bar bad-day")
