"""The orders in which a page can show its list; the template `sorted_by.html` renders them as links."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SortLink:
    """An order of a list, and the address of the page in it."""

    label: str
    address: str
    is_current: bool
