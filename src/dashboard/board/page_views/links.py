"""A link of a page."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PageLink:
    """text: what is seen. name: what a screen reader says, where the text alone would not do."""

    text: str
    name: str
    address: str
    is_current: bool = False
