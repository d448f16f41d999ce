"""What is asked of the page of the fleet, and the addresses that answer it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from urllib.parse import quote, urlencode

from dashboard.uptime.fleet_list import FLEET_PAGE
from dashboard.uptime.inputs import FleetPageQuery
from dashboard.uptime.models.fleet import Band, Period, WantedBand
from dashboard.uptime.models.stores import StoreState

STATE_WORDS: Mapping[StoreState, str] = {
    "up": "up now",
    "down": "down now",
    "closed": "closed now",
    "stale": "without data now",
    "never_polled": "not polled yet",
}
BAND_LABELS: Mapping[Band, str] = {
    "0": "under 90%",
    "90": "90 to 95%",
    "95": "95 to 99%",
    "99": "99 to 99.9%",
    "99.9": "99.9 to 100%",
    "100": "100%",
    "not_open": "not open",
    "no_data": "no data",
}


@dataclass(frozen=True)
class FleetQuestion:
    """What is asked of the page. target: the least share, 0 to 1."""

    period: Period = "week"
    target: Decimal = Decimal("0.99")
    state: StoreState | None = None
    band: WantedBand | None = None
    search: str = ""

    @classmethod
    def of(cls, query: FleetPageQuery) -> "FleetQuestion":
        return cls(query.period, query.target, query.state, query.band, query.search)

    @property
    def percent(self) -> str:
        """The target in per cent, such as `99` or `99.95`."""
        return plain_percent(self.target)

    @property
    def is_filtered(self) -> bool:
        return bool(self.state or self.band or self.search)

    def for_period(self, period: Period) -> "FleetQuestion":
        return replace(self, period=period)

    def unfiltered(self) -> "FleetQuestion":
        return FleetQuestion(self.period, self.target)

    def words(self) -> str:
        """Which stores are shown."""
        kind = "Stores" if self.state is None else f"Stores that are {STATE_WORDS[self.state]}"
        if self.band == "missed":
            kind += f"{' that' if self.state is None else ' and'} missed {self.percent}%"
        elif self.band is not None:
            kind += f", {BAND_LABELS[self.band]}"
        if self.search:
            kind += f", with “{self.search}”"
        return f"{kind}, worst first"

    def page(self, cursor: str | None = None) -> str:
        """The address of the page that answers it."""
        default = FleetQuestion()
        return address_with(
            FLEET_PAGE,
            period=self.period if self.period != default.period else None,
            target=self.percent if self.target != default.target else None,
            **self._filters(),
            cursor=cursor,
        )

    def figures(self, path: str, **parameters: object) -> str:
        """The address of the same figures for programs, with the target as a share."""
        return address_with(path, period=self.period, target=plain(self.target), **parameters)

    def stores(self, path: str, **parameters: object) -> str:
        """The address of the same stores for programs."""
        return self.figures(path, **self._filters(), **parameters)

    def _filters(self) -> dict[str, str | None]:
        return {"state": self.state, "band": self.band, "search": self.search}


def address_with(path: str, **parameters: object) -> str:
    """The path with those of the parameters that are neither None nor empty."""
    query = urlencode({name: value for name, value in parameters.items() if value not in (None, "")})
    return f"{path}?{query}" if query else path


def store_page(store_id: str) -> str:
    """The address of the page of a store, whose id is anything."""
    return f"{FLEET_PAGE}/{quote(store_id, safe='')}"


def plain(value: Decimal) -> str:
    """A number without zeros at its end, and without an exponent."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def plain_percent(share: Decimal) -> str:
    return plain(share * 100)
