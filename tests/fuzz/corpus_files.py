"""The small files in `corpus`, from which hostile ones are made."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"

ALIASES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "booking_events": {"room_id": ("room_id", "room_reservation_id"), "status": ("status", "rpg_status")},
    "reservations": {"start_date": ("start_date", "arrival"), "number_of_nights": ("nights", "number_of_nights")},
    "status": {"timestamp_utc": ("timestamp_utc", "polled_at")},
    "business_hours": {"dayOfWeek": ("dayOfWeek", "day", "weekday", "day_of_week")},
    "timezones": {"timezone_str": ("timezone_str", "timezone")},
}
"""Other names of columns, by file."""


@dataclass(frozen=True)
class HostileFile:
    """A file as it arrives.

    suffix: of its name. content_encoding: the header of HTTP. steps: how it was made. is_faithful: whether it has the
    rows of its seed, in another form. rows: how many rows a reader must find; None if that is not known.
    """

    data: bytes
    suffix: str
    content_encoding: str
    steps: tuple[str, ...]
    is_faithful: bool
    rows: int | None


@dataclass(frozen=True)
class Seed:
    """A valid file: its name, its suffix, its bytes, its header and rows, and other names of its columns."""

    name: str
    suffix: str
    data: bytes
    titles: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def as_file(self) -> HostileFile:
        return HostileFile(self.data, self.suffix, "", (), is_faithful=False, rows=None)


def read_seed(file_name: str) -> Seed:
    """A file of the corpus; only a CSV file has a header and rows."""
    data = (CORPUS / file_name).read_bytes()
    name, suffix = Path(file_name).stem, Path(file_name).suffix
    if suffix != ".csv":
        return Seed(name, suffix, data)
    titles, *rows = csv.reader(io.StringIO(data.decode(), newline=""))
    return Seed(name, suffix, data, tuple(titles), tuple(map(tuple, rows)), ALIASES.get(name, {}))
