"""Links of pages, and the addresses behind them."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from dashboard.bookings.inputs import PaceMatch

DEFAULT_MATCH: PaceMatch = "weekday"


@dataclass(frozen=True, slots=True)
class PageLink:
    """text: what is seen. name: what a screen reader says, where the text alone would not do."""

    text: str
    name: str
    address: str
    is_current: bool = False


def address_with(path: str, parameters: Mapping[str, object]) -> str:
    """The path with those of the parameters that are neither None nor empty."""
    query = urlencode({name: value for name, value in parameters.items() if value not in (None, "")})
    return f"{path}?{query}" if query else path


def asked_match(match: PaceMatch) -> PaceMatch | None:
    """The match as a parameter; None for the one that pages take by default."""
    return None if match == DEFAULT_MATCH else match
